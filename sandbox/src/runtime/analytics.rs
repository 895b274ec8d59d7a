//! Where the runtime posts Analytics Engine data points.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::analytics::point::Point;
use crate::analytics::store::Points;

/// The header by which the runtime's configuration tells the data set: the runtime itself only knows the binding.
pub(crate) const DATASET_HEADER: &str = "X-Sandbox-Dataset";
/// The header with the account.
pub(crate) const ACCOUNT_HEADER: &str = "X-Sandbox-Account";

/// Starts the endpoint on a free loopback port, with what else the runtime posts to the sandbox.
pub(crate) async fn serve(
    points: Points,
    others: Router,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tasks.spawn(points.clone().write());
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
        points.push(Point::read(account, dataset, &raw));
    }
    StatusCode::OK
}
