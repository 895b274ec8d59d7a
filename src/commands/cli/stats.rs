//! What can be typed behind `stats`.

use std::time::Duration;

use clap::Args;

use super::Environment;

#[derive(Debug, Args)]
pub struct Stats {
    #[command(flatten)]
    pub environment: Environment,
    /// How far back to look
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub since: Duration,
}
