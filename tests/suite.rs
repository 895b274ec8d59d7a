//! The integration suite: the real binary, the real runtime, real sockets. One feature per file.

mod support;

mod build;
mod check;
mod deploy;
mod generate;
mod npm;
mod readme;
mod refusals;
mod sandbox;
mod sandbox_command;
mod secrecy;
mod toolchain;
mod wrangler;
