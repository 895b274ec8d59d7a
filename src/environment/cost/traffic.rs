//! What is expected of a month: who connects, and what is published.

use serde::Serialize;

/// Minutes of a month of 30 days.
const MINUTES: f64 = 30.0 * 24.0 * 60.0;
/// Hours of a day.
pub(super) const DAY: u32 = 24;

/// The load of an environment: its manifest's `[traffic]`, or what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Traffic {
    /// People who use the app on a day.
    pub users: u32,
    /// Tokens that are published to.
    pub tokens: u32,
    /// Of each token.
    pub updates_per_minute: u32,
    /// How often a user opens the app on a day.
    pub connects_per_day: u32,
    /// Rooms that a user is in at once, each by a socket.
    pub tokens_per_user: u32,
    /// Updates that a publisher sends in one request.
    pub batch: u32,
    /// Hours of a day in which updates come; in the others none does.
    pub active_hours_per_day: u32,
}

/// What is said of the load, key by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    pub users: Option<u32>,
    pub tokens: Option<u32>,
    pub updates_per_minute: Option<u32>,
    pub connects_per_day: Option<u32>,
    pub tokens_per_user: Option<u32>,
    pub batch: Option<u32>,
    pub active_hours_per_day: Option<u32>,
}

impl Said {
    /// The load, each key of which is said here, or else is that of `known`, or else has its default; none where nothing says what
    /// has no default.
    pub fn or(self, known: Option<Traffic>) -> Option<Traffic> {
        let known = |key: fn(&Traffic) -> u32| known.as_ref().map(key);
        Some(Traffic {
            users: self.users.or(known(|it| it.users))?,
            tokens: self.tokens.or(known(|it| it.tokens))?,
            updates_per_minute: self
                .updates_per_minute
                .or(known(|it| it.updates_per_minute))?,
            connects_per_day: self
                .connects_per_day
                .or(known(|it| it.connects_per_day))
                .unwrap_or(4),
            tokens_per_user: self
                .tokens_per_user
                .or(known(|it| it.tokens_per_user))
                .unwrap_or(1),
            batch: self.batch.or(known(|it| it.batch)).unwrap_or(1),
            active_hours_per_day: self
                .active_hours_per_day
                .or(known(|it| it.active_hours_per_day))
                .unwrap_or(DAY),
        })
    }
}

impl Traffic {
    /// The share of the month in which updates come.
    pub(super) fn active(&self) -> f64 {
        f64::from(self.active_hours_per_day.min(DAY)) / f64::from(DAY)
    }

    /// Whether no update comes in some hours of the day.
    pub fn rests(&self) -> bool {
        self.active_hours_per_day < DAY
    }

    /// Updates of a month.
    pub(super) fn updates(&self) -> f64 {
        f64::from(self.tokens) * f64::from(self.updates_per_minute) * MINUTES * self.active()
    }

    /// Sockets opened in a month.
    pub(super) fn connects(&self) -> f64 {
        let sockets = f64::from(self.users) * f64::from(self.tokens_per_user);
        sockets * f64::from(self.connects_per_day) * 30.0
    }

    /// How often in a month something happens at most `per_second` times a second for each token, and no more often than updates come.
    pub(super) fn at_most(&self, per_second: f64) -> f64 {
        let per_minute = f64::from(self.updates_per_minute).min(per_second * 60.0);
        f64::from(self.tokens) * per_minute * MINUTES * self.active()
    }
}
