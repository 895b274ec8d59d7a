//! A call that must not be sent twice, and whose answer may be lost.

use std::time::Duration;

use super::error::ApiError;

/// Pauses before the further tries.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(2),
];

/// Sends until it is known whether it was done. After an answer that leaves that open, `done` looks; only when it
/// was not done is it sent again.
pub(super) async fn send<T>(
    send: impl AsyncFn() -> anyhow::Result<T>,
    done: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    for pause in PAUSES {
        match send().await {
            Err(error) if error.downcast_ref().is_some_and(ApiError::leaves_open) => {
                tokio::time::sleep(pause).await;
                if let Some(done) = done().await? {
                    return Ok(done);
                }
            }
            result => return result,
        }
    }
    send().await
}
