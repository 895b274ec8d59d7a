//! What must hold at every moment of every run. Each law has a number, which `docs/architecture.md` explains.

use crate::ledger::{Ledger, Place, Sent};
use crate::update::{Greeting, Item};
use edge_broadcast_protocol::contract::call::Connect;
use std::collections::BTreeMap;

/// A law that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) law: u8,
    pub(crate) how: String,
}

pub(crate) type Held = Result<(), Violation>;

/// The laws by their numbers.
pub(crate) const LAWS: [&str; 11] = [
    "no event panics",
    "no number means two updates within an epoch",
    "whoever is told `recovered:true` has every retained update once and in order, and an open socket misses none",
    "whoever is told `recovered:false` gets all that the room still knows and the newest value of every key",
    "nobody is sent anything twice without a reconnect, and numbers only rise on a socket",
    "what a receipt takes is sent, or something later of its key is, what it calls stale is, and it counts no socket that was not written to",
    "no cap is exceeded, and none is held by the dead",
    "registry and shards agree once the network is quiet, and every open socket has the newest value of every key",
    "an idle room has no timer, no timer is longer than what it waits for, and one in which nothing was published has stored nothing",
    "a repeat is not delivered again while its id is promised to be known, nor an id taken for another body",
    "a client ahead of what survived is told `behind` and gets nothing older than what it has",
];

/// Breaks `law` unless `holds`.
pub(crate) fn check(law: u8, holds: bool, how: impl FnOnce() -> String) -> Held {
    if holds {
        return Ok(());
    }
    Err(Violation { law, how: how() })
}

/// What one socket has been sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    /// The newest update of each key that its client has, by its place in the ledger.
    pub(crate) known: BTreeMap<String, Place>,
    /// The newest update that its client had when it came back ahead of the room.
    ahead: Option<Place>,
    server: Server,
}

/// Who serves a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    /// It has all that was ever sent, and writes it: a write that fails ends the socket.
    Root,
    /// It may lose what its root has forgotten since.
    #[default]
    Shard,
}

impl Reader {
    /// A socket that is greeted, and sent what was `retained`; its client had `known` before.
    pub(crate) fn greeted(
        ledger: &mut Ledger,
        connect: &Connect,
        known: &BTreeMap<String, Place>,
        greeting: &Greeting,
        retained: &[Item],
        history: Option<u32>,
    ) -> Result<Self, Violation> {
        for item in greeting.values.iter().chain(retained) {
            ledger.saw(item)?;
        }
        in_order(ledger, greeting, retained)?;
        // Where the room stands: what follows a greeting may bring its client there only.
        let stands = retained.last().map_or(greeting.seq, |item| item.seq);
        let stands = stands.max(greeting.seq);
        let mut reader = Self {
            epoch: greeting.epoch.clone(),
            seq: stands,
            server: history.map_or(Server::Shard, |_| Server::Root),
            ..Self::default()
        };
        let ahead = is_ahead(ledger, connect, &greeting.epoch, stands);
        let how = || {
            format!(
                "since {:?} of {:?}: {greeting:?}",
                connect.since, connect.epoch
            )
        };
        check(10, ahead != Some(!greeting.behind), how)?;
        if greeting.behind {
            reader.ahead = last(ledger, connect);
            for item in greeting.values.iter().chain(retained) {
                reader.is_newer(ledger, item)?;
            }
        }
        if greeting.recovered {
            recovered(ledger, connect, greeting, retained)?;
        } else if !greeting.behind {
            complete(ledger, connect, greeting, retained, stands, history)?;
        }
        if greeting.recovered || greeting.behind {
            reader.known.clone_from(known);
        }
        for item in greeting.values.iter().chain(retained) {
            reader.learns(ledger, item);
        }
        Ok(reader)
    }

    /// The socket is sent one more update.
    pub(crate) fn sent(&mut self, ledger: &Ledger, item: &Item) -> Held {
        self.is_newer(ledger, item)?;
        let since = if item.epoch == self.epoch {
            let how = || format!("number {} after {} of `{}`", item.seq, self.seq, item.epoch);
            check(4, item.seq > self.seq, how)?;
            self.seq
        } else {
            let how = || format!("epoch `{}` after `{}`", item.epoch, self.epoch);
            check(4, ledger.is_later(&item.epoch, &self.epoch), how)?;
            0
        };
        let between = ledger.between(&item.epoch, since, item.seq - 1);
        let has_all = self.server == Server::Root;
        let is_due = |sent: &&Sent| !sent.lost && (has_all || ledger.is_retained(&sent.item));
        let missed = between.filter(is_due);
        let missed: Vec<u64> = missed.map(|sent| sent.item.seq).collect();
        let how = || {
            format!(
                "{missed:?} of `{}` between {since} and {}",
                item.epoch, item.seq
            )
        };
        check(2, missed.is_empty(), how)?;
        self.epoch.clone_from(&item.epoch);
        self.seq = item.seq;
        self.learns(ledger, item);
        Ok(())
    }

    fn is_newer(&self, ledger: &Ledger, item: &Item) -> Held {
        let how = || {
            format!(
                "{} of `{}` is older than what the client has",
                item.seq, item.epoch
            )
        };
        check(
            10,
            self.ahead
                .is_none_or(|ahead| ledger.place(item) > Some(ahead)),
            how,
        )
    }

    fn learns(&mut self, ledger: &Ledger, item: &Item) {
        if let Some(place) = ledger.place(item) {
            let known = self.known.entry(item.key.clone()).or_default();
            *known = place.max(*known);
        }
    }
}

/// Values and what follows them are in order, and nothing is there twice.
fn in_order(ledger: &Ledger, greeting: &Greeting, retained: &[Item]) -> Held {
    let places = |items: &[Item]| -> Vec<Option<Place>> {
        items.iter().map(|item| ledger.place(item)).collect()
    };
    let (values, frames) = (places(&greeting.values), places(retained));
    let rises = |places: &[Option<Place>]| places.is_sorted_by(|one, next| one < next);
    let disjoint = values.iter().all(|place| !frames.contains(place));
    let current = retained.iter().all(|item| item.epoch == greeting.epoch);
    let how = || format!("{greeting:?}, then {retained:?}");
    check(
        4,
        rises(&values) && rises(&frames) && disjoint && current,
        how,
    )
}

/// Whether the client has more than the room; `None` where that cannot be told.
fn is_ahead(ledger: &Ledger, connect: &Connect, current: &str, stands: u64) -> Option<bool> {
    let (since, epoch) = (connect.since?, connect.epoch.as_deref()?);
    if epoch == current {
        return Some(since > stands);
    }
    let lost = last(ledger, connect).is_some_and(|place| ledger.sent[&place].lost);
    // Which of the epochs before it a stream remembers is its own affair.
    (!lost).then_some(false)
}

/// The last update that a client has, as it says.
fn last(ledger: &Ledger, connect: &Connect) -> Option<Place> {
    let (since, epoch) = (connect.since?, connect.epoch.as_deref()?);
    let sent = ledger.between(epoch, 0, since).last()?;
    ledger.place(&sent.item)
}

/// `recovered:true` is the truth.
fn recovered(ledger: &Ledger, connect: &Connect, greeting: &Greeting, retained: &[Item]) -> Held {
    let since = connect.since.unwrap_or_default();
    let same = connect.epoch.as_deref() == Some(&greeting.epoch);
    let how = || format!("since {since} of {:?}: {greeting:?}", connect.epoch);
    check(2, same && greeting.values.is_empty(), how)?;
    let has = |seq: u64| retained.iter().any(|item| item.seq == seq);
    let missing = ledger
        .between(&greeting.epoch, since, greeting.seq)
        .find(|sent| !sent.lost && !has(sent.item.seq));
    let how = || format!("since {since}, {missing:?} is missing of {greeting:?}, {retained:?}");
    check(2, missing.is_none(), how)?;
    let older = retained.iter().find(|item| item.seq <= since);
    check(4, older.is_none(), || format!("since {since}, {older:?}"))
}

/// `recovered:false` comes with all that there is. `history` is how many updates this object keeps, where that is certain: in a root.
fn complete(
    ledger: &Ledger,
    connect: &Connect,
    greeting: &Greeting,
    retained: &[Item],
    stands: u64,
    history: Option<u32>,
) -> Held {
    for (key, newest) in ledger.newest(&greeting.epoch, stands) {
        let given = greeting.values.iter().chain(retained);
        let given = given.filter(|item| item.key == key);
        let given = given.filter_map(|item| ledger.place(item)).max();
        let how = || {
            let newest = &ledger.sent[&newest];
            format!("of key `{key}` the newest is {newest:?}: {greeting:?}, {retained:?}")
        };
        check(3, given >= Some(newest), how)?;
    }
    if connect.since.is_none() {
        return Ok(());
    }
    let first = retained.first().map_or(stands, |item| item.seq - 1);
    let expected: Vec<u64> = ledger
        .between(&greeting.epoch, 0, stands)
        .filter(|sent| !sent.lost)
        .map(|sent| sent.item.seq)
        .collect();
    let has = |seq: u64| retained.iter().any(|item| item.seq == seq);
    let from = history.map_or(expected.len(), |history| {
        expected.len().saturating_sub(history as usize)
    });
    let missing = |(index, seq): (usize, &u64)| (index >= from || *seq > first) && !has(*seq);
    let missing = expected.iter().enumerate().find(|entry| missing(*entry));
    let how = || format!("{missing:?} of {expected:?} is missing: {greeting:?}, {retained:?}");
    check(3, missing.is_none(), how)
}
