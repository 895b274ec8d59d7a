//! Where the runtime posts Analytics Engine data points, and the last of them.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::runtime::log::Recent;

/// The header by which the runtime's configuration tells the data set: the runtime itself only knows the binding.
pub(crate) const DATASET_HEADER: &str = "X-Sandbox-Dataset";
/// The header with the account.
pub(crate) const ACCOUNT_HEADER: &str = "X-Sandbox-Account";

/// Data points of every data set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points(Recent<10_000>);

impl Points {
    /// All points, oldest first, of one data set or of all.
    pub(crate) fn of(&self, dataset: Option<&str>) -> Vec<Value> {
        let wanted = |point: &Value| dataset.is_none_or(|dataset| point["dataset"] == dataset);
        self.0.values(wanted)
    }
}

/// Starts the endpoint on a free loopback port, with what else the runtime posts to the sandbox.
pub(crate) async fn serve(
    points: Points,
    others: Router,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = others.fallback_service(Router::new().fallback(receive).with_state(points));
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

async fn receive(State(points): State<Points>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers.get(name)?.to_str().ok();
    let (account, dataset) = (header(ACCOUNT_HEADER), header(DATASET_HEADER));
    if let Ok(raw) = serde_json::from_slice(&body) {
        let (account, dataset) = (account.unwrap_or_default(), dataset.unwrap_or_default());
        points.0.push(point(account, dataset, &raw));
    }
    StatusCode::OK
}

/// The runtime's form (`blob1`…, texts as byte arrays, 20 doubles) as `{dataset, indexes, blobs, doubles, timestamp}`.
fn point(account: &str, dataset: &str, raw: &Value) -> Value {
    let numbered = |stem: &str| {
        (1..=20)
            .map_while(|n| raw.get(format!("{stem}{n}")))
            .collect::<Vec<_>>()
    };
    json!({
        "account": account,
        "dataset": dataset,
        "indexes": numbered("index").into_iter().map(text).collect::<Vec<_>>(),
        "blobs": numbered("blob").into_iter().map(text).collect::<Vec<_>>(),
        "doubles": numbered("double"),
        "timestamp": raw["timestamp"],
    })
}

fn text(bytes: &Value) -> Option<String> {
    let bytes = Vec::<u8>::deserialize(bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_from_the_runtimes_form() {
        let raw = json!({"index1": [105], "blob1": [98, 49], "blob2": [98], "double1": 1, "double2": 0.5, "timestamp": "7"});
        let read = point("a", "d", &raw);
        assert_eq!(read["indexes"], json!(["i"]));
        assert_eq!(read["blobs"], json!(["b1", "b"]));
        assert_eq!(read["doubles"], json!([1, 0.5]));
    }
}
