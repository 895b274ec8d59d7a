//! Holds requests while the runtime restarts, and knows when none is under way.

use std::sync::Arc;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a request is held before it is refused.
const HOLD: Duration = Duration::from_secs(10);
/// How long a restart waits for the requests that are under way.
const DRAIN: Duration = Duration::from_secs(2);

/// A gate in front of something that can be away for a moment.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    there: watch::Sender<Option<Arc<T>>>,
    /// Has a receiver for everyone who passed and is not through yet.
    passing: watch::Sender<()>,
}

/// Permission to use what is behind the gate; a restart waits (for a while) until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<T> {
    /// What is behind the gate.
    pub there: Arc<T>,
    _counted: watch::Receiver<()>,
}

impl<T> Gate<T> {
    /// An open gate.
    pub(crate) fn new(there: T) -> Self {
        Self {
            there: watch::Sender::new(Some(Arc::new(there))),
            passing: watch::Sender::default(),
        }
    }

    /// Passes, waiting while the gate is shut; `None` after ten seconds.
    pub(crate) async fn pass(&self) -> Option<Pass<T>> {
        self.pass_where(|_| true).await
    }

    /// Passes to something else than `than`, which is of no use any more; `None` after ten seconds.
    pub(crate) async fn pass_to_another(&self, than: &Arc<T>) -> Option<Pass<T>> {
        self.pass_where(|there| !Arc::ptr_eq(there, than)).await
    }

    async fn pass_where(&self, is_wanted: impl Fn(&Arc<T>) -> bool) -> Option<Pass<T>> {
        let mut seen = self.there.subscribe();
        let passing = async {
            loop {
                // Counted before looking, so that whoever shuts the gate sees everyone who got through
                let counted = self.passing.subscribe();
                let there = seen.borrow_and_update().clone();
                if let Some(there) = there.filter(&is_wanted) {
                    return Some(Pass {
                        there,
                        _counted: counted,
                    });
                }
                drop(counted);
                seen.changed().await.ok()?;
            }
        };
        timeout(HOLD, passing).await.ok().flatten()
    }

    /// Shuts the gate. What is behind it is of no use any more, so nobody is waited for.
    pub(crate) fn slam(&self) {
        self.there.send_replace(None);
    }

    /// Shuts the gate and waits until those who passed are through, two seconds at most.
    pub(crate) async fn shut(&self) {
        self.slam();
        let _ = timeout(DRAIN, self.passing.closed()).await;
    }

    /// Opens the gate to something new.
    pub(crate) fn open(&self, there: T) {
        self.there.send_replace(Some(Arc::new(there)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_held_until_the_gate_opens_again() {
        let gate = Arc::new(Gate::new(1));
        gate.shut().await;
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await.map(|pass| *pass.there) }
        });
        tokio::task::yield_now().await;
        assert!(!held.is_finished());
        gate.open(2);
        assert_eq!(held.await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn who_found_nothing_behind_the_gate_waits_for_something_else() {
        let gate = Arc::new(Gate::new(1));
        let old = gate.pass().await.unwrap().there.clone();
        let held = tokio::spawn({
            let (gate, old) = (gate.clone(), old.clone());
            async move { gate.pass_to_another(&old).await.map(|pass| *pass.there) }
        });
        tokio::task::yield_now().await;
        gate.slam();
        tokio::task::yield_now().await;
        assert!(!held.is_finished());
        gate.open(2);
        assert_eq!(held.await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn shutting_waits_for_those_who_passed() {
        let gate = Arc::new(Gate::new(()));
        let pass = gate.pass().await.unwrap();
        let shutting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.shut().await }
        });
        tokio::task::yield_now().await;
        assert!(!shutting.is_finished());
        drop(pass);
        shutting.await.unwrap();
    }
}
