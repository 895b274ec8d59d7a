//! What became of the updates of a call.

use serde_json::{Value, json};

use super::update::Item;

/// How many updates were taken, and which were not, each with the reason.
#[derive(Debug, Default, thiserror::Error)]
#[error("{} updates went nowhere: {:?}", failed.len(), failed.first().map(|(_, why)| why))]
pub struct Report {
    pub accepted: usize,
    pub duplicate: usize,
    pub stale: usize,
    pub queued: usize,
    /// They never will be taken.
    pub refused: Vec<(Value, String)>,
    /// They may be another time.
    pub failed: Vec<(Value, String)>,
}

impl Report {
    /// Counts items with what the edge says of each.
    pub(crate) fn count(&mut self, items: &[Item], results: &[Value]) {
        for (item, result) in items.iter().zip(results) {
            let status = result["status"].as_u64().unwrap_or_default();
            let code = result["error"]["code"].as_str().unwrap_or("-");
            let of = (item.update.clone(), format!("{status} {code}"));
            match status {
                200 if result["duplicate"] == true => self.duplicate += 1,
                200 if result["stale"] == true => self.stale += 1,
                200 => self.accepted += 1,
                400 | 413 | 422 => self.refused.push(of),
                _ => self.failed.push(of),
            }
        }
    }

    /// How the edge and the queue fared with the same updates. What either has taken has not failed.
    pub(crate) fn compare(&mut self, updates: usize, queued: &Result<(), String>) -> Value {
        let took = self.accepted + self.duplicate + self.stale;
        let dual = match queued {
            Ok(()) => json!({ "both": took, "sqs_only": updates - took }),
            Err(_) => json!({ "edge_only": took, "neither": updates - took }),
        };
        if queued.is_ok() {
            self.failed.clear();
        }
        let sqs = queued.as_ref().err().map_or("", String::as_str);
        json!({ "event": "edge-broadcast.publish", "mode": "dual", "dual": dual, "sqs": sqs })
    }

    /// An error, where any update failed.
    pub(crate) fn done(self) -> Result<Self, Self> {
        match self.failed.is_empty() {
            true => Ok(self),
            false => Err(self),
        }
    }
}
