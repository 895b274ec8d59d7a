//! The turn of a call: when it may be sent, after [`rate_limit`] and a clock.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::credentials::{BASE, Credentials};
use super::rate_limit::{self, LONGEST_PAUSE, Leave, Pace, Wait};
use crate::terminal::progress::Progress;
use crate::terminal::wait::{TOLD, wait};

const WHY: &str = "the API allows this user no more calls before that (1200 in five minutes)";

/// The turns of this process by whom the API takes the caller for. A digest: the credential itself stays where it is.
static OF_PROCESS: LazyLock<Mutex<BTreeMap<[u8; 32], Turns>>> = LazyLock::new(Mutex::default);

/// The calls of one user to one API. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pace: Mutex<Pace>,
    answered: Notify,
    began: Instant,
    /// Until when a wait was told of.
    told: Mutex<Duration>,
}

/// A call's turn, from before it is sent until its answer is there.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    leave: Option<Leave>,
}

impl Turns {
    /// Those of whoever has these credentials at `base`, also for other clients of this process.
    pub(super) fn of(base: &str, credentials: &Credentials) -> Self {
        let mut digest = Sha256::new();
        for part in [base, "\0", credentials.secret().expose()] {
            digest.update(part);
        }
        let documented = (base == BASE).then_some(rate_limit::DOCUMENTED);
        let mut known = lock(&OF_PROCESS);
        let turns = known.entry(digest.finalize().into());
        turns
            .or_insert_with(|| Self::new(Pace::of(documented)))
            .clone()
    }

    fn new(pace: Pace) -> Self {
        Self(Arc::new(Shared {
            pace: Mutex::new(pace),
            answered: Notify::new(),
            began: Instant::now(),
            told: Mutex::default(),
        }))
    }

    /// Waits for the turn of a call; the error is how long the API still asks for silence, when that is too long to be waited for.
    pub(super) async fn wait(&self, kind: &str, progress: &Progress) -> Result<Turn, Duration> {
        loop {
            // Before it is asked: an answer in between is not missed
            let answered = self.0.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            let now = self.0.began.elapsed();
            let asked = lock(&self.0.pace).ask(kind, now);
            let until = match asked {
                Ok(leave) => {
                    let shared = Arc::clone(&self.0);
                    let leave = Some(leave);
                    return Ok(Turn { shared, leave });
                }
                Err(Wait::Answer) => {
                    answered.await;
                    continue;
                }
                Err(Wait::Blocked(until)) if until.saturating_sub(now) > LONGEST_PAUSE => {
                    return Err(until.saturating_sub(now));
                }
                Err(Wait::Blocked(until) | Wait::Until(until)) => until,
            };
            let span = until.saturating_sub(now);
            match self.is_first_to_wait(until, span) {
                true => wait(|line| progress.say(line), span, WHY).await,
                false => tokio::time::sleep(span).await,
            }
        }
    }

    /// The API refused a call and asks for silence.
    pub(super) fn block(&self, pause: Duration) {
        let until = self.0.began.elapsed().saturating_add(pause);
        lock(&self.0.pace).block(until);
    }

    /// Whether this call is the one that tells of what several wait for.
    fn is_first_to_wait(&self, until: Duration, span: Duration) -> bool {
        let mut told = lock(&self.0.told);
        let is_first = span > TOLD && until > *told + TOLD;
        if is_first {
            *told = until;
        }
        is_first
    }
}

impl Turn {
    /// An answer came.
    pub(super) fn answered(mut self, headers: &HeaderMap) {
        self.end(Some(headers));
    }

    fn end(&mut self, headers: Option<&HeaderMap>) {
        if let Some(leave) = self.leave.take() {
            let now = self.shared.began.elapsed();
            lock(&self.shared.pace).answered(leave, headers, now);
            self.shared.answered.notify_waiters();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end(None);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here stops halfway
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
