//! What can be typed behind `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::token::token;

#[derive(Debug, Args)]
pub struct Bench {
    /// An environment, or the address of a deployed system
    #[arg(value_name = "ENV|URL")]
    pub target: String,
    /// Sockets to open, over all tokens
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub sockets: u32,
    /// Made-up tokens, which begin with `edge-broadcast-bench`
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "token", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tokens: u32,
    /// Load this room instead, with all that its real clients get; may be repeated
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    pub token: Vec<String>,
    /// Updates a second, over all tokens
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = rate)]
    pub rate: f64,
    /// Sockets a second
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = rate)]
    pub connect_rate: f64,
    /// Time that is measured
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Time before that, which is not
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub warm_up: Duration,
    /// Size of an update
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub bytes: usize,
    /// The `Origin` of the sockets [default: an allowed one; with a URL none]
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// Compare with an earlier answer of `--json`
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Do not ask before loading a protected environment
    #[arg(long)]
    pub yes: bool,
}

/// A number of things a second.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    match (0.01..=100_000.0).contains(&rate) {
        true => Ok(rate),
        false => Err("it is not between 0.01 and 100000".to_owned()),
    }
}
