//! `./test live`: not part of `cargo test`, which runs no test that needs an account.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures that were measured, and what a run is doing"
)]
#![expect(
    clippy::too_many_lines,
    reason = "what is looked for stands in one list"
)]

use std::process::ExitCode;

#[path = "mod.rs"]
mod live;

fn main() -> ExitCode {
    ExitCode::from(live::main(std::env::args_os()))
}
