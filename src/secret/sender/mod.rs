//! Who must learn a new value of a secret, and how it is handed over.
//!
//! A value goes to a program's standard input or into the sender's own file, never into an argument list or an environment variable.

mod entry;
mod give;
mod resolved;

pub(crate) use entry::Entry;
pub(crate) use give::{LIMIT, give};
pub(crate) use resolved::{Names, Sender};
