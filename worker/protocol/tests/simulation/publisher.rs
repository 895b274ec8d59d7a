//! Those who publish: they repeat with the same id what was not answered.

use crate::law::{Held, check};
use crate::network::{Caller, Flight};
use crate::plan::{MAX_BATCH, Plan, TOKEN};
use crate::random::Random;
use crate::world::{Answer, Happening, World};
use edge_broadcast_protocol::contract::call::{Call, Publish};
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::contract::slot::Slot;

/// How often a publish is tried; the last one of a run until it is taken.
const TRIES: u32 = 6;
/// By how many slots a publisher is late at most.
const MOST_LATE: u64 = 10;
/// Milliseconds are no slots: this far from the others no room takes a slot for one of the same clock.
const OTHER_CLOCK: u64 = 1_796_000_000_000;

#[derive(Debug, Default)]
pub(crate) struct Publisher {
    pub(crate) messages: Vec<Message>,
    markers: u64,
}

/// Something to publish.
#[derive(Debug)]
pub(crate) struct Message {
    /// When it is published first, from the beginning.
    pub(crate) after_ms: u64,
    id: Option<String>,
    /// When it was signed.
    signed_ms: Option<u64>,
    body: String,
    /// The objects in it.
    pub(crate) markers: Vec<u64>,
    tries: u32,
    most_tries: u32,
    taken: Option<Receipt>,
}

impl Publisher {
    pub(crate) fn new(plan: &Plan, random: &mut Random, extra: &mut Random) -> Self {
        let mut publisher = Self::default();
        let mut at_ms = 0;
        for _ in 0..plan.publishes {
            // In bursts: the average is what the time allows, and most gaps are short.
            let average_ms = plan.troubles_ms / plan.publishes;
            at_ms += match random.between(0, 3) {
                0 => random.between(0, 3),
                1 => random.between(0, 80),
                2 => random.between(0, 1_200),
                _ => random.between(0, 3 * average_ms),
            };
            if at_ms < plan.troubles_ms {
                publisher.add(at_ms, plan, random, extra);
            }
        }
        publisher
    }

    /// Others use ids that are taken, for bodies of their own.
    pub(crate) fn reuse_ids(&mut self) {
        for at in (0..self.messages.len()).step_by(3) {
            let (after_ms, id) = (
                self.messages[at].after_ms + 400,
                self.messages[at].id.clone(),
            );
            if id.is_some() {
                self.markers += 1;
                let marker = self.markers;
                self.messages.push(Message {
                    after_ms,
                    id,
                    signed_ms: None,
                    body: format!(r#"{{"type":"TRADE","n":{marker}}}"#),
                    markers: vec![marker],
                    tries: 0,
                    most_tries: TRIES,
                    taken: None,
                });
            }
        }
    }

    /// Another message with this one's id.
    fn rival(&self, index: usize) -> Option<&Message> {
        let id = self.messages[index].id.as_ref()?;
        let mut others = self.messages.iter().enumerate();
        let rival = others.find(|(at, other)| *at != index && other.id.as_ref() == Some(id));
        Some(rival?.1)
    }

    /// Whether the room has taken what was published last.
    pub(crate) fn is_over(&self) -> bool {
        self.messages
            .last()
            .is_none_or(|message| message.taken.is_some())
    }

    fn add(&mut self, after_ms: u64, plan: &Plan, random: &mut Random, extra: &mut Random) {
        let objects = if random.between(0, 7) == 0 {
            random.between(2, MAX_BATCH.into())
        } else {
            1
        };
        let first = self.markers + 1;
        self.markers += objects;
        let slot = match random.between(0, 2) {
            0 => {
                let slot = random.between(first, first + 3);
                format!(r#","slot":{}"#, clock(slot, extra))
            }
            _ => String::new(),
        };
        // A pool only where it is part of the key, so that the simulator's own keys are the room's.
        let has_pools = plan.settings.conflate_key.len() > 1;
        let object = |marker: u64, random: &mut Random| {
            let mut members = String::new();
            let kind = random.pick(&["PRICE", "PRICE", "TRADE", "VIEWERS", ""]);
            if !kind.is_empty() {
                members += &format!(r#""type":"{kind}","#);
            }
            if has_pools && random.between(0, 1) == 0 {
                members += &format!(r#""pool":"{}","#, random.pick(&["a", "b"]));
            }
            format!("{{{members}\"n\":{marker}{slot}}}")
        };
        let body = if objects == 1 {
            object(first, random)
        } else {
            let items: Vec<String> = (first..first + objects)
                .map(|marker| object(marker, random))
                .collect();
            format!(
                r#"{{"type":"BATCH_UPDATE","updates":[{}]}}"#,
                items.join(",")
            )
        };
        self.messages.push(Message {
            after_ms,
            id: (random.between(0, 3) > 0).then(|| format!("id-{first}")),
            signed_ms: None,
            body,
            markers: (first..first + objects).collect(),
            tries: 0,
            most_tries: TRIES,
            taken: None,
        });
    }
}

/// What a publisher's clock says at about `slot`: it may be late, or another one.
fn clock(slot: u64, random: &mut Random) -> u64 {
    let slot = slot + MOST_LATE;
    match random.between(0, 7) {
        0 => slot + OTHER_CLOCK,
        1 | 2 => slot - random.between(0, MOST_LATE),
        _ => slot,
    }
}

impl World {
    /// One more publish, which is repeated until the room takes it.
    pub(crate) fn publish_last(&mut self) {
        self.publisher.markers += 1;
        let marker = self.publisher.markers;
        self.publisher.messages.push(Message {
            after_ms: 0,
            id: Some("last".to_owned()),
            signed_ms: None,
            body: format!(r#"{{"type":"PRICE","n":{marker}}}"#),
            markers: vec![marker],
            tries: 0,
            most_tries: 100,
            taken: None,
        });
        let message = self.publisher.messages.len() - 1;
        self.after(0, Happening::Publish { message });
    }

    pub(crate) fn publish(&mut self, index: usize) {
        let now_ms = self.now_ms;
        let message = &mut self.publisher.messages[index];
        message.tries += 1;
        // Every other one that has an id is signed, once for all tries.
        if message.id.is_some() && index.is_multiple_of(2) {
            message.signed_ms.get_or_insert(now_ms);
        }
        let signed_ms = message.signed_ms;
        let (id, body, attempt) = (message.id.clone(), message.body.clone(), message.tries);
        if id.is_some() {
            for marker in &message.markers {
                self.ledger.promise(*marker);
            }
        }
        let call = Call::Publish(Publish {
            token: TOKEN.to_owned(),
            slot: Slot::Primary,
            id,
            force: false,
            signed_ms,
        });
        let from = Caller::Publisher {
            message: index,
            attempt,
        };
        let to = TOKEN.to_owned();
        self.call(Flight {
            from,
            to,
            call,
            body,
        });
    }

    /// A publisher is answered.
    pub(crate) fn receipt(&mut self, index: usize, attempt: u32, answer: &Answer) -> Held {
        if let Answer::Refused {
            code: "id_reused", ..
        } = answer
        {
            self.count("reused");
        }
        let rival = self.publisher.rival(index);
        let (has_rival, rival) = (rival.is_some(), rival.and_then(|rival| rival.taken.clone()));
        let message = &mut self.publisher.messages[index];
        match answer {
            Answer::Json(text) => {
                let receipt: Receipt = serde_json::from_str(text).expect("it is a receipt");
                // What is stale has no number of its own, and its id goes with the memory of the root.
                let lost = |taken: &Receipt| match taken.stale {
                    true => self.ledger.has_crashed(),
                    false => self.ledger.is_unsure(&taken.epoch, taken.seq),
                };
                if let Some(rival) = &rival
                    && !lost(rival)
                    && !lost(&receipt)
                {
                    return check(9, false, || format!("an id has {rival:?} and {receipt:?}"));
                }
                if let Some(taken) = &message.taken
                    && message.id.is_some()
                    && !receipt.stale
                    && !lost(taken)
                {
                    let same = (taken.seq, &taken.epoch) == (receipt.seq, &receipt.epoch);
                    check(9, same, || format!("{taken:?}, and then {receipt:?}"))?;
                }
                message.taken = Some(receipt);
                self.count("taken");
            }
            Answer::Refused { status, code } if *status < 429 => {
                let is_due = match *code {
                    "id_reused" => has_rival,
                    // The id is known for longer than any run lasts, but for what a crash takes.
                    "stale_signature" => message.signed_ms.is_some() && self.ledger.has_crashed(),
                    _ => false,
                };
                check(9, is_due, || format!("{message:?} is refused: {code}"))?;
            }
            _ if attempt < message.tries || message.tries >= message.most_tries => {}
            Answer::Failed if message.id.is_none() => {}
            _ => {
                let after_ms = self.random.between(100, 4_000);
                self.after(after_ms, Happening::Publish { message: index });
            }
        }
        Ok(())
    }
}
