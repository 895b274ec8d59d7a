//! Runs other people's programs: their command lines, their output, and that they end with this command.
//!
//! Knows nothing of what the programs are for.
//!
//! Imports: `terminal`

pub mod child;
pub mod file_lock;
pub mod interrupt;
pub mod invocation;
