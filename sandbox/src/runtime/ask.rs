//! The sandbox's own requests to a socket of the runtime.

use anyhow::Context;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// The body of the answer to `path` on the loopback port `port`.
pub(crate) async fn ask(method: Method, port: u16, path: &str) -> anyhow::Result<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:{port}{path}"))
        .body(Empty::<Bytes>::new())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await;
    let answer = answer.context("asking the runtime")?;
    Ok(answer.into_body().collect().await?.to_bytes())
}
