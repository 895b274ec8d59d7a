//! Parse, run, print an error once, exit.

use std::process::ExitCode;

use edge_broadcast::cloudflare::error::advice;
use edge_broadcast::commands::{self, cli};
use edge_broadcast::environment::project::Problems;
use edge_broadcast::process::{farewell, interrupt};
use edge_broadcast::terminal::{output, screen};

#[tokio::main]
async fn main() -> ExitCode {
    screen::heed_force_color();
    let cli = cli::parse();
    // reqwest is built without a default so that only one cryptography library is compiled
    let _ = rustls::crypto::ring::default_provider().install_default();
    interrupt::watch();
    let result = tokio::select! {
        result = commands::run(cli) => Some(result),
        // Dropping the command ends every process that it started
        () = interrupt::wait() => None,
    };
    farewell::wait().await;
    match result {
        None => ExitCode::from(interrupt::EXIT_STATUS),
        Some(Ok(code)) => code,
        Some(Err(error)) => {
            match error.downcast_ref::<Problems>() {
                // Drawn under its source lines, each with a heading of its own
                Some(problems) => output::point_out(&problems.to_string()),
                None => output::tell(&format!("error: {:#}", advice(&error))),
            }
            ExitCode::FAILURE
        }
    }
}
