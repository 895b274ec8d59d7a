//! What people see and answer: output, progress, questions, colours, and control characters made visible.
//!
//! Everything that is printed passes through here. Knows nothing of what is printed.
//!
//! Imports: nothing

pub mod advice;
pub(crate) mod confirm;
pub(crate) mod decoding;
pub(crate) mod escape;
pub mod output;
mod paint;
pub mod progress;
pub(crate) mod redraw;
pub mod screen;
pub(crate) mod sparkline;
pub(crate) mod step_summary;
pub(crate) mod suggestion;
pub(crate) mod tint;
pub(crate) mod utf8;
pub(crate) mod wait;
mod wrap;
