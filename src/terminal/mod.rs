//! What people see and answer: output, progress, questions, colours, and control characters made visible.
//!
//! Everything that is printed passes through here. Knows nothing of what is printed.
//!
//! Imports: nothing

pub mod advice;
pub mod confirm;
pub mod escape;
pub mod output;
mod paint;
pub mod progress;
pub mod screen;
pub mod step_summary;
pub mod suggestion;
mod wrap;
