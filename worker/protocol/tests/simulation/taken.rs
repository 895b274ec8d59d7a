//! What the receipts of a room have promised: whatever was taken is sent.

use crate::law::{Held, check};
use crate::ledger::Ledger;
use crate::update::Item;
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::contract::settings::Conflate;

/// What a root has taken and not sent yet, as it waits for its window: a crash takes it along.
#[derive(Debug, Default)]
pub(crate) struct Outstanding(Vec<Taken>);

/// The updates of one receipt.
#[derive(Debug)]
pub(crate) struct Taken {
    epoch: String,
    first: u64,
    last: u64,
    /// The published objects, of which a batch may have lost some that were stale.
    markers: Vec<u64>,
    /// The key of which a later update may be sent instead.
    key: Option<String>,
}

impl Taken {
    /// What the receipt for `items` takes, in a room that conflates so.
    pub(crate) fn new(receipt: &Receipt, items: &[Item], conflate: Conflate) -> Self {
        let key = match (receipt.first_seq, items) {
            (None, [item]) if conflate == Conflate::Latest => Some(item.key.clone()),
            _ => None,
        };
        Self {
            epoch: receipt.epoch.clone(),
            first: receipt.first_seq.unwrap_or(receipt.seq),
            last: receipt.seq,
            markers: items.iter().map(|item| item.marker).collect(),
            key: key.filter(|key| !key.is_empty()),
        }
    }

    /// It was sent under the numbers of its receipt, or something later of its key was.
    pub(crate) fn is_sent(&self, ledger: &Ledger) -> Held {
        let sent = ledger.between(&self.epoch, self.first.saturating_sub(1), self.last);
        let sent: Vec<u64> = sent.map(|sent| sent.item.marker).collect();
        let mut published = self.markers.iter();
        let is_published = sent.iter().all(|one| published.any(|marker| marker == one));
        let is_whole = is_published && sent.len() as u64 == self.last + 1 - self.first;
        let mut later = ledger.between(&self.epoch, self.last, u64::MAX);
        let is_replaced = later.any(|sent| Some(&sent.item.key) == self.key.as_ref());
        check(5, is_whole || is_replaced, || {
            format!("{self:?} was taken, and {sent:?} of it is sent")
        })
    }
}

impl Outstanding {
    pub(crate) fn add(&mut self, taken: Taken) {
        self.0.push(taken);
    }

    /// A root has sent everything up to a number: nothing that was taken before has been left out.
    pub(crate) fn leave(&mut self, ledger: &Ledger, last: &Item) -> Held {
        let is_due = |taken: &mut Taken| taken.last <= last.seq;
        let mut due = self.0.extract_if(.., is_due);
        due.try_for_each(|taken| taken.is_sent(ledger))
    }

    /// Nothing waits for ever.
    pub(crate) fn is_over(&self) -> Held {
        check(5, self.0.is_empty(), || {
            format!("{:?} was taken, and is never sent", self.0)
        })
    }

    pub(crate) fn crash(&mut self) {
        self.0.clear();
    }
}
