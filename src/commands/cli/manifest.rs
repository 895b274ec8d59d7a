//! What can be typed behind `environment`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Manifest {
    /// Write the manifest of a new environment
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
