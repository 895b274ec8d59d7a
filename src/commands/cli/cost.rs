//! What can be typed behind `cost`.

use clap::Args;

use super::Environments;

#[derive(Debug, Args)]
pub struct Cost {
    #[command(flatten)]
    pub environments: Environments,
}
