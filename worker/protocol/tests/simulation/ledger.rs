//! The truth about a run, which no object knows: every update that a root has sent, in order.

use crate::law::{Held, Reader, check};
use crate::update::Item;
use std::collections::{BTreeMap, BTreeSet};

/// The place of an update among all of a run: how many epochs came before its own, and its number.
pub(crate) type Place = (usize, u64);

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) sent: BTreeMap<Place, Sent>,
    /// Epochs, older first.
    epochs: Vec<String>,
    /// Published objects that have an id, and where they were sent.
    with_id: BTreeMap<u64, Vec<Place>>,
    /// The sockets that each update was written to.
    written: BTreeMap<Place, BTreeSet<u64>>,
    /// How often a root has crashed.
    crashes: u32,
    /// How many updates a room keeps for those who come back.
    history: u32,
}

/// An update that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) item: Item,
    /// A crash took it from the root before it was stored: who has it keeps it, and who has not cannot get it.
    pub(crate) lost: bool,
    /// A crash took it from the history: it is known as the newest of its key, or not at all.
    forgotten: bool,
}

impl Ledger {
    pub(crate) fn new(history: u32) -> Self {
        Self {
            history,
            ..Self::default()
        }
    }

    /// A root is started: its own epoch, if it needs one, comes after all others.
    pub(crate) fn begins(&mut self, epoch: &str) {
        self.epochs.push(epoch.to_owned());
    }

    /// A published object is to be sent once.
    pub(crate) fn promise(&mut self, marker: u64) {
        self.with_id.entry(marker).or_default();
    }

    /// An update was seen somewhere.
    pub(crate) fn saw(&mut self, item: &Item) -> Held {
        if let Some(before) = self.place(item).and_then(|place| self.sent.get(&place)) {
            let before = &before.item;
            let how = || format!("{} of `{}`: {before:?} and {item:?}", item.seq, item.epoch);
            return check(1, before.text == item.text, how);
        }
        if !self.epochs.contains(&item.epoch) {
            self.epochs.push(item.epoch.clone());
        }
        let place = (self.epochs.len() - 1, item.seq);
        let place = self.place(item).unwrap_or(place);
        let mut twice = None;
        if let Some(places) = self.with_id.get_mut(&item.marker) {
            let sent = &self.sent;
            twice = places.iter().find(|place| !sent[*place].lost).copied();
            places.push(place);
        }
        let sent = Sent {
            item: item.clone(),
            lost: false,
            forgotten: false,
        };
        self.sent.insert(place, sent);
        let how = || {
            format!(
                "{:?} and again {item:?}",
                twice.map(|place| &self.sent[&place])
            )
        };
        check(9, twice.is_none(), how)
    }

    /// An update was written to a socket.
    pub(crate) fn wrote(&mut self, item: &Item, socket: u64) {
        if let Some(place) = self.place(item) {
            self.written.entry(place).or_default().insert(socket);
        }
    }

    /// A socket was told a state that includes all that was sent before it.
    pub(crate) fn told(&mut self, reader: &Reader, socket: u64) {
        let Some(age) = self.age(&reader.epoch) else {
            return;
        };
        for (place, _) in self.sent.range((age, 0)..=(age, reader.seq)) {
            self.written.entry(*place).or_default().insert(socket);
        }
    }

    /// A receipt says that update `seq` of `epoch` was written to `sockets` sockets. What came after it counts where it is
    /// not kept itself any more.
    pub(crate) fn receipt(&self, epoch: &str, seq: u64, sockets: u64) -> Held {
        let age = self.age(epoch).unwrap_or(usize::MAX);
        let sent = self.sent.get(&(age, seq));
        let is_kept = sent.is_some_and(|sent| self.is_retained(&sent.item));
        let last = if is_kept { seq } else { u64::MAX };
        let written = self.written.range((age, seq)..=(age, last));
        let written: BTreeSet<u64> = written
            .flat_map(|(_, sockets)| sockets.iter().copied())
            .collect();
        let how = || {
            format!(
                "{sockets} sockets for number {seq}, written to {}",
                written.len()
            )
        };
        check(5, sockets <= written.len() as u64, how)
    }

    /// A root has crashed: of what it sent, that up to `seq` of `epoch` survives, where it is exact with its history.
    pub(crate) fn crashed(&mut self, survives: Option<(&str, u64, bool)>) {
        self.crashes += 1;
        let kept = survives.and_then(|(epoch, seq, exact)| Some(((self.age(epoch)?, seq), exact)));
        for (place, sent) in &mut self.sent {
            sent.lost |= kept.is_none_or(|(last, _)| *place > last);
            sent.forgotten |= kept.is_none_or(|(_, exact)| !exact);
        }
    }

    /// Whether an update is one of the newest of its epoch, of which a room keeps so many.
    pub(crate) fn is_retained(&self, item: &Item) -> bool {
        let place = self.place(item);
        let is_kept = place.is_some_and(|place| !self.sent[&place].forgotten);
        let later = self.between(&item.epoch, item.seq, u64::MAX);
        let later = later.filter(|sent| !sent.lost).count();
        is_kept && later < self.history as usize
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.crashes > 0
    }

    /// Whether a crash may have taken this number from the root.
    pub(crate) fn is_unsure(&self, epoch: &str, seq: u64) -> bool {
        let place = self.age(epoch).map(|age| (age, seq));
        let sent = place.and_then(|place| self.sent.get(&place));
        sent.map_or(self.crashes > 0, |sent| sent.lost)
    }

    pub(crate) fn place(&self, item: &Item) -> Option<Place> {
        Some((self.age(&item.epoch)?, item.seq))
    }

    /// What was sent with numbers of `epoch` above `since` and up to `last`, in order.
    pub(crate) fn between(
        &self,
        epoch: &str,
        since: u64,
        last: u64,
    ) -> impl Iterator<Item = &Sent> {
        let age = self.age(epoch).filter(|_| since < last);
        let range = age.map(|age| self.sent.range((age, since + 1)..=(age, last)));
        range.into_iter().flatten().map(|(_, sent)| sent)
    }

    /// The newest update of each key that a room knows whose last number is `seq` of `epoch`; an epoch of which nobody has
    /// seen an update comes after all others.
    pub(crate) fn newest(&self, epoch: &str, seq: u64) -> BTreeMap<String, Place> {
        let last = self.age(epoch).map_or((usize::MAX, 0), |age| (age, seq));
        let known = self.sent.range(..=last).filter(|(_, sent)| !sent.lost);
        known
            .map(|(place, sent)| (sent.item.key.clone(), *place))
            .collect()
    }

    pub(crate) fn is_later(&self, epoch: &str, other: &str) -> bool {
        self.age(epoch) > self.age(other)
    }

    fn age(&self, epoch: &str) -> Option<usize> {
        self.epochs.iter().position(|known| known == epoch)
    }
}
