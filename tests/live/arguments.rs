//! What can be typed behind `./test live`.

use clap::Parser;

/// Deploys to a real Cloudflare account under a name of its own, proves what the tool promises, and leaves nothing
///
/// Everything that it makes is called `edge-broadcast-live-…` and `eb-live-…`, and is deleted in the end, also after a failure or
/// Ctrl-C. The API's answers are written down without names, ids and secrets.
#[derive(Debug, Parser)]
#[command(name = "./test live", bin_name = "./test live", max_term_width = 100)]
#[command(
    after_help = "Needs CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID and EDGE_BROADCAST_LIVE_ZONE."
)]
pub(crate) struct Arguments {
    /// Delete what earlier runs that were killed have left in the account, and run nothing
    #[arg(long)]
    pub(crate) clean: bool,
    /// With --clean: do not ask
    #[arg(long, requires = "clean")]
    pub(crate) yes: bool,
    /// The API: a sandbox's, where this test itself is tested
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) sandbox: Option<String>,
}
