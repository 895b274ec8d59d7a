//! The rows of one object, and those of its writes that are not durable yet.

use edge_broadcast_protocol::room::effect::Row;
use std::collections::{BTreeMap, VecDeque};

/// Rows become durable in the order of their writes; a crash keeps some of the first of them and loses the rest.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    durable: BTreeMap<Row, String>,
    pending: VecDeque<Write>,
}

#[derive(Debug)]
pub(crate) struct Write {
    change: Change,
    /// The number under which its end is told.
    pub(crate) store: Option<u32>,
}

#[derive(Debug)]
enum Change {
    Put(Row, String),
    Clear,
}

impl Storage {
    pub(crate) fn put(&mut self, row: Row, text: String, store: Option<u32>) {
        let change = Change::Put(row, text);
        self.pending.push_back(Write { change, store });
    }

    pub(crate) fn clear(&mut self) {
        let change = Change::Clear;
        self.pending.push_back(Write {
            change,
            store: None,
        });
    }

    /// The oldest write that is not durable becomes so.
    pub(crate) fn confirm(&mut self) -> Option<Write> {
        let write = self.pending.pop_front()?;
        apply(&mut self.durable, &write.change);
        Some(write)
    }

    /// The oldest write fails.
    pub(crate) fn fail(&mut self) -> Option<Write> {
        self.pending.pop_front()
    }

    /// Whether anything waits for a write.
    pub(crate) fn is_gated(&self) -> bool {
        self.pending.iter().any(|write| write.store.is_some())
    }

    pub(crate) fn pending(&self) -> u64 {
        self.pending.len() as u64
    }

    /// The rows as a program sees them: what is being written counts.
    pub(crate) fn rows(&self) -> BTreeMap<Row, String> {
        let mut rows = self.durable.clone();
        for write in &self.pending {
            apply(&mut rows, &write.change);
        }
        rows
    }

    /// Of the writes that are not durable the first `kept` survive.
    pub(crate) fn crash(&mut self, kept: u64) {
        for _ in 0..kept {
            self.confirm();
        }
        self.pending.clear();
    }
}

fn apply(rows: &mut BTreeMap<Row, String>, change: &Change) {
    match change {
        Change::Put(row, text) => {
            rows.insert(*row, text.clone());
        }
        Change::Clear => rows.clear(),
    }
}
