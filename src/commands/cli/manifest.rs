//! What can be typed behind `environment`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Manifest {
    /// Write the manifest of a new environment, like another one's
    #[command(after_help = "Examples:
  edge-broadcast environment new qa --from staging

Hosts, the data set and the SST stage get the new name; all else, comments too, stays. Nothing is written that `check` would
refuse.")]
    New(New),
}

#[derive(Debug, Args)]
pub struct New {
    /// The new environment: its manifest is `environments/NAME.toml`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The environment whose manifest is the example
    #[arg(long, value_name = "ENV")]
    pub from: String,
}
