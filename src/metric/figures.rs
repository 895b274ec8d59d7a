//! Figures, as they are read from the rows of answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// One row of an answer, by column.
pub(crate) type Row = Map<String, Value>;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// Sockets that were opened, and closed.
    pub(crate) connects: u64,
    pub(crate) disconnects: u64,
    /// Clients that the gateway handed over to an object.
    pub(crate) handshakes: u64,
    /// Publishes that were accepted.
    pub(crate) publishes: u64,
    /// Frames that a room sent, and the sockets that got them.
    pub(crate) broadcasts: u64,
    pub(crate) deliveries: u64,
    /// Frames that not every object took, and how many objects did not.
    pub(crate) partial: u64,
    pub(crate) missed: u64,
    /// Requests that were refused: for what they are, or since something failed.
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) broadcast_ms: Quantiles,
    pub(crate) publish_ms: Quantiles,
}

/// Milliseconds; none where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
}

/// A number, which Analytics Engine writes as a text where it has 64 bits.
pub(crate) fn number(row: &Row, column: &str) -> f64 {
    match row.get(column) {
        Some(Value::Number(number)) => number.as_f64().unwrap_or_default(),
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        _ => 0.0,
    }
}

/// The same as a count.
pub(crate) fn count(row: &Row, column: &str) -> u64 {
    number(row, column).max(0.0).round() as u64
}

/// A text; empty where there is none.
pub(crate) fn text(row: &Row, column: &str) -> String {
    let text = row.get(column).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Figures by key, from the answers to [`super::question::events`] and, for broadcasts and publishes,
/// [`super::question::milliseconds`].
pub(crate) fn by_key(
    events: &[Row],
    broadcasts: &[Row],
    publishes: &[Row],
) -> BTreeMap<String, Figures> {
    let mut all: BTreeMap<String, Figures> = BTreeMap::new();
    for row in events {
        all.entry(text(row, "key")).or_default().add(row);
    }
    for row in broadcasts {
        all.entry(text(row, "key")).or_default().broadcast_ms = quantiles(row);
    }
    for row in publishes {
        all.entry(text(row, "key")).or_default().publish_ms = quantiles(row);
    }
    all
}

fn quantiles(row: &Row) -> Quantiles {
    let quantile = |column: &str| row.get(column).map(|_| number(row, column));
    Quantiles {
        p50: quantile("p50"),
        p99: quantile("p99"),
    }
}

impl Figures {
    /// Counts one kind of event with one outcome.
    fn add(&mut self, row: &Row) {
        let (events, outcome) = (count(row, "events"), text(row, "outcome"));
        match text(row, "event").as_str() {
            "connect" => self.connects += events,
            "disconnect" => self.disconnects += events,
            "handshake" => self.handshakes += events,
            "publish" => self.publishes += events,
            "broadcast" => {
                self.broadcasts += events;
                self.deliveries += count(row, "count");
                self.missed += count(row, "missed");
                if outcome == "partial" {
                    self.partial += events;
                }
            }
            "refusal" if outcome == "failed" => self.failed += events,
            "refusal" => self.refused += events,
            // Written by a newer version
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(rows: &Value) -> Vec<Row> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row.as_object().unwrap().clone()).collect()
    }

    #[test]
    fn events_become_figures_by_their_kind_and_outcome() {
        let events = rows(&json!([
            {"key": "v1", "event": "broadcast", "outcome": "ok", "events": "2", "count": 40, "missed": 0},
            {"key": "v1", "event": "broadcast", "outcome": "partial", "events": "1", "count": 10, "missed": 2},
            {"key": "v1", "event": "refusal", "outcome": "refused", "events": 3, "count": 3, "missed": 0},
            {"key": "v2", "event": "refusal", "outcome": "failed", "events": "4", "count": 4, "missed": 0},
            {"key": "v2", "event": "not yet known", "outcome": "ok", "events": "4", "count": 4, "missed": 0},
        ]));
        let milliseconds = rows(&json!([{"key": "v1", "p50": 2, "p99": 40.5}]));
        let all = by_key(&events, &milliseconds, &[]);
        let v1 = Figures {
            broadcasts: 3,
            deliveries: 50,
            partial: 1,
            missed: 2,
            refused: 3,
            broadcast_ms: Quantiles {
                p50: Some(2.0),
                p99: Some(40.5),
            },
            ..Figures::default()
        };
        let v2 = Figures {
            failed: 4,
            ..Figures::default()
        };
        assert_eq!(all, [("v1".to_owned(), v1), ("v2".to_owned(), v2)].into());
    }
}
