//! A call that must not be sent twice, and whose answer may be lost.

use std::time::Duration;

use super::error::{ApiError, after_open};

/// Pauses before the further tries.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(2),
];

/// Sends until it is known whether it was done. After an answer that leaves that open, `done` looks; only when it
/// was not done is it sent again. What `done` finds may be older than what was sent, so that a later refusal says nothing of the tries
/// before it: it is told with [`MayBeDone`](super::error::MayBeDone).
pub(super) async fn send<T>(
    send: impl AsyncFn() -> anyhow::Result<T>,
    done: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut result = send().await;
    for pause in PAUSES {
        match result {
            Err(error) if error.downcast_ref().is_some_and(ApiError::leaves_open) => {
                tokio::time::sleep(pause).await;
                if let Some(done) = done().await? {
                    return Ok(done);
                }
                result = send().await.map_err(after_open);
            }
            result => return result,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::error::{self, Entry};
    use super::*;

    fn answered(status: u16) -> anyhow::Error {
        let message = format!("answer {status}");
        ApiError {
            method: "PATCH".to_owned(),
            path: "/accounts/a/workers/scripts/s/secrets-bulk".to_owned(),
            account: "a".to_owned(),
            status,
            entries: Entry::list(message.into()),
            detail: String::new(),
            wait: None,
            fix: None,
        }
        .into()
    }

    /// What comes of a change whose tries are answered so, and that is never seen to be done.
    async fn tried(answers: &[u16]) -> anyhow::Error {
        let tries = Cell::new(0);
        let send = async || {
            tries.set(tries.get() + 1);
            anyhow::Result::<()>::Err(answered(answers[tries.get() - 1]))
        };
        let error = super::send(send, async || Ok(None)).await.unwrap_err();
        assert_eq!(tries.get(), answers.len());
        error
    }

    #[tokio::test]
    async fn a_refusal_after_a_try_that_was_left_open_does_not_say_that_nothing_was_done() {
        let refused = tried(&[400]).await;
        assert!(error::was_not_made(&refused));
        assert_eq!(
            format!("{refused:#}"),
            "`PATCH /accounts/a/workers/scripts/s/secrets-bulk` in the account `a` was answered with 400: answer 400"
        );
        for answers in [&[0, 400][..], &[502, 404], &[0, 503, 429]] {
            let refused = tried(answers).await;
            assert!(!error::was_not_made(&refused), "{answers:?}");
            let last = answers.last().unwrap();
            assert_eq!(
                format!("{refused:#}"),
                format!(
                    "an earlier try of it got no answer that tells, and may have been carried out: `PATCH /accounts/a/workers/scripts/s/secrets-bulk` in the account `a` was answered with {last}: answer {last}"
                )
            );
        }
    }
}
