//! What a command must still send when it ends, also when Ctrl-C has dropped it: `Drop` begins it, for nothing can be awaited there,
//! and [`wait`] is the last thing that the program does.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::terminal::output;

/// What is under way, in words, by number.
static UNDER_WAY: Mutex<BTreeMap<u64, String>> = Mutex::new(BTreeMap::new());
static OVER: Notify = Notify::const_new();

/// Shorter than the grace after which Ctrl-C ends the process ([`super::interrupt`]).
const PATIENCE: Duration = Duration::from_secs(2);

/// One of those that are under way.
struct Begun(u64);

impl Begun {
    fn new(what: String) -> Self {
        let mut under_way = under_way();
        let number = under_way
            .last_key_value()
            .map_or(0, |(number, _)| number + 1);
        under_way.insert(number, what);
        Self(number)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        under_way().remove(&self.0);
        OVER.notify_waiters();
    }
}

fn under_way() -> MutexGuard<'static, BTreeMap<u64, String>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins `task`, which is `what` to people, and which goes on when nobody waits for it any more. What it gives is then dropped before it
/// counts as over: so that drop may begin another one.
pub(crate) fn begin<T: Send + 'static>(
    what: String,
    task: impl Future<Output = T> + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    let begun = Begun::new(what);
    tokio::spawn(async move {
        let given = task.await;
        drop(sender.send(given));
        drop(begun);
    });
    receiver
}

/// Waits until all are over, but not for long, and tells which are not.
pub async fn wait() {
    let over = async {
        loop {
            let next = OVER.notified();
            if under_way().is_empty() {
                return;
            }
            next.await;
        }
    };
    if timeout(PATIENCE, over).await.is_err() {
        for what in under_way().values() {
            output::tell(&format!("{what} was not over at the end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Begins its own end, as something that must be closed does.
    struct Open(Arc<AtomicUsize>);

    impl Drop for Open {
        fn drop(&mut self) {
            let closed = Arc::clone(&self.0);
            drop(begin("closing".to_owned(), async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                closed.fetch_add(1, Ordering::SeqCst);
            }));
        }
    }

    #[tokio::test]
    async fn what_was_dropped_before_it_was_open_is_opened_and_closed_before_the_end() {
        let closed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&closed);
        let opening = begin("opening".to_owned(), async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Open(count)
        });
        drop(opening);
        wait().await;
        assert_eq!(closed.load(Ordering::SeqCst), 1);
        // And what was taken is open until it is dropped
        let count = Arc::clone(&closed);
        let open = begin("opening".to_owned(), async { Open(count) }).await;
        assert_eq!(closed.load(Ordering::SeqCst), 1);
        drop(open);
        wait().await;
        assert_eq!(closed.load(Ordering::SeqCst), 2);
    }
}
