//! What can be typed behind `dev`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Dev {
    /// The environment: it must have `worker.debug = true`
    #[arg(value_name = "ENV", default_value = "local")]
    pub environment: String,
    /// Port at which the hosts are served [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Keep scripts and rooms in this folder [default: forget them at the end]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}
