//! One Durable Object: tells its state machine what happens, and carries out what it answers.

use crate::js;
use crate::sockets::View;
use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::call::{self, Call};
use edge_broadcast_protocol::contract::refusal;
use edge_broadcast_protocol::contract::settings::RoomSettings;
use edge_broadcast_protocol::room::effect::{Effect, Opening, Reply, Row};
use edge_broadcast_protocol::room::event::{Event, Incoming, Outcome, Rows};
use edge_broadcast_protocol::room::object::{Identity, Object};
use edge_broadcast_protocol::room::peer;
use edge_broadcast_protocol::room::pending::Pending;
use edge_broadcast_protocol::room::shard::SHARD_TIME_LIMIT_MS;
use edge_broadcast_protocol::room::turn;
use edge_broadcast_shell::{env, reply, unix_ms};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use worker::console_log;
use worker::js_sys::{Array, Function};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;
use worker::worker_sys::web_sys::{Response, WebSocket};

pub(crate) struct Shell {
    /// Whether the deployment gave settings that can be read: without, nothing is served.
    has_settings: bool,
    state: JsValue,
    env: JsValue,
    object: RefCell<Object>,
    requests: Cell<u32>,
    /// The promises of answers, by request.
    answers: RefCell<Pending<Function>>,
    /// Sockets of deliveries that are still to be sent.
    held: RefCell<Pending<Array>>,
    /// Other objects. Calls through one stub arrive in order.
    stubs: RefCell<Vec<(String, JsValue)>>,
}

impl Shell {
    /// Wakes an object up. Kept small: this runs before every first event.
    pub(crate) fn new(state: JsValue, env: JsValue) -> Self {
        let settings: Option<RoomSettings> = env::settings(&env);
        let has_settings = settings.is_some();
        // It fails only for texts that are too long, and these are not.
        let _ = js::answer_pings(&state, peer::PING, peer::PONG);
        let mut epoch = js::random();
        epoch.truncate(8);
        let identity = Identity {
            salt: js::id(&state),
            epoch,
            version: env::version(&env),
            verbose: env::text(&env, binding::ENVIRONMENT).as_deref() == Some(binding::DEVELOPMENT),
        };
        let object = Object::new(settings.unwrap_or_default(), identity, unix_ms());
        Self {
            has_settings,
            state,
            env,
            object: RefCell::new(object),
            requests: Cell::default(),
            answers: RefCell::default(),
            held: RefCell::default(),
            stubs: RefCell::default(),
        }
    }

    /// Answers the call in a request's header, and its body if it could be read, through `resolve`.
    pub(crate) fn answer(self: &Rc<Self>, header: &str, body: Option<String>, resolve: Function) {
        let request = self.requests.get().wrapping_add(1);
        self.requests.set(request);
        self.answers.borrow_mut().insert(request, resolve);
        let refused = |refusal| self.reply(request, &reply::refusal(&refusal));
        let Some(call) = Call::decode(header) else {
            return refused(refusal::UNKNOWN_CALL);
        };
        if !self.has_settings {
            return refused(refusal::ROOM_MISCONFIGURED);
        }
        let Some(body) = body else {
            return refused(refusal::INCOMPLETE_BODY);
        };
        let random = match call {
            Call::Connect(_) => js::random(),
            _ => String::new(),
        };
        let incoming = Incoming {
            request,
            call,
            body,
            random,
        };
        self.on(Event::Call(incoming), None);
    }

    /// A client goes on sending that was told to go.
    pub(crate) fn drop_frame(&self) {
        js::drop_frame(&self.state);
    }

    /// Tells the object what has happened, to `socket` if to one, and does what it wants done.
    pub(crate) fn on(self: &Rc<Self>, event: Event, socket: Option<&WebSocket>) {
        let view = View {
            state: &self.state,
            gone: socket.filter(|_| matches!(event, Event::Closed { .. })),
        };
        let effects = self.object.borrow_mut().on(event, unix_ms(), &view);
        for effect in effects {
            if let Some(answer) = self.perform(effect, socket) {
                self.on(answer, socket);
            }
        }
    }

    /// Carries out one effect; returns what it answers at once.
    fn perform(self: &Rc<Self>, effect: Effect, socket: Option<&WebSocket>) -> Option<Event> {
        match effect {
            Effect::Send {
                delivery,
                frames,
                seq,
                epoch,
            } => return Some(self.send(delivery, frames, seq, epoch.as_deref())),
            Effect::Mark { epoch, sent } => {
                js::mark(&js::sockets(&self.state), &epoch, sent as f64);
            }
            Effect::Accept(opening) => return self.accept(opening),
            Effect::Reply { request, reply } => self.reply(request, &respond(&reply)),
            Effect::Load => self.load(),
            Effect::Store { row, text, store } => self.store(row, &text, store),
            Effect::Forget => js::forget(&self.state),
            Effect::Timer { timer, after_ms } => {
                let then = self.later(move |_| Event::Timer(timer));
                js::after(after_ms as f64, &then);
            }
            Effect::Ask {
                ask,
                calls,
                body,
                hint,
            } => self.ask(ask, calls, body.as_deref(), hint.as_deref()),
            Effect::Hold { delivery } => {
                let sockets = js::sockets(&self.state);
                self.held.borrow_mut().insert(delivery, sockets);
            }
            Effect::Close {
                indexes,
                tag,
                close,
            } => js::close_each(
                &self.state,
                tag.as_deref(),
                indexes,
                close.code,
                close.reason,
            ),
            Effect::Measure {
                token,
                blobs,
                doubles,
            } => env::point(&self.env, &token, blobs.into(), &doubles),
            Effect::Log(text) => console_log!("{text}"),
            Effect::Frame(_) | Effect::Attach(_) | Effect::Hang(_) => {
                if let Some(socket) = socket {
                    touch(socket, &effect);
                }
            }
        }
        None
    }

    fn accept(self: &Rc<Self>, opening: Opening) -> Option<Event> {
        let (request, index) = (opening.request, opening.index);
        let attachment = serde_json::to_string(&opening.peer).unwrap_or_default();
        let tags = opening.tag.into_iter().collect();
        let Some(response) = js::accept(&self.state, tags, &attachment, opening.frames) else {
            return Some(Event::NotAccepted { request, index });
        };
        self.reply(request, &response);
        for effect in opening.opened {
            self.perform(effect, None);
        }
        None
    }

    fn send(&self, delivery: u32, frames: Vec<String>, seq: u64, epoch: Option<&str>) -> Event {
        let held = self.held.borrow_mut().remove(delivery);
        let sockets = held.unwrap_or_else(|| js::sockets(&self.state));
        let start = turn::start(seq, sockets.length());
        let counts = js::broadcast(&sockets, frames, start);
        if let Some(epoch) = epoch {
            js::mark(&sockets, epoch, seq as f64);
        }
        let count = |index: usize| counts.get(index).copied().unwrap_or_default();
        Event::Sent {
            delivery,
            sockets: count(0),
            failed: count(1),
        }
    }

    fn load(self: &Rc<Self>) {
        let keys = Row::ALL.map(|row| row.key().to_owned()).to_vec();
        let then = self.later(|values| {
            let values = values.is_object().then(|| Array::from(&values));
            Event::Loaded(values.map(|values| Rows {
                room: values.get(0).as_string(),
                shards: values.get(1).as_string(),
                uses: values.get(2).as_string(),
            }))
        });
        js::load(&self.state, keys, &then);
    }

    fn store(self: &Rc<Self>, row: Row, text: &str, store: Option<u32>) {
        let Some(store) = store else {
            return js::save(&self.state, row.key(), text);
        };
        let then = self.later(move |done| {
            let outcome = if done.is_truthy() {
                Outcome::Done
            } else {
                Outcome::Failed
            };
            Event::Stored { store, outcome }
        });
        js::store(&self.state, row.key(), text, &then);
    }

    fn ask(
        self: &Rc<Self>,
        ask: u32,
        calls: Vec<(String, Call)>,
        body: Option<&str>,
        hint: Option<&str>,
    ) {
        let (names, calls): (Vec<String>, Vec<String>) = calls
            .into_iter()
            .map(|(name, call)| (name, call.encode()))
            .unzip();
        let stubs = names.iter().map(|name| self.stub(name, hint)).collect();
        let shell = Rc::clone(self);
        let then = self.later(move |answers| {
            let answers = Array::from(&answers);
            let answers = (0..).zip(names).map(|(at, name)| {
                let answer = answers.get(at).as_string();
                if answer.is_none() {
                    // A stub that has failed once may be broken for good.
                    shell.stubs.borrow_mut().retain(|(kept, _)| *kept != name);
                }
                answer
            });
            Event::Answered {
                ask,
                answers: answers.collect(),
            }
        });
        let limit_ms = SHARD_TIME_LIMIT_MS as f64;
        js::ask(stubs, call::HEADER, calls, body, limit_ms, &then);
    }

    /// Another object of this class. If this creates it, then near `hint`.
    fn stub(&self, name: &str, hint: Option<&str>) -> JsValue {
        let mut stubs = self.stubs.borrow_mut();
        if let Some((_, stub)) = stubs.iter().find(|(kept, _)| kept == name) {
            return stub.clone();
        }
        let stub = env::stub(&self.env, name, hint);
        stubs.push((name.to_owned(), stub.clone()));
        stub
    }

    /// A function that the runtime calls once, later, with what then makes an event.
    fn later(self: &Rc<Self>, event: impl FnOnce(JsValue) -> Event + 'static) -> JsValue {
        let shell = Rc::clone(self);
        Closure::once_into_js(move |value: JsValue| {
            let event = event(value);
            shell.on(event, None);
        })
    }

    fn reply(&self, request: u32, response: &Response) {
        if let Some(resolve) = self.answers.borrow_mut().remove(request) {
            // A promise's own function does not throw.
            let _ = resolve.call1(&JsValue::UNDEFINED, response);
        }
    }
}

fn respond(reply: &Reply) -> Response {
    match reply {
        Reply::Json(text) => reply::text(text),
        Reply::Refused(refusal) => reply::refusal(refusal),
        Reply::Full { next } => {
            let [kind, cache] = reply::JSON;
            let (full, next) = (&refusal::ROOM_FULL, next.to_string());
            let headers = [kind, cache, (call::NEXT, next.as_str())];
            reply::response(full.status, Some(&full.body()), &headers)
        }
        Reply::Snapshot { etag, body } => {
            let headers = [
                ("content-type", "application/json"),
                ("cache-control", "no-cache"),
                ("etag", etag.as_str()),
            ];
            let status = if body.is_some() { 200 } else { 304 };
            reply::response(status, body.as_deref(), &headers)
        }
    }
}

/// What is done to the socket that an event is about.
fn touch(socket: &WebSocket, effect: &Effect) {
    match effect {
        Effect::Frame(text) => js::send(socket, text),
        Effect::Attach(peer) => {
            js::attach(socket, &serde_json::to_string(peer).unwrap_or_default());
        }
        Effect::Hang(close) => js::close(socket, close.code, close.reason),
        _ => {}
    }
}
