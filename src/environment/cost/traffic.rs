//! What is expected of a month: who connects, and what is published.

use serde::Serialize;

/// Minutes of a month of 30 days.
const MINUTES: f64 = 30.0 * 24.0 * 60.0;

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
}

impl Traffic {
    /// Opens the app on a day, where a manifest does not say.
    pub const CONNECTS_PER_DAY: u32 = 4;

    /// Updates of a month.
    pub(super) fn updates(&self) -> f64 {
        f64::from(self.tokens) * f64::from(self.updates_per_minute) * MINUTES
    }

    /// Sockets opened in a month.
    pub(super) fn connects(&self) -> f64 {
        let sockets = f64::from(self.users) * f64::from(self.tokens_per_user);
        sockets * f64::from(self.connects_per_day) * 30.0
    }

    /// How often in a month something happens at most `per_second` times a second for each token, and no more often than updates come.
    pub(super) fn at_most(&self, per_second: f64) -> f64 {
        let per_minute = f64::from(self.updates_per_minute).min(per_second * 60.0);
        f64::from(self.tokens) * per_minute * MINUTES
    }
}
