//! The last lines that the runtime wrote: Workers' `console` output and the runtime's own messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

const KEPT: usize = 2000;

/// A bounded list of JSON log lines, shared by everyone who holds a clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<VecDeque<Value>>>);

impl Log {
    /// Adds a line; one that is not JSON becomes a message.
    pub(crate) fn push(&self, line: &str) {
        let value = serde_json::from_str(line)
            .unwrap_or_else(|_| json!({"level": "info", "message": line}));
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(value);
    }

    /// All lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
