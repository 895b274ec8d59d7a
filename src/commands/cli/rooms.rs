//! What can be typed behind `rooms`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Environment;
use super::token::token;

#[derive(Debug, Subcommand)]
pub enum Rooms {
    /// Count the objects of an environment
    #[command(after_help = "Examples:
  edge-broadcast rooms list staging
  edge-broadcast rooms list production --limit 100 --json

Objects are rooms, their shards, and a few of the system's own. An object's id is a hash of its
name that cannot be turned back: `rooms get ENV TOKEN` shows the room of a token.")]
    List(ListRooms),
    /// Show what a room holds, has counted and costs
    #[command(after_help = "Examples:
  edge-broadcast rooms get staging SOL
  edge-broadcast rooms get production SOL --watch --interval 5s
  edge-broadcast rooms get production SOL --watch --json

Reads the value of ADMIN_SECRET. Without --watch it looks twice, a second apart, and shows the second
look with what happened between the two. Whoever looks wakes the room: while it is watched it hardly
hibernates, and each look is a request to each of its objects.")]
    Get(Room),
}

#[derive(Debug, Args)]
pub struct ListRooms {
    #[command(flatten)]
    pub environment: Environment,
    /// How many ids are shown of each class
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct Room {
    #[command(flatten)]
    pub environment: Environment,
    /// The room's token
    #[arg(value_name = "TOKEN", value_parser = token)]
    pub token: String,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Time from one look to the next, at least 1s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval, requires = "watch")]
    pub interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match interval >= Duration::from_secs(1) {
        true => Ok(interval),
        false => Err("it is shorter than 1s, which would keep the room busy".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_looks_more_often_than_once_a_second() {
        assert_eq!(interval("1s"), Ok(Duration::from_secs(1)));
        assert!(interval("999ms").is_err() && interval("0").is_err() && interval("soon").is_err());
    }
}
