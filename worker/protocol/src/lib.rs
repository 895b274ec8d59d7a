//! What the tool and the two Workers must agree on, and every decision of the Workers as a pure function.
//!
//! No dependency on `worker`, no clock, no randomness: all of this is tested on the host. Three rooms, of which
//! [`gateway`] and [`room`] import [`contract`] and never each other; and where the feature `describe` is on, `describe` over
//! them. The tool imports [`contract`] and `describe` only.

pub mod contract;
#[cfg(feature = "describe")]
pub mod describe;
pub mod gateway;
pub mod room;
