//! `./test live`: not part of `cargo test`, which runs no test that needs an account.

use std::process::ExitCode;

#[path = "mod.rs"]
mod live;

fn main() -> ExitCode {
    ExitCode::from(live::main(std::env::args_os()))
}
