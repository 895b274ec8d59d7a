//! What a response says, as far as the gateway reads it.

use edge_broadcast_shell as shell;
use worker::worker_sys::web_sys::Response;

pub(crate) struct Answer {
    /// The seconds of its `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    /// Empty where the body cannot be read.
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: &Response) -> Self {
        let seconds = response.headers().get("retry-after").ok().flatten();
        Self {
            retry_after: seconds.and_then(|seconds| seconds.parse().ok()),
            body: shell::text(response.text()).await.unwrap_or_default(),
        }
    }
}
