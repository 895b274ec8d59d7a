//! A wait that whoever watches is told of: why, how long, and what is left of it. Short ones pass in silence.

use std::future::Future;
use std::iter::successors;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::terminal::progress::seconds;

/// Above this somebody wonders whether the command still lives.
pub(crate) const TOLD: Duration = Duration::from_secs(2);
/// A long wait is told of again.
const AGAIN: Duration = Duration::from_secs(30);

/// Waits for `span`, for the reason `why`.
pub(crate) async fn wait(tell: impl Fn(&str), span: Duration, why: &str) {
    if span > TOLD {
        tell(&format!("waiting {}: {why}", seconds(span)));
    }
    go_on(tell, span, why).await;
}

/// Waits for `span`, of which somebody has told already.
pub(crate) async fn go_on(tell: impl Fn(&str), span: Duration, why: &str) {
    let mut left = span;
    for more in told_again(span) {
        sleep(left.saturating_sub(more)).await;
        tell(&format!("waiting {} more: {why}", seconds(more)));
        left = more;
    }
    sleep(left).await;
}

/// What is left of a wait each time that it is told of again.
fn told_again(span: Duration) -> impl Iterator<Item = Duration> {
    let later = |left: Duration| left.checked_sub(AGAIN);
    successors(later(span), move |left| later(*left)).take_while(|left| *left > TOLD)
}

/// Waits until `what` is over, which takes `patience` at most, or not much longer. Told of when it takes more than a moment.
pub(crate) async fn until<T>(
    tell: impl Fn(&str),
    patience: Duration,
    why: &str,
    what: impl Future<Output = T>,
) -> T {
    tokio::pin!(what);
    let Ok(over) = timeout(TOLD, &mut what).await else {
        let left = patience.saturating_sub(TOLD);
        if left > TOLD {
            tell(&format!("waiting up to {}: {why}", seconds(left)));
        }
        // Whichever ends first
        return tokio::select! {
            over = &mut what => over,
            () = go_on(tell, left, why) => what.await,
        };
    };
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_is_told_of_every_thirty_seconds_with_what_is_left() {
        let told = |span| {
            let again = told_again(Duration::from_secs(span));
            again.map(seconds).collect::<Vec<_>>()
        };
        for short in [0, 3, 30, 32] {
            assert_eq!(told(short), [""; 0]);
        }
        assert_eq!(told(33), ["3.0 s"]);
        assert_eq!(told(100), ["1 min 10 s", "40 s", "10 s"]);
        assert_eq!(told(300).len(), 9);
    }

    #[tokio::test]
    async fn what_is_over_in_a_moment_is_waited_for_in_silence() {
        let told = |line: &str| panic!("{line}");
        wait(told, Duration::from_millis(1), "why").await;
        let over = until(told, Duration::from_secs(60), "why", async { 7 }).await;
        assert_eq!(over, 7);
    }

    #[tokio::test]
    async fn what_is_not_is_told_with_its_reason_before_anything_is_waited_for() {
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |line: &str| told.borrow_mut().push(line.to_owned());
        let long = wait(tell, Duration::from_secs(45), "the API asks for it");
        assert!(timeout(Duration::from_millis(1), long).await.is_err());
        assert_eq!(told.into_inner(), ["waiting 45 s: the API asks for it"]);
    }
}
