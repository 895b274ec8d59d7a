//! The wait before a revocation.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::slot::Slot;

use super::blocked::{Blocked, StillUsed};
use super::idle::{Evidence, LAG, Verdict, Watched};
use super::run::Rotation;
use super::uses::Counters;
use crate::terminal::progress::seconds;
use crate::terminal::wait::{go_on, wait};

impl Rotation<'_> {
    /// Waits until nobody uses `slot`, as far as the evidence goes.
    pub(super) async fn wait(&mut self, slot: Slot) -> anyhow::Result<()> {
        let horizon = self.secret().retry_horizon;
        let shown = humantime::format_duration(horizon);
        let name = slot.binding();
        match self.evidence {
            Evidence::Waived => {}
            Evidence::TimeAlone => {
                let why = format!("nobody can tell whether `{name}` is still used");
                wait(self.tell, horizon, &why).await;
                self.did(format!(
                    "waited: {shown}, without evidence that `{name}` is unused"
                ));
            }
            Evidence::Counters => {
                (self.tell)(&format!(
                    "waiting until `{name}` has not been used for {shown}"
                ));
                let counters = self.counters.clone();
                let counters = counters.with_context(|| self.advice(Blocked::NoCounters))?;
                self.watch(&counters, slot).await?;
                self.did(format!("waited: `{name}` has not been used for {shown}"));
            }
        }
        Ok(())
    }

    async fn watch(&self, counters: &Counters, slot: Slot) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut first = counters.read().await?;
        let (mut last, mut moved) = (first.of(slot).uses, began);
        loop {
            let watched = Watched {
                waited: began.elapsed(),
                idle: moved.elapsed(),
                horizon: self.secret().retry_horizon,
            };
            match Verdict::of(watched) {
                Verdict::Unused => return Ok(()),
                Verdict::Wait(pause) => {
                    let why = format!(
                        "`{}` was used {} ago",
                        slot.binding(),
                        seconds(watched.idle)
                    );
                    go_on(self.tell, pause, &why).await;
                }
                Verdict::StillUsed => {
                    let now = counters.read().await?;
                    let used = |slot| now.of(slot).uses.saturating_sub(first.of(slot).uses);
                    bail!(self.advice(Blocked::StillUsed(StillUsed {
                        slot,
                        uses: [used(slot), used(slot.other())],
                        during: began.elapsed(),
                        last: now.of(slot).last_used.map(since),
                    })));
                }
            }
            let Ok(now) = counters.read().await else {
                // What cannot be seen is no evidence
                moved = Instant::now();
                continue;
            };
            if now.of(slot).uses != last {
                (last, moved) = (now.of(slot).uses, Instant::now());
            }
            if began.elapsed() < LAG {
                // Our own probes were counted before, and are seen only now
                first = now;
            }
        }
    }
}

/// How long a time in Unix milliseconds is ago; nothing where the gateway's clock is ahead of this one.
fn since(unix_ms: u64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_millis(unix_ms);
    SystemTime::now().duration_since(then).unwrap_or_default()
}
