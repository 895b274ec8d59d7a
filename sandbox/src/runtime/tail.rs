//! The open tails: who wants the trace events of which script, until when.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::account::stamp::milliseconds;
use crate::runtime::trace::{Batch, Trace, overload};
use crate::runtime::trace_filter::{Circumstances, Filter};

/// How long a tail lasts, as recorded from the live API.
const LASTS: Duration = Duration::from_secs(6 * 60 * 60);
/// How many messages wait for a slow reader; later ones are left out.
const WAITING: usize = 4096;

/// Every open tail, shared by everyone who holds a clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tails(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    tails: Vec<Tail>,
    /// How long a new one lasts.
    lasts: Duration,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            tails: Vec::new(),
            lasts: LASTS,
        }
    }
}

/// A tail's request.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The account's id.
    pub(crate) account: String,
    /// The script's name.
    pub(crate) script: String,
    /// An event must pass all of them.
    pub(crate) filters: Vec<Filter>,
    /// The address of whoever asks.
    pub(crate) own: IpAddr,
}

#[derive(Debug)]
struct Tail {
    opened: Opened,
    wanted: Wanted,
    /// There once the socket is open; its end closes the socket.
    socket: Option<mpsc::Sender<String>>,
}

/// Id and end of a tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// 32 hex digits, not to be guessed: whoever knows them may read.
    pub(crate) id: String,
    /// From then on it is silent.
    pub(crate) expires_at: SystemTime,
}

impl Tails {
    /// Opens a tail; nothing is kept for it before its socket is there.
    pub(crate) fn open(&self, wanted: Wanted, now: SystemTime) -> Opened {
        let id = format!("{:032x}", rand::random::<u128>());
        let Known { tails, lasts } = &mut *self.0.lock();
        let expires_at = now + *lasts;
        let opened = Opened { id, expires_at };
        tails.retain(|tail| tail.opened.expires_at > now || !tail.is_left());
        tails.push(Tail {
            opened: opened.clone(),
            wanted,
            socket: None,
        });
        opened
    }

    /// The messages for a tail's socket. A second socket of one tail takes the place of the first.
    pub(crate) fn attach(&self, id: &str) -> Option<mpsc::Receiver<String>> {
        let tails = &mut self.0.lock().tails;
        let tail = tails.iter_mut().find(|tail| tail.opened.id == id)?;
        let (sender, receiver) = mpsc::channel(WAITING);
        tail.socket = Some(sender);
        Some(receiver)
    }

    /// The newest tail of a script that is not over.
    pub(crate) fn newest(&self, account: &str, script: &str, now: SystemTime) -> Option<Opened> {
        let tails = &self.0.lock().tails;
        let mut open = tails.iter().filter(|tail| tail.opened.expires_at > now);
        let newest = open.rfind(|tail| tail.is_of(account, script))?;
        Some(newest.opened.clone())
    }

    /// Closes a tail and its socket; says whether there was one.
    pub(crate) fn close(&self, account: &str, script: &str, id: &str) -> bool {
        let tails = &mut self.0.lock().tails;
        let before = tails.len();
        tails.retain(|tail| tail.opened.id != id || !tail.is_of(account, script));
        tails.len() < before
    }

    /// Passes events on to whoever wants them; says whether anybody still wants any.
    pub(crate) fn deliver(&self, batch: &Batch, now: SystemTime) -> bool {
        let tails = &self.0.lock().tails;
        let open = || tails.iter().filter(|tail| tail.opened.expires_at > now);
        if batch.dropped > 0 {
            let told = overload(batch.dropped, milliseconds(now)).to_string();
            open().for_each(|tail| tail.send(told.clone()));
        }
        for trace in batch.events.iter().filter(|trace| !trace.is_own()) {
            let lot = rand::random();
            let mut takers = open().filter(|tail| tail.takes(trace, lot)).peekable();
            if takers.peek().is_none() {
                continue;
            }
            let message = trace.message().to_string();
            takers.for_each(|tail| tail.send(message.clone()));
        }
        open().any(|tail| !tail.is_left())
    }

    /// Has every new tail last for so long.
    #[cfg(feature = "faults")]
    pub(crate) fn last_for(&self, span: Duration) {
        self.0.lock().lasts = span;
    }

    /// Ends every socket; the tails stay.
    #[cfg(feature = "faults")]
    pub(crate) fn cut(&self) {
        let tails = &mut self.0.lock().tails;
        for tail in tails {
            tail.socket = None;
        }
    }

    /// The scripts that have tails, one for each.
    #[cfg(feature = "faults")]
    pub(crate) fn scripts(&self) -> Vec<String> {
        let tails = &self.0.lock().tails;
        let scripts = tails.iter().map(|tail| tail.wanted.script.clone());
        scripts.collect()
    }
}

impl Tail {
    fn is_of(&self, account: &str, script: &str) -> bool {
        self.wanted.account == account && self.wanted.script == script
    }

    fn takes(&self, trace: &Trace, lot: f64) -> bool {
        let Wanted { filters, own, .. } = &self.wanted;
        let around = Circumstances { own: *own, lot };
        self.is_of(&trace.account, &trace.script)
            && filters.iter().all(|filter| filter.passes(trace, around))
    }

    /// Whether its reader has gone; it stays until it is closed or over, as whoever opened it expects.
    fn is_left(&self) -> bool {
        self.socket.as_ref().is_some_and(mpsc::Sender::is_closed)
    }

    /// A reader that does not keep up loses messages; nobody waits for it.
    fn send(&self, message: String) {
        if let Some(socket) = &self.socket {
            let _ = socket.try_send(message);
        }
    }
}

/// As `GET` and `POST …/tails` show it; `socket` is where the sockets are.
pub(crate) fn shown(opened: &Opened, socket: &str) -> Value {
    let expires_at = humantime::format_rfc3339_seconds(opened.expires_at).to_string();
    json!({"id": opened.id, "url": format!("{socket}/{}", opened.id), "expires_at": expires_at})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fixture::{alarm, request};

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;

    fn wanted(script: &str, filters: Value) -> Wanted {
        Wanted {
            account: "a".into(),
            script: script.into(),
            filters: serde_json::from_value(filters).unwrap(),
            own: IpAddr::from([127, 0, 0, 1]),
        }
    }

    fn batch(events: Vec<Trace>) -> Batch {
        Batch { dropped: 0, events }
    }

    fn received(socket: &mut mpsc::Receiver<String>) -> Vec<Value> {
        std::iter::from_fn(|| socket.try_recv().ok())
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }

    #[test]
    fn a_tail_gets_the_events_of_its_script_that_pass_all_its_filters() {
        let tails = Tails::default();
        let all = tails.open(wanted("room", json!([])), NOON);
        let errors = json!([{"outcome": ["exception"]}, {"scriptVersion": "v2"}]);
        let errors = tails.open(wanted("room", errors), NOON);
        let other = tails.open(wanted("gateway", json!([])), NOON);
        let [mut all, mut errors, mut other] =
            [all, errors, other].map(|tail| tails.attach(&tail.id).unwrap());
        assert!(tails.deliver(&batch(vec![request(), alarm()]), NOON));
        assert_eq!(received(&mut all), [request().message(), alarm().message()]);
        assert_eq!(received(&mut errors), [alarm().message()]);
        assert_eq!(received(&mut other), [Value::Null; 0]);
    }

    #[test]
    fn a_tail_is_silent_from_its_end_on_and_no_longer_shown_though_its_socket_stays() {
        let tails = Tails::default();
        let tail = tails.open(wanted("room", json!([])), NOON);
        assert_eq!(tail.expires_at, NOON + Duration::from_secs(6 * 3600));
        let mut socket = tails.attach(&tail.id).unwrap();
        let last = tail.expires_at - Duration::from_secs(1);
        assert!(tails.deliver(&batch(vec![request()]), last));
        assert_eq!(received(&mut socket).len(), 1);
        assert_eq!(tails.newest("a", "room", last), Some(tail.clone()));
        assert!(!tails.deliver(&batch(vec![request()]), tail.expires_at));
        assert_eq!(received(&mut socket).len(), 0);
        assert!(!socket.is_closed());
        assert_eq!(tails.newest("a", "room", tail.expires_at), None);
    }

    #[test]
    fn a_closed_tail_ends_its_socket_and_only_its_own_script_can_close_it() {
        let tails = Tails::default();
        let tail = tails.open(wanted("room", json!([])), NOON);
        let mut socket = tails.attach(&tail.id).unwrap();
        assert!(!tails.close("a", "gateway", &tail.id));
        assert!(tails.close("a", "room", &tail.id));
        assert_eq!(
            socket.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
        assert!(!tails.close("a", "room", &tail.id));
        assert!(tails.attach(&tail.id).is_none());
        assert!(
            !tails.deliver(&batch(vec![request()]), NOON),
            "nobody is left"
        );
    }

    #[test]
    fn a_tail_whose_reader_has_gone_wants_nothing_but_can_still_be_closed() {
        let tails = Tails::default();
        let tail = tails.open(wanted("room", json!([])), NOON);
        assert!(tails.deliver(&batch(vec![]), NOON), "its reader is awaited");
        drop(tails.attach(&tail.id));
        assert!(!tails.deliver(&batch(vec![]), NOON));
        let again = tails.attach(&tail.id);
        assert!(tails.deliver(&batch(vec![]), NOON));
        drop(again);
        assert!(tails.close("a", "room", &tail.id));
    }

    #[test]
    fn every_tail_is_told_that_events_were_left_out() {
        let tails = Tails::default();
        let tail = tails.open(wanted("gateway", json!([])), NOON);
        let mut socket = tails.attach(&tail.id).unwrap();
        let batch = Batch {
            dropped: 9,
            events: vec![request()],
        };
        tails.deliver(&batch, NOON);
        assert_eq!(received(&mut socket), [overload(9, 0)]);
    }
}
