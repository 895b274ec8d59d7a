//! The last of what the runtime wrote: log lines.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// A list that forgets its oldest values beyond `MOST`, shared by everyone who holds a clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent<const MOST: usize>(Arc<Mutex<VecDeque<Value>>>);

impl<const MOST: usize> Recent<MOST> {
    /// Adds a value.
    pub(crate) fn push(&self, value: Value) {
        let mut values = self.0.lock();
        if values.len() == MOST {
            values.pop_front();
        }
        values.push_back(value);
    }

    /// All values that are wanted, oldest first.
    pub(crate) fn values(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let values = self.0.lock();
        let wanted = values.iter().filter(|value| wanted(value));
        wanted.cloned().collect()
    }
}

/// Workers' `console` output and the runtime's own messages, each a line of JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Recent<2000>);

impl Log {
    /// Adds a line; one that is not JSON becomes a message.
    pub(crate) fn push(&self, line: &str) {
        let value = serde_json::from_str(line);
        let message = |_| json!({"level": "info", "message": line});
        self.0.push(value.unwrap_or_else(message));
    }

    /// All lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.values(|_| true)
    }
}
