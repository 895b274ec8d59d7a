//! The integration suite: the real binary, the real runtime, real sockets. One feature per file.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures that were measured, and what a run is doing"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a test tells its story from the beginning to the end"
)]

mod support;

mod access;
mod answers;
mod architecture;
mod bench;
mod build;
mod check;
mod conflicts;
mod conformance;
mod connector;
mod console;
mod cost;
mod dependencies;
mod deploy;
mod destroy;
mod dev;
mod docs;
mod doctor;
mod documents;
mod environment;
mod faults;
mod generate;
mod habits;
mod hosts;
mod install;
mod law;
mod live;
mod moves;
mod npm;
mod observe;
mod ownership;
mod pace;
mod packages;
mod readme;
mod refusals;
mod rehearsal;
mod requests;
mod rollback;
mod rollout;
mod rooms;
mod sandbox;
mod sandbox_command;
mod schema;
mod sdk;
mod secrecy;
mod secrets;
mod shipped;
mod smoke;
mod stats;
mod tail;
mod terminal;
mod toolchain;
mod workers;
mod wrangler;
mod zone;
