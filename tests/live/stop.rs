//! Ctrl-C, and the system's own ways to end a program: the first one ends the steps, a further one the cleaning too.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often somebody asked to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<usize>);

impl Stop {
    /// Listens from now on; the signals end nothing by themselves any more.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(0);
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let mut signals = signal(kind).context("listening for Ctrl-C")?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    sender.send_modify(|asked| *asked += 1);
                }
            });
        }
        Ok(Self(receiver))
    }

    /// How often so far.
    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Ends when somebody asked more than `times` times.
    pub(crate) async fn more_than(&self, times: usize) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked > times).await.is_err() {
            // Nobody listens any more, so nobody asks
            std::future::pending::<()>().await;
        }
    }
}
