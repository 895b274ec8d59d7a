//! Laws about whole objects: their caps, their receipts, their rest, and what is left in the end.

use crate::host::{Host, Socket, Waiting};
use crate::law::{Held, check};
use crate::ledger::Place;
use crate::network::{Caller, Flight};
use crate::plan::{MAX_BATCH, TOKEN};
use crate::taken::Taken;
use crate::update;
use crate::world::{Answer, World, is_root};
use edge_broadcast_protocol::contract::call::{Call, Connect};
use edge_broadcast_protocol::contract::close::{Close, TOO_LOUD};
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::contract::report::Report;
use edge_broadcast_protocol::contract::save;
use edge_broadcast_protocol::room::effect::Row;
use edge_broadcast_protocol::room::event::Timer;
use edge_broadcast_protocol::room::flow::FRAMES_PER_SECOND;
use edge_broadcast_protocol::room::shard::{PUSH_AGAIN_MS, PUSH_AGAIN_TRIES};
use std::collections::BTreeMap;

impl World {
    /// A socket was opened: no cap is exceeded.
    pub(crate) fn within_caps(&mut self, name: &str, connect: &Connect) -> Held {
        let settings = &self.plan.settings;
        let (max_connections, max_shards) = (settings.max_connections, settings.max_shards);
        let host = &self.hosts[name];
        let open = host.open().count();
        check(6, open <= max_connections as usize, || {
            format!("{name} has {open} sockets of {max_connections}")
        })?;
        let tag = host.sockets.last().and_then(|socket| socket.tag.as_deref());
        let of_address = host
            .open()
            .filter(|socket| socket.tag.as_deref() == tag)
            .count();
        let most = connect.per_address as usize;
        check(6, most == 0 || of_address <= most, || {
            format!("{name} has {of_address} sockets of an address that may have {most}")
        })?;
        let serves = |(name, host): (&String, &Host)| !is_root(name) && host.open().count() > 0;
        let shards = 1 + self.hosts.iter().filter(|entry| serves(*entry)).count();
        check(6, shards <= max_shards as usize, || {
            format!("the room has {shards} objects of {max_shards}")
        })
    }

    /// Somebody got no place: nobody holds it who is silent.
    pub(crate) fn judge_refusal(&mut self, name: &str, waiting: &Waiting, code: &str) -> Held {
        let Call::Connect(connect) = &waiting.call else {
            return Ok(());
        };
        let settings = &self.plan.settings;
        let (idle_ms, most) = (
            u64::from(settings.idle_timeout_ms),
            settings.max_connections,
        );
        // What was seen before a clock stepped is worth one more idle time.
        let steps = self.plan.faults.clock_step > 0;
        let idle_ms = if steps { 2 * idle_ms } else { idle_ms };
        let host = &self.hosts[name];
        let now_ms = host.clock(self.now_ms);
        let true_ms = self.now_ms;
        let is_dead = |socket: &&&Socket| {
            let (heard_ms, alive_ms) = (socket.heard_ms(), socket.alive_ms);
            idle_ms > 0 && heard_ms + idle_ms < now_ms && alive_ms + idle_ms < true_ms
        };
        let mut open: Vec<_> = host.open().collect();
        if code == "too_many_connections" {
            let group = connect.address.as_deref().unwrap_or_default();
            let tag = edge_broadcast_protocol::room::peer::tag(name, group);
            open.retain(|socket| socket.tag.as_deref() == Some(&*tag));
        } else if open.len() < most as usize || !matches!(code, "full" | "room_full") {
            // It is refused for another reason.
            return Ok(());
        }
        let dead = open.iter().find(is_dead).copied();
        let how =
            || format!("{name} refuses a client ({code}) though {dead:?} is silent at {now_ms}");
        check(6, dead.is_none(), how)
    }

    /// Who is closed for sending too much has done so: more than what is allowed at once.
    pub(crate) fn judge_loud(&mut self, name: &str, socket: Option<u64>, close: Close) -> Held {
        if close.code != TOO_LOUD.code {
            return Ok(());
        }
        self.count("loud");
        let host = self.host(name);
        let life = host.life;
        let socket = socket.and_then(|socket| host.socket(socket));
        let frames = socket.map_or(0, |socket| {
            let heard = socket.heard.iter().filter(|(its, _)| *its == life);
            heard.count()
        });
        check(6, frames > FRAMES_PER_SECOND as usize, || {
            format!("{name} closes a socket for {frames} frames")
        })
    }

    /// Who has sent more than a full bucket and what a second brings is closed.
    pub(crate) fn is_not_too_loud(&mut self, name: &str, socket: u64) -> Held {
        let host = self.host(name);
        let (life, waits) = (host.life, !host.inbox.is_empty());
        let Some(socket) = host.socket(socket).filter(|socket| socket.is_open) else {
            return Ok(());
        };
        let most = 2 * FRAMES_PER_SECOND as usize;
        let Some(first) = socket.heard.iter().nth_back(most).copied() else {
            return Ok(());
        };
        let now = socket.heard.last().copied().unwrap_or_default();
        let is_quick = first.0 == life && (first.1..first.1 + 1000).contains(&now.1);
        check(6, waits || !is_quick, || {
            format!("{name} leaves a socket open that has sent {most} frames within a second")
        })
    }

    /// The answer to a publish counts whom it reached, and what it takes is sent, now or at the end of the window.
    pub(crate) fn judge_receipt(&mut self, name: &str, waiting: &Waiting, text: &str) -> Held {
        let Call::Publish(_) = waiting.call else {
            return Ok(());
        };
        let receipt: Receipt = serde_json::from_str(text).expect("a publish has a receipt");
        if receipt.duplicate {
            self.count("repeated");
            return Ok(());
        }
        let items = update::published(&waiting.body);
        self.slots.note(&receipt, &items);
        if receipt.stale {
            self.count("stale");
            return Ok(());
        }
        if receipt.implausible_slot {
            self.count("implausible");
        }
        self.spend(name, &receipt.epoch, receipt.seq)?;
        let taken = Taken::new(&receipt, &items, self.plan.settings.conflate);
        if receipt.batched {
            self.count("batched");
            self.outstanding.add(taken);
            return Ok(());
        }
        self.count("published");
        taken.is_sent(&self.ledger)?;
        self.ledger
            .receipt(&receipt.epoch, receipt.seq, u64::from(receipt.sockets))
    }

    /// A number was given out: as many as the rate allows, by the room's own clock.
    pub(crate) fn spend(&mut self, name: &str, epoch: &str, seq: u64) -> Held {
        let per_second = self.plan.settings.publish_rate;
        let now_ms = self.hosts[name].clock(self.now_ms);
        let rate = &mut self.host(name).rate;
        if per_second == 0 || !rate.numbers.insert((epoch.to_owned(), seq)) {
            return Ok(());
        }
        rate.refill(per_second, now_ms);
        let holds = rate.take(per_second, MAX_BATCH);
        check(6, holds, || {
            format!("number {seq} is above {per_second} a second")
        })
    }

    /// A timer keeps its object in memory, and is paid for: none is longer than what it waits for can be.
    pub(crate) fn is_short(&self, name: &str, timer: Timer, after_ms: u64) -> Held {
        let most_ms = match timer {
            Timer::Turn => 0,
            Timer::Window => u64::from(self.plan.settings.batch_window_ms),
            Timer::Save | Timer::Mark => save::INTERVAL_MS,
            Timer::Again(_) => PUSH_AGAIN_MS << (2 * (PUSH_AGAIN_TRIES - 1)),
        };
        check(8, after_ms <= most_ms, || {
            format!("{name} sets {timer:?} for {after_ms} ms, of at most {most_ms}")
        })
    }

    /// An object that nothing keeps awake waits for nothing.
    pub(crate) fn is_at_rest(&mut self, name: &str) -> Held {
        let host = &self.hosts[name];
        let held_by = host.machine.as_ref().map(crate::object::Seam::held_by);
        let held_by = held_by.unwrap_or_default();
        check(8, host.is_idle() && held_by.is_empty(), || {
            let Host {
                timers,
                asks,
                requests,
                ..
            } = host;
            format!("{name} is held by {held_by:?}, {timers:?}, {asks:?}, {requests:?}")
        })
    }

    /// Everything has come to rest: everybody has what there is, and nothing is kept that nobody needs.
    pub(crate) fn end(&mut self) -> Held {
        check(7, self.publisher.is_over(), || {
            "the last update is never taken".to_owned()
        })?;
        self.outstanding.is_over()?;
        self.slots.are_right()?;
        self.everybody_is_up_to_date()?;
        self.everything_rests()?;
        self.observe();
        self.settle()?;
        self.farewell();
        self.settle()?;
        self.observe();
        self.settle()?;
        if self.plan.publishes > 0 {
            return Ok(());
        }
        for (name, host) in &self.hosts {
            let mut rows = host.storage.rows();
            if self.is_unsaid {
                rows.remove(&Row::Shards);
            }
            check(8, rows.is_empty(), || format!("{name} has stored {rows:?}"))?;
        }
        Ok(())
    }

    fn everything_rests(&mut self) -> Held {
        let names: Vec<String> = self.hosts.keys().cloned().collect();
        names.iter().try_for_each(|name| self.is_at_rest(name))
    }

    fn everybody_is_up_to_date(&self) -> Held {
        let newest = self.ledger.newest("", 0);
        let has_all = |known: &BTreeMap<String, Place>| {
            let mut newest = newest.iter();
            newest.all(|(key, place)| known.get(key) >= Some(place))
        };
        for (name, host) in &self.hosts {
            for socket in host.open() {
                let known = &socket.reader.known;
                check(7, has_all(known), || {
                    format!("socket {} of {name} has {known:?} of {newest:?}", socket.id)
                })?;
            }
        }
        for (number, client) in self.clients.iter().enumerate() {
            let known = &client.known;
            check(7, client.reads().is_none() || has_all(known), || {
                format!("client {number} has {known:?} of {newest:?}")
            })?;
        }
        Ok(())
    }

    /// Asks the root for a report, and for the latest values.
    fn observe(&mut self) {
        let token = TOKEN.to_owned();
        let inspect = Call::Inspect {
            token: token.clone(),
            name: token.clone(),
            region: String::new(),
        };
        let snapshot = Call::Snapshot {
            token,
            if_none_match: None,
        };
        for call in [inspect, snapshot] {
            let (to, body) = (TOKEN.to_owned(), String::new());
            let from = Caller::Observer;
            self.call(Flight {
                from,
                to,
                call,
                body,
            });
        }
    }

    /// The root's report says what is the case.
    pub(crate) fn observed(&mut self, call: &Call, answer: &Answer) -> Held {
        let text = match answer {
            Answer::Json(text) => text,
            Answer::Snapshot { body: Some(body) } => return self.polled(body),
            _ => return check(7, false, || format!("{call:?} is answered with {answer:?}")),
        };
        let value = update::json(text);
        let report: Result<Report, _> = serde_json::from_str(text);
        let shards = |report: Report| -> BTreeMap<String, usize> {
            let shards = report.shards.into_iter();
            let open = |shard: Option<edge_broadcast_protocol::contract::report::Object>| {
                shard.map_or(0, |shard| shard.sockets as usize)
            };
            shards.map(|(name, shard)| (name, open(shard))).collect()
        };
        let mut known = report.map(shards).unwrap_or_default();
        if self.plan.publishes == 0 && self.is_unsaid {
            known.retain(|_, open| *open > 0);
        }
        let hosts = self.hosts.iter().filter(|(name, _)| !is_root(name));
        let hosts = hosts.map(|(name, host)| (name.clone(), host.open().count()));
        let there: BTreeMap<String, usize> = hosts.filter(|(_, open)| *open > 0).collect();
        check(7, known == there, || {
            format!("the root knows {known:?}, and there are {there:?}: {value}")
        })
    }

    /// Whoever polls gets the newest value of every key.
    fn polled(&self, body: &str) -> Held {
        let values = update::snapshot(body);
        let given: Vec<_> = values
            .iter()
            .filter_map(|item| Some((item.key.as_str(), self.ledger.place(item)?)))
            .collect();
        // What was stored before a crash, and never sent, may be newer.
        let is_given = |key: &str, newest: &Place| {
            let mut given = given.iter();
            given.any(|(its, place)| *its == key && place >= newest)
        };
        let newest = self.ledger.newest("", 0);
        check(
            3,
            newest.iter().all(|(key, place)| is_given(key, place)),
            || format!("of {newest:?} a poller gets {given:?}"),
        )
    }
}
