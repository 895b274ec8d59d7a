//! What can be typed behind `stats`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Environment;

#[derive(Debug, Args)]
pub struct Stats {
    #[command(flatten)]
    pub environment: Environment,
    /// How far back to look; Cloudflare keeps three months
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub since: Duration,
    /// Tell figures apart
    #[arg(long, value_name = "KEY")]
    pub by: Option<By>,
    /// Print the figures as comma-separated values, a row for each key
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// What figures are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The version of the script that counted
    Version,
    /// The region of the client or publisher
    Region,
    /// The room
    Token,
}
