//! The gateway as far as a room sees it: it looks for a place for each client.

use crate::client::Attempt;
use crate::network::{Caller, Flight};
use crate::world::{Answer, Happening, World};
use edge_broadcast_protocol::contract::call::{Call, Connect};
use edge_broadcast_protocol::contract::place::Place;
use edge_broadcast_protocol::gateway::search::{Search, Starts};

/// Its clock is the true time: steps of clocks are the objects' trouble.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    starts: Starts,
}

impl World {
    /// A client wants a socket.
    pub(crate) fn connect(&mut self, client: usize) {
        if self.clients[client].has_wire() || self.is_over() {
            return;
        }
        let attempt = self.attempt(client);
        let first = self.clients[client].place().name();
        let start = self.gateway.starts.start(&first, self.now_ms);
        self.clients[client].search = Some(Search::from(start));
        self.ask_place(attempt);
    }

    /// Asks the object whose turn it is.
    fn ask_place(&mut self, attempt: Attempt) {
        let client = &self.clients[attempt.client];
        let Some(search) = client.search else {
            return;
        };
        let place = Place {
            index: search.index(),
            ..client.place().clone()
        };
        let to = place.name();
        let call = Call::Connect(Connect {
            place,
            address: Some(client.address().to_owned()),
            per_address: self.plan.per_address,
            max_message_bytes: 1024,
            since: attempt.since,
            epoch: attempt.epoch.clone(),
            root_hint: None,
        });
        let from = Caller::Client(attempt);
        let body = String::new();
        self.call(Flight {
            from,
            to,
            call,
            body,
        });
    }

    /// An object has answered a client that wants a socket.
    pub(crate) fn connected(&mut self, attempt: Attempt, answer: &Answer) {
        let id = attempt.client;
        let client = &mut self.clients[id];
        let is_current = client.attempt == attempt.attempt && !client.has_wire();
        let (first, now_ms) = (client.place().name(), self.now_ms);
        match *answer {
            Answer::Socket(socket) if !is_current => self.orphan(socket),
            Answer::Socket(socket) => {
                let index = client.search.take().map_or(0, |search| search.index());
                self.gateway.starts.found(&first, index, now_ms);
                self.opened(id, socket);
            }
            _ if !is_current => {}
            Answer::Full { next } => {
                let search = client.search.as_mut();
                let Some((search, _)) = search.and_then(|search| {
                    let next = search.advance(Some(next))?;
                    Some((*search, next))
                }) else {
                    self.come_again(id);
                    return;
                };
                if search.has_wrapped() {
                    self.gateway.starts.forget(&first);
                }
                self.ask_place(attempt);
            }
            Answer::Refused { status: 503, .. } => {
                let search = client.search.as_mut();
                if search.is_some_and(|search| search.advance(None).is_some()) {
                    self.gateway.starts.forget(&first);
                    self.ask_place(attempt);
                } else {
                    self.come_again(id);
                }
            }
            _ => self.come_again(id),
        }
    }

    /// A client that got no socket tries later.
    fn come_again(&mut self, client: usize) {
        self.count("refused");
        let after_ms = self.random.between(500, 8_000);
        self.after(after_ms, Happening::Connect { client });
    }
}
