//! The last of what the runtime wrote and posted: log lines, data points.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// A list that forgets its oldest values, shared by everyone who holds a clone.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    values: Arc<Mutex<VecDeque<Value>>>,
    /// How many are kept.
    most: usize,
}

impl Recent {
    /// An empty list of at most so many values.
    pub(crate) fn new(most: usize) -> Self {
        let values = Arc::default();
        Self { values, most }
    }

    /// Adds a value.
    pub(crate) fn push(&self, value: Value) {
        let mut values = self.lock();
        if values.len() == self.most {
            values.pop_front();
        }
        values.push_back(value);
    }

    /// All values that are wanted, oldest first.
    pub(crate) fn values(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let values = self.lock();
        values
            .iter()
            .filter(|value| wanted(value))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Workers' `console` output and the runtime's own messages, each a line of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Log(Recent);

impl Default for Log {
    fn default() -> Self {
        Self(Recent::new(2000))
    }
}

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
