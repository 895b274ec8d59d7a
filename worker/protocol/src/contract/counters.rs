//! Counts of a room since it was made, and the cost of its month.
//!
//! Stored along with updates, and otherwise at most once a minute, after what the event had to send: what is counted
//! within a minute of the last write and before an eviction is lost. So these are figures to steer by, not to bill by.

use super::slot::Uses;
use serde::{Deserialize, Serialize};

/// Counts of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Counters {
    /// Accepted updates.
    pub publishes: u64,
    /// Repeats.
    pub duplicates: u64,
    /// Updates of an older `slot`.
    pub stale: u64,
    /// Updates whose `slot` cannot be of the room's clock.
    pub implausible_slots: u64,
    /// Updates that a newer one replaced.
    pub conflated: u64,
    /// Publishes above the room's rate.
    pub limited: u64,
    /// Frames written to sockets.
    pub deliveries: u64,
    /// Sockets whose write failed.
    pub failed_sends: u64,
    /// Sockets opened.
    pub connects: u64,
    /// Sockets gone.
    pub disconnects: u64,
    /// Connections without a place, or of an address with too many.
    pub refused_connects: u64,
    /// Sockets closed because they were silent.
    pub swept: u64,
    /// Sockets closed because they acknowledged too little.
    pub slow: u64,
    /// Sockets closed because they sent too many frames.
    pub loud: u64,
    /// Shards that failed or were late, once for each broadcast.
    pub failed_shards: u64,
    /// Times that it was started.
    pub wake_ups: u64,
    /// Accepted publishes by secret slot.
    pub slots: Uses,
    /// What is billed of its month.
    pub month: Month,
}

/// The time that counts stay in memory before they are written for their own sake.
pub const INTERVAL_MS: u64 = 60_000;

impl Counters {
    /// Adds what was counted before the stored counts were read.
    pub fn add(&mut self, other: &Self) {
        self.publishes += other.publishes;
        self.duplicates += other.duplicates;
        self.stale += other.stale;
        self.implausible_slots += other.implausible_slots;
        self.conflated += other.conflated;
        self.limited += other.limited;
        self.deliveries += other.deliveries;
        self.failed_sends += other.failed_sends;
        self.connects += other.connects;
        self.disconnects += other.disconnects;
        self.refused_connects += other.refused_connects;
        self.swept += other.swept;
        self.slow += other.slow;
        self.loud += other.loud;
        self.failed_shards += other.failed_shards;
        self.wake_ups += other.wake_ups;
        self.slots.add(&other.slots);
        self.month.add(&other.month);
    }
}

/// Billed amounts since the month began (UTC).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Month {
    /// Months since January 1970.
    number: u64,
    /// Requests to it, connects and calls of other objects included.
    pub requests: u64,
    /// Frames and closes of clients that reached it: the runtime's own answers to pings are not billed. Frames of a client
    /// that was told to go are left out.
    pub messages: u64,
    /// Rows.
    pub rows_written: u64,
    /// An estimate of the time in which it could not hibernate, in milliseconds.
    pub active_ms: u64,
}

/// Something that is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billed {
    Request,
    Message,
    Row,
    /// Milliseconds.
    Active(u64),
}

impl Month {
    /// Counts at `now_ms`; a new month starts from zero.
    pub fn count(&mut self, billed: Billed, now_ms: u64) {
        let number = month(now_ms);
        if number != self.number {
            *self = Self {
                number,
                ..Self::default()
            };
        }
        match billed {
            Billed::Request => self.requests += 1,
            Billed::Message => self.messages += 1,
            Billed::Row => self.rows_written += 1,
            Billed::Active(milliseconds) => self.active_ms += milliseconds,
        }
    }

    /// Adds another count of the same month; of two months the later one counts.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.number != other.number {
            if self.number < other.number {
                self.clone_from(other);
            }
            return;
        }
        self.requests += other.requests;
        self.messages += other.messages;
        self.rows_written += other.rows_written;
        self.active_ms += other.active_ms;
    }

    /// `2026-11`
    pub(crate) fn name(&self) -> String {
        format!("{:04}-{:02}", 1970 + self.number / 12, self.number % 12 + 1)
    }

    /// The cost of the month so far at list price, in dollars, as if nothing were included in the plan: requests
    /// $0.15/M with 20 messages for one, rows $1/M, duration $12.50 per million GB-s at 0.128 GB
    /// (<https://developers.cloudflare.com/durable-objects/platform/pricing/>).
    pub(crate) fn dollars(&self) -> f64 {
        let million = 1e6;
        let requests = self.requests as f64 + self.messages as f64 / 20.0;
        let gigabyte_seconds = self.active_ms as f64 / 1000.0 * 0.128;
        (requests * 0.15 + self.rows_written as f64 + gigabyte_seconds * 12.5) / million
    }
}

/// Months since January 1970 (UTC), by the calendar arithmetic of <https://howardhinnant.github.io/date_algorithms.html>.
fn month(now_ms: u64) -> u64 {
    let days = now_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years of this calendar start in March.
    let months = (5 * day_of_year + 2) / 153 + 2;
    (year_of_era + era * 400) * 12 + months - 1970 * 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        for (now_ms, name) in [
            (0, "1970-01"),
            (951_782_400_000, "2000-02"),
            (951_868_800_000, "2000-03"),
            (1_796_083_199_999, "2026-11"),
            (1_796_083_200_000, "2026-12"),
            (1_798_761_600_000, "2027-01"),
        ] {
            let counted = Month {
                number: month(now_ms),
                ..Month::default()
            };
            assert_eq!(counted.name(), name, "{now_ms}");
        }
    }

    #[test]
    fn a_new_month_starts_from_zero() {
        let mut month = Month::default();
        month.count(Billed::Request, 1_796_083_199_999);
        month.count(Billed::Request, 1_796_083_199_999);
        assert_eq!((month.name().as_str(), month.requests), ("2026-11", 2));
        month.count(Billed::Request, 1_796_083_200_000);
        assert_eq!((month.name().as_str(), month.requests), ("2026-12", 1));
    }

    #[test]
    fn every_count_is_added() {
        let one = |count: u64| {
            let mut text = serde_json::to_value(Counters::default()).unwrap();
            for (name, value) in text.as_object_mut().unwrap() {
                match name.as_str() {
                    "slots" => {
                        *value = serde_json::json!({ "WEBHOOK_SECRET": { "uses": count, "last_used": null } });
                    }
                    "month" => {
                        for (name, value) in value.as_object_mut().unwrap() {
                            *value = if name == "number" { 7 } else { count }.into();
                        }
                    }
                    _ => *value = count.into(),
                }
            }
            serde_json::from_value::<Counters>(text).unwrap()
        };
        let mut sum = one(2);
        sum.add(&one(3));
        assert_eq!(sum, one(5));
    }

    #[test]
    fn of_two_months_the_later_one_counts() {
        let at = |now_ms: u64| {
            let mut month = Month::default();
            month.count(Billed::Request, now_ms);
            month
        };
        let (november, december) = (at(1_796_083_199_999), at(1_796_083_200_000));
        let (mut late, mut early) = (december.clone(), november.clone());
        late.add(&november);
        early.add(&december);
        assert_eq!((&late, &early), (&december, &december));
    }

    #[test]
    fn the_estimate_is_the_price_list() {
        let mut month = Month::default();
        for _ in 0..20 {
            month.count(Billed::Message, 0);
        }
        month.count(Billed::Request, 0);
        month.count(Billed::Row, 0);
        month.count(Billed::Active(1_000_000), 0);
        assert!((month.dollars() - (2.0 * 0.15 + 1.0 + 128.0 * 12.5) / 1e6).abs() < 1e-12);
    }
}
