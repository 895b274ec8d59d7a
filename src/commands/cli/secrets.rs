//! What can be typed behind `secrets`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Environment, Environments};

#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Show which secrets every environment has, lacks, or has too many of
    #[command(after_help = "Examples:
  edge-broadcast secrets list
  edge-broadcast secrets list staging --json
  edge-broadcast secrets list staging --prune

Exits 1 when a required secret is missing. An age is an upper bound where another tool may have set the value later, and a lower
one after `over`.")]
    List(ListSecrets),
    /// Set one secret, from its source or from standard input
    #[command(after_help = "Examples:
  edge-broadcast secrets set staging ADMIN_SECRET
  op read op://glow/admin/value | edge-broadcast secrets set staging ADMIN_SECRET --stdin

A publisher that still has an earlier webhook secret is refused from then on: use `secrets rotate` for that one.")]
    Set(SetSecret),
    /// Delete one secret
    #[command(after_help = "Examples:
  edge-broadcast secrets remove staging OLD_KEY

The last value of a secret that the manifest names is not deleted.")]
    Remove(NamedSecret),
    /// Replace the webhook secret without refusing one publish
    #[command(after_help = "Examples:
  edge-broadcast secrets rotate staging
  edge-broadcast secrets rotate staging --status
  edge-broadcast secrets rotate staging --finish        revoke the old value without waiting
  edge-broadcast secrets rotate staging --abort         go back to the old value
  edge-broadcast secrets rotate staging --compromised   end the old value first of all

Killed at any moment, the same command goes on where it stopped.")]
    Rotate(RotateSecret),
}

#[derive(Debug, Args)]
pub struct ListSecrets {
    #[command(flatten)]
    pub environments: Environments,
    /// Delete the secrets that the manifest does not name
    #[arg(long, requires = "environments")]
    pub prune: bool,
    /// Do not ask before changing a protected environment
    #[arg(long)]
    pub yes: bool,
}

/// One secret of one environment.
#[derive(Debug, Args)]
pub struct NamedSecret {
    #[command(flatten)]
    pub environment: Environment,
    /// The secret's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Do not ask before changing a protected environment
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct SetSecret {
    #[command(flatten)]
    pub secret: NamedSecret,
    /// Read the value from standard input instead of its source
    #[arg(long)]
    pub stdin: bool,
}

#[derive(Debug, Args)]
pub struct RotateSecret {
    #[command(flatten)]
    pub environment: Environment,
    /// The secret's name; only the webhook secret has two slots
    #[arg(value_name = "NAME", default_value = edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET)]
    pub name: String,
    /// Show where a rotation is, and change nothing
    #[arg(long, conflicts_with_all = ["abort", "compromised", "finish", "without_evidence"])]
    pub status: bool,
    /// Undo an open rotation: hand the old value back, then revoke the new one
    #[arg(long, conflicts_with = "compromised")]
    pub abort: bool,
    /// Revoke every earlier value with the first write; senders are refused until they have the new one
    #[arg(long)]
    pub compromised: bool,
    /// Where `--compromised` writes the new value too: a new file, for its owner only
    #[arg(long, value_name = "PATH", requires = "compromised")]
    pub to_file: Option<PathBuf>,
    /// Revoke without waiting until the value is unused
    #[arg(long, conflicts_with = "compromised")]
    pub finish: bool,
    /// Go on although another run may still be at work on it; that run stops before its next step
    #[arg(long, conflicts_with = "status")]
    pub take_over: bool,
    /// Wait for the retry horizon only, where no `ADMIN_SECRET` opens the counters
    #[arg(long, conflicts_with_all = ["finish", "compromised"])]
    pub without_evidence: bool,
    /// Do not ask before changing a protected environment
    #[arg(long)]
    pub yes: bool,
}
