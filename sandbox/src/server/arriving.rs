//! A request's body that is read to its end even when nobody wants it any more.
//!
//! A server that answers early and closes with unread bytes resets the connection, and a client that is still sending never sees the
//! answer. Cloudflare's edge has read the whole body by then; so it is read here too, beside the answer, up to a bound.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// What is read at most for nobody: more than any body that Cloudflare takes.
const MOST: usize = 256 << 20;
/// How long a client may pause while nobody wants its body.
const PAUSE: Duration = Duration::from_secs(5);

/// The body; by default none.
#[derive(Debug, Default)]
pub(crate) struct Arriving(Option<Incoming>);

impl From<Incoming> for Arriving {
    fn from(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(discard(rest));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut read = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return;
        }
    }
}
