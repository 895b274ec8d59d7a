//! Who must learn a new value of a secret, and how it is handed over.
//!
//! A value goes to a program's standard input or into the sender's own file, never into an argument list or an environment variable.

mod give;
mod meant;
mod written;

pub use give::{LIMIT, give};
pub use meant::{Input, Means, Sender, Surroundings};
pub use written::{Kind, Written};
