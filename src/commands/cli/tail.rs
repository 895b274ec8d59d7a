//! What can be typed behind `tail`.

use clap::Args;

use super::Environment;

#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    pub environment: Environment,
}
