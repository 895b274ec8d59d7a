//! What can be typed behind `plan`, `deploy`, `rollback` and `destroy`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::Environment;
use crate::environment::name::Stages;

/// What stands for the shares of the manifest.
const MANIFEST: &str = "manifest";

/// The shares that `--rollout` asks for.
#[derive(Clone, Debug)]
pub enum Shares {
    /// Those of `[rollout]`.
    AsManifest,
    These(Stages),
}

impl FromStr for Shares {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            MANIFEST => Ok(Self::AsManifest),
            text => text.parse().map(Self::These),
        }
    }
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub environment: Environment,
    /// Exit 2 when something has to change
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Ask this room how many sockets would reconnect; may be repeated, needs the value of `ADMIN_SECRET`
    #[arg(long, value_name = "TOKEN")]
    pub room: Vec<String>,
    /// Plan to move hosts over from this environment or script of ours, as in `deploy`; may be repeated
    #[arg(long, value_name = "ENV|SCRIPT")]
    pub take_route_from: Vec<String>,
    /// Keep the plan, to apply exactly it later with `deploy --plan FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Plan to take this script over, as in `deploy`; may be repeated
    #[arg(long, value_name = "SCRIPT")]
    pub adopt: Vec<String>,
    /// Shares of the traffic that new versions get one after the other, as in `deploy`
    #[arg(long, value_name = "PERCENTAGES", num_args = 0..=1, default_value = "100", default_missing_value = MANIFEST)]
    pub rollout: Shares,
}

#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    pub environment: Environment,
    /// Do not ask before changing a protected environment
    #[arg(long)]
    pub yes: bool,
    /// Apply exactly this plan, which `plan --out FILE` kept; refused when the live state moved since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["adopt", "sandbox", "rollout", "take_route_from"])]
    pub plan: Option<PathBuf>,
    /// Take this script over although it is not this project's; may be repeated
    #[arg(long, value_name = "SCRIPT")]
    pub adopt: Vec<String>,
    /// Move wanted hosts over from this environment or script of ours, without a gap; may be repeated
    #[arg(long, value_name = "ENV|SCRIPT")]
    pub take_route_from: Vec<String>,
    /// Shares of the traffic that new versions get one after the other, each checked: `5,25,100`; without a value those of the
    /// manifest's `[rollout]`
    #[arg(long, value_name = "PERCENTAGES", num_args = 0..=1, default_value = "100", default_missing_value = MANIFEST)]
    pub rollout: Shares,
    /// How long each share of a rollout is watched before it is checked
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub pause: Duration,
    /// Deploy to a stand-in for Cloudflare that lives as long as the command
    #[arg(long)]
    pub sandbox: bool,
}

#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    pub environment: Environment,
    /// The version to go back to [default: the one before]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// Do not ask before changing a protected environment
    #[arg(long)]
    pub yes: bool,
    /// Go back even if a secret changed since: the old value comes back with the old version
    #[arg(long)]
    pub accept_old_secrets: bool,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// The environment: the file name of its manifest without `.toml`
    #[arg(
        value_name = "ENV",
        required_unless_present = "script",
        conflicts_with = "script"
    )]
    pub environment: Option<String>,
    /// A script that no manifest names; the other one of its environment goes with it
    #[arg(long, value_name = "NAME")]
    pub script: Option<String>,
    /// Do not ask, where this names once more what is destroyed
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// With `--confirm`: do not ask before a protected environment is destroyed
    #[arg(long)]
    pub yes: bool,
}
