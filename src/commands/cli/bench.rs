//! What can be typed behind `bench`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Bench {
    /// An environment, or the address of a deployed system
    #[arg(value_name = "ENV|URL")]
    pub target: String,
    /// Do not ask before loading a protected environment
    #[arg(long)]
    pub yes: bool,
}
