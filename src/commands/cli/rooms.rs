//! What can be typed behind `rooms`.

use clap::{Args, Subcommand};

use super::Environment;

#[derive(Debug, Subcommand)]
pub enum Rooms {
    /// List the objects of an environment
    List(Environment),
    /// Show one room
    Get(Room),
}

#[derive(Debug, Args)]
pub struct Room {
    #[command(flatten)]
    pub environment: Environment,
    /// The room's token
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}
