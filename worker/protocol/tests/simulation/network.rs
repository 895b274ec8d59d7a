//! Calls and their answers on their way: late, lost, repeated, and in order only between the same two.

use crate::client::Attempt;
use crate::host::{Arrival, Waiting};
use crate::law::Held;
use crate::world::{Answer, Happening, World};
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::room::event::{Event, Incoming};
use edge_broadcast_protocol::room::shard::SHARD_TIME_LIMIT_MS;
use std::collections::BTreeMap;

/// The time after which a call whose object is gone is known to have failed; some are only noticed by their time limit.
const MOST_FAILING_MS: u64 = 300;

#[derive(Debug, Default)]
pub(crate) struct Network {
    /// When the last call from one to another arrives: the next one does not overtake it.
    arrivals: BTreeMap<(String, String), u64>,
}

/// A call, from when it is made until its caller has an answer.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) from: Caller,
    pub(crate) to: String,
    pub(crate) call: Call,
    pub(crate) body: String,
}

/// Whoever has made a call.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Client(Attempt),
    Publisher {
        message: usize,
        attempt: u32,
    },
    Object {
        name: String,
        life: u32,
        ask: u32,
        index: usize,
    },
    /// The test itself, which wants a report.
    Observer,
}

impl Caller {
    fn name(&self) -> String {
        match self {
            Self::Object { name, .. } => name.clone(),
            Self::Client(_) | Self::Publisher { .. } | Self::Observer => "gateway".to_owned(),
        }
    }
}

/// Whether a call may arrive twice: a client's upgrade is one connection, and a publish without an id is one publish each
/// time.
fn may_repeat(call: &Call) -> bool {
    match call {
        Call::Connect(_) => false,
        Call::Publish(call) => call.id.is_some(),
        _ => true,
    }
}

impl World {
    /// A call leaves. It always ends: by an answer, a failure, or its time limit.
    pub(crate) fn call(&mut self, flight: Flight) {
        let number = self.number();
        let pair = (flight.from.name(), flight.to.clone());
        let at_ms = self.now_ms + self.delay();
        let last = self.network.arrivals.entry(pair).or_default();
        let at_ms = at_ms.max(*last);
        *last = at_ms;
        if may_repeat(&flight.call) && self.fails(|faults| faults.repeated_call) {
            let after_ms = at_ms - self.now_ms + self.delay() + self.delay();
            // A call that takes longer is given up by its caller.
            let after_ms = after_ms.min(SHARD_TIME_LIMIT_MS - 1);
            let flight = Box::new(flight.clone());
            self.after(
                after_ms,
                Happening::Call {
                    flight,
                    number: None,
                },
            );
        }
        let limit_ms = match flight.from {
            Caller::Object { .. } => SHARD_TIME_LIMIT_MS,
            _ => self.random.between(3_000, 15_000),
        };
        let late = Happening::Answer {
            flight: number,
            answer: Answer::Failed,
        };
        self.after(limit_ms, late);
        self.flights.insert(number, flight.clone());
        if self.fails(|faults| faults.lost_call) {
            self.tell(|_| {
                format!(
                    "{} -> {}: {} is lost",
                    flight.from.name(),
                    flight.to,
                    flight.call.name()
                )
            });
            self.fail(number);
            return;
        }
        let (number, flight) = (Some(number), Box::new(flight));
        self.at(at_ms, Happening::Call { flight, number });
    }

    /// A call reaches its object.
    pub(crate) fn called(&mut self, flight: Flight, number: Option<u64>) -> Held {
        let request = u32::try_from(self.number()).unwrap_or_default();
        let known = match &flight.from {
            Caller::Client(attempt) => attempt.known.clone(),
            _ => BTreeMap::new(),
        };
        let Flight {
            from,
            to,
            call,
            body,
        } = flight;
        let random = format!("socket-{request}");
        self.tell(|_| {
            let again = if number.is_none() { " (repeated)" } else { "" };
            format!("{} -> {to}: {call:?} {body}{again}", from.name())
        });
        let waiting = Waiting {
            flight: number,
            call: call.clone(),
            body: body.clone(),
            known,
        };
        self.host(&to).requests.insert(request, waiting);
        let event = Event::Call(Incoming {
            request,
            call,
            body,
            random,
        });
        self.deliver(
            &to,
            Arrival {
                event,
                socket: None,
            },
        )
    }

    /// An object has answered.
    pub(crate) fn answer(&mut self, flight: u64, answer: Answer) {
        if self.fails(|faults| faults.lost_answer) {
            self.tell(|_| format!("an answer is lost: {answer:?}"));
            if let Answer::Socket(socket) = answer {
                self.orphan(socket);
            }
            self.fail(flight);
            return;
        }
        let after_ms = self.delay();
        self.after(after_ms, Happening::Answer { flight, answer });
    }

    /// A call has no answer: its caller learns that, or waits until its time is up.
    pub(crate) fn fail(&mut self, flight: u64) {
        if self.random.happens(500) {
            let after_ms = self.random.between(0, MOST_FAILING_MS);
            let answer = Answer::Failed;
            self.after(after_ms, Happening::Answer { flight, answer });
        }
    }

    /// An answer reaches whoever has called; only the first of several counts.
    pub(crate) fn answered(&mut self, flight: u64, answer: Answer) -> Held {
        let Some(flight) = self.flights.remove(&flight) else {
            if let Answer::Socket(socket) = answer {
                self.orphan(socket);
            }
            return Ok(());
        };
        self.tell(|_| {
            format!(
                "{} -> {}: {answer:?} to {}",
                flight.to,
                flight.from.name(),
                flight.call.name()
            )
        });
        let is_heard = matches!(answer, Answer::Json(_));
        self.is_unsaid |=
            matches!(flight.call, Call::Leave { .. } | Call::Join { .. }) && !is_heard;
        match flight.from {
            Caller::Client(attempt) => {
                self.connected(attempt, &answer);
                Ok(())
            }
            Caller::Publisher { message, attempt } => self.receipt(message, attempt, &answer),
            Caller::Observer => self.observed(&flight.call, &answer),
            Caller::Object {
                name,
                life,
                ask,
                index,
            } => {
                let text = match answer {
                    Answer::Json(text) => Some(text),
                    _ => None,
                };
                self.told(&name, life, ask, index, text)
            }
        }
    }

    /// One of the objects that were asked has answered.
    fn told(
        &mut self,
        name: &str,
        life: u32,
        ask: u32,
        index: usize,
        text: Option<String>,
    ) -> Held {
        let host = self.host(name);
        if host.life != life {
            return Ok(());
        }
        let Some(question) = host.asks.get_mut(&ask) else {
            return Ok(());
        };
        question.answers[index] = text;
        question.missing -= 1;
        if question.missing > 0 {
            return Ok(());
        }
        let answers = host.asks.remove(&ask).map(|question| question.answers);
        let event = Event::Answered {
            ask,
            answers: answers.unwrap_or_default(),
        };
        let name = name.to_owned();
        self.deliver(
            &name,
            Arrival {
                event,
                socket: None,
            },
        )
    }
}
