//! The integration suite: the real binary, the real runtime, real sockets. One feature per file.

mod support;

mod build;
mod check;
mod conflicts;
mod deploy;
mod faults;
mod floors;
mod generate;
mod npm;
mod pace;
mod readme;
mod refusals;
mod rollback;
mod rollout;
mod sandbox;
mod sandbox_command;
mod sdk;
mod secrecy;
mod secrets;
mod toolchain;
mod typescript;
mod workers;
mod wrangler;
