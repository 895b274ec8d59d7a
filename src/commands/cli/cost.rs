//! What can be typed behind `cost`.

use clap::Args;

use super::Environments;

#[derive(Debug, Args)]
pub struct Cost {
    #[command(flatten)]
    pub environments: Environments,
    /// People who use the app on a day [default: `traffic.users`]
    #[arg(long, value_name = "N")]
    pub users: Option<u32>,
    /// Tokens that are published to [default: `traffic.tokens`]
    #[arg(long, value_name = "N")]
    pub tokens: Option<u32>,
    /// Updates of each token [default: `traffic.updates_per_minute`]
    #[arg(long, value_name = "N")]
    pub updates_per_minute: Option<u32>,
    /// How often a user opens the app on a day [default: `traffic.connects_per_day`, or 4]
    #[arg(long, value_name = "N")]
    pub connects_per_day: Option<u32>,
    /// Rooms that a user is in at once [default: `traffic.tokens_per_user`, or 1]
    #[arg(long, value_name = "N")]
    pub tokens_per_user: Option<u32>,
    /// Updates that a publisher sends in one request [default: `traffic.batch`, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Hours of a day in which updates come [default: `traffic.active_hours_per_day`, or 24]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=24))]
    pub active_hours_per_day: Option<u32>,
}
