//! What the tool and the two workers must agree on, and every decision of the workers as a pure function.
//!
//! No dependency on `worker`, no clock, no randomness: all of this is tested on the host.
//!
//! - [`binding`]: the names of bindings, the Durable Object class and its migration
//! - [`settings`]: what a manifest tells each worker, sent as the JSON binding `SETTINGS`

pub mod binding;
pub mod settings;
