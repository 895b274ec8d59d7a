//! How fast calls may follow each other, so that the API never has to refuse one with 429, which it then does for minutes.
//!
//! Cloudflare allows a user 1,200 calls in any five minutes, whatever tool they come from (docs: Fundamentals, "API rate limits").
//! Every answer may name the policies that it counts for, in `RateLimit-Policy`, and what is left of them, in `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-11; recorded from the live API: `"default";q=1200;w=300` and `"default";r=1199;t=1`).
//! What is left cannot be relied on alone: recorded one after the other, 130 of 131 answers said `r=1199`. So two limits hold:
//! - what was sent is counted here, against the policy: at most `q` calls in any span of `w` seconds. A server that counts in fixed
//!   windows, or refills a bucket, allows at least as much;
//! - when an answer says that less is left than that, because somebody else calls too, that holds until its `t` is over.
//!
//! A state machine: time and headers come in, leave or a wait comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use reqwest::header::HeaderMap;
use sfv::{BareItem, List, ListEntry, Parameters, Parser};

/// The policy of calls whose answers name none.
const USUAL: &str = "default";
/// Cloudflare's, before the first answer (docs: Fundamentals, "API rate limits").
pub(super) const DOCUMENTED: Quota = Quota {
    calls: 1200,
    window: Duration::from_secs(300),
};
/// How long one call waits in all because the API asks for it: the window of its limit. Above that the call fails, and says how long
/// it would be.
pub(super) const LONGEST_PAUSE: Duration = DOCUMENTED.window;
/// Windows are told in whole seconds: the server's may end so much later than ours.
const ROUNDING: Duration = Duration::from_secs(1);

/// Time since some moment before the first call.
pub(super) type Time = Duration;

/// So many calls in any such span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) calls: usize,
    pub(super) window: Duration,
}

/// The calls of one user, and what the API says about them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    policies: BTreeMap<String, Policy>,
    /// The policies that the last call of a kind counted for.
    kinds: BTreeMap<String, BTreeSet<String>>,
    /// No call before: the API refused one.
    blocked: Time,
}

/// Leave for one call, which is to be given back with its answer.
#[derive(Debug)]
pub(super) struct Leave {
    kind: String,
    policies: BTreeSet<String>,
}

/// Why a call has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// There is no room before that time.
    Until(Time),
    /// The API asked for silence until then.
    Blocked(Time),
    /// It depends on a call that is under way.
    Answer,
}

#[derive(Debug, Default)]
struct Policy {
    quota: Option<Quota>,
    /// Calls under way. The server may have counted them or not.
    under_way: usize,
    /// When the calls were answered that may still count, the oldest first. The server counted each before.
    answered: VecDeque<Time>,
    told: Vec<Told>,
}

/// What an answer said: so many calls more until then.
#[derive(Clone, Copy, Debug)]
struct Told {
    left: usize,
    until: Time,
}

impl Pace {
    /// A pace that keeps `quota` before anything was answered.
    pub(super) fn of(quota: Option<Quota>) -> Self {
        let usual = Policy {
            quota,
            ..Policy::default()
        };
        Self {
            policies: BTreeMap::from([(USUAL.to_owned(), usual)]),
            ..Self::default()
        }
    }

    /// Leave for a call of a kind: calls of one kind count for the same policies.
    pub(super) fn ask(&mut self, kind: &str, now: Time) -> Result<Leave, Wait> {
        if self.blocked > now {
            return Err(Wait::Blocked(self.blocked));
        }
        let known = self.kinds.get(kind).cloned();
        let policies = known.unwrap_or_else(|| BTreeSet::from([USUAL.to_owned()]));
        for name in &policies {
            if let Some(wait) = self.policy(name).wait(now) {
                return Err(wait);
            }
        }
        for name in &policies {
            self.policy(name).under_way += 1;
        }
        Ok(Leave {
            kind: kind.to_owned(),
            policies,
        })
    }

    /// Takes what an answer says, or that none came.
    pub(super) fn answered(&mut self, leave: Leave, headers: Option<&HeaderMap>, now: Time) {
        for name in &leave.policies {
            let policy = self.policy(name);
            policy.under_way = policy.under_way.saturating_sub(1);
        }
        let told = headers.map(told).unwrap_or_default();
        let counts: BTreeSet<String> = match told.is_empty() {
            true => leave.policies,
            false => told.keys().cloned().collect(),
        };
        for name in &counts {
            self.policy(name).count(told.get(name), now);
        }
        self.kinds.insert(leave.kind, counts);
    }

    /// The API refused a call and asks for silence.
    pub(super) fn block(&mut self, until: Time) {
        self.blocked = self.blocked.max(until);
    }

    fn policy(&mut self, name: &str) -> &mut Policy {
        self.policies.entry(name.to_owned()).or_default()
    }
}

impl Policy {
    fn wait(&mut self, now: Time) -> Option<Wait> {
        let window = self.window() + ROUNDING;
        while self.answered.front().is_some_and(|at| *at + window <= now) {
            self.answered.pop_front();
        }
        self.told.retain(|told| told.until > now);
        if let Some(quota) = self.quota {
            let too_many = (self.under_way + self.answered.len() + 1).saturating_sub(quota.calls);
            match too_many.checked_sub(1).map(|last| self.answered.get(last)) {
                None => {}
                Some(Some(at)) => return Some(Wait::Until(*at + window)),
                Some(None) => return Some(Wait::Answer),
            }
        }
        let full = self.told.iter().filter(|told| told.left <= self.under_way);
        match (full.map(|told| told.until).max(), self.under_way) {
            (None, _) => None,
            (Some(until), 0) => Some(Wait::Until(until)),
            (Some(_), _) => Some(Wait::Answer),
        }
    }

    fn count(&mut self, told: Option<&Item>, now: Time) {
        self.answered.push_back(now);
        let Some(item) = told else {
            // It may have been counted, and the answer did not say so
            for told in &mut self.told {
                told.left = told.left.saturating_sub(1);
            }
            return;
        };
        // A policy that allows nothing at all is none that a client can keep
        self.quota = item.quota.filter(|quota| quota.calls > 0).or(self.quota);
        let span = match (item.left, item.span) {
            (Some(_), Some(span)) => span,
            // Until when is not said
            (Some(0), None) => self.window(),
            _ => return,
        };
        let new = Told {
            left: item.left.unwrap_or_default(),
            until: now + span,
        };
        // What asks for less in no longer a time says nothing more
        let covers = |a: &Told, b: &Told| a.left <= b.left && a.until >= b.until;
        if !self.told.iter().any(|old| covers(old, &new)) {
            self.told.retain(|old| !covers(&new, old));
            self.told.push(new);
        }
    }

    fn window(&self) -> Duration {
        self.quota.unwrap_or(DOCUMENTED).window
    }
}

/// What the headers say of one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Item {
    quota: Option<Quota>,
    left: Option<usize>,
    span: Option<Duration>,
}

/// How long to wait after a refusal that does not say it in `retry-after`: until the policy that is used up is whole again.
pub(super) fn reset(headers: &HeaderMap) -> Option<Duration> {
    let told = told(headers);
    let used_up = told.values().filter(|item| item.left == Some(0));
    let spans = used_up.filter_map(|item| item.span.or(Some(item.quota?.window)));
    let any = told.values().filter_map(|item| item.span);
    spans.max().or_else(|| any.max())
}

/// The policies of an answer by name. A field that cannot be read says nothing (RFC 9651, 4.2).
fn told(headers: &HeaderMap) -> BTreeMap<String, Item> {
    let mut items: BTreeMap<String, Item> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for (name, parameters) in members(headers, "ratelimit-policy") {
        // A policy of bytes or of calls at once is not one of calls
        if matches!(parameters.get("qu"), Some(BareItem::String(unit)) if unit.as_str() != "requests")
        {
            others.insert(name);
            continue;
        }
        let quota = number(&parameters, "q").zip(number(&parameters, "w"));
        items.entry(name).or_default().quota = quota.map(|(calls, seconds)| Quota {
            calls: usize::try_from(calls).unwrap_or(usize::MAX),
            window: span(seconds),
        });
    }
    for (name, parameters) in members(headers, "ratelimit") {
        if others.contains(&name) {
            continue;
        }
        let item = items.entry(name).or_default();
        item.left =
            number(&parameters, "r").map(|left| usize::try_from(left).unwrap_or(usize::MAX));
        item.span = number(&parameters, "t").map(span);
    }
    items
}

/// No window is longer than a day, whatever a server says.
fn span(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(86_400))
}

fn number(parameters: &Parameters, name: &str) -> Option<u64> {
    match parameters.get(name)? {
        BareItem::Integer(number) => u64::try_from(i64::from(*number)).ok(),
        _ => None,
    }
}

/// The items of a list field by their names, all its lines together.
fn members(headers: &HeaderMap, field: &str) -> impl Iterator<Item = (String, Parameters)> + use<> {
    let lines: Option<Vec<&str>> = headers
        .get_all(field)
        .iter()
        .map(|line| line.to_str().ok())
        .collect();
    let whole = lines.unwrap_or_default().join(",");
    let list: List = Parser::new(&whole).parse().unwrap_or_default();
    list.into_iter().filter_map(|member| {
        let ListEntry::Item(item) = member else {
            return None;
        };
        let name = match item.bare_item {
            BareItem::String(name) => name.as_str().to_owned(),
            BareItem::Token(name) => name.as_str().to_owned(),
            _ => return None,
        };
        Some((name, item.params))
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()))
            .collect()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_headers_are_read_as_the_live_api_writes_them() {
        let told = told(&headers(&[
            ("ratelimit", r#""default";r=1199;t=1"#),
            ("ratelimit-policy", r#""default";q=1200;w=300"#),
        ]));
        let item = Item {
            quota: Some(DOCUMENTED),
            left: Some(1199),
            span: Some(seconds(1)),
        };
        assert_eq!(told, BTreeMap::from([("default".to_owned(), item)]));
    }

    #[test]
    fn several_policies_other_units_and_what_is_no_list_are_understood_as_the_draft_says() {
        let read = told(&headers(&[
            (
                "ratelimit",
                r#""permin";r=50;t=30;pk=:cHsdsRa894==:, "bytes";r=1"#,
            ),
            ("ratelimit", "perhr;r=999"),
            (
                "ratelimit-policy",
                r#""permin";q=50;w=60,"perhr";q=1000;w=3600;comment="a,b;c""#,
            ),
            (
                "ratelimit-policy",
                r#""bytes";q=65535;qu="content-bytes";w=10"#,
            ),
        ]));
        let names: Vec<&str> = read.keys().map(String::as_str).collect();
        assert_eq!(names, ["perhr", "permin"]);
        assert_eq!(read["permin"].left, Some(50));
        assert_eq!(
            read["perhr"].quota,
            Some(Quota {
                calls: 1000,
                window: seconds(3600)
            })
        );
        assert_eq!(read["perhr"].left, Some(999));
        for broken in [
            "default;r=",
            "\"default\";r=1, ,",
            "r=1;t=ü",
            "(1 2)",
            "\"a",
        ] {
            assert_eq!(
                told(&headers(&[("ratelimit", "x"), ("ratelimit", broken)])).get("default"),
                None
            );
        }
    }

    #[test]
    fn a_refusal_without_a_time_takes_it_from_what_is_used_up() {
        let wait = |ratelimit: &str, policy: &str| {
            reset(&headers(&[
                ("ratelimit", ratelimit),
                ("ratelimit-policy", policy),
            ]))
        };
        let policy = r#""default";q=1200;w=300"#;
        assert_eq!(wait(r#""default";r=0;t=41"#, policy), Some(seconds(41)));
        assert_eq!(wait(r#""default";r=0"#, policy), Some(seconds(300)));
        assert_eq!(
            wait(r#""other";r=9;t=2,"default";r=0;t=41"#, policy),
            Some(seconds(41))
        );
        assert_eq!(wait(r#""default";r=9;t=2"#, policy), Some(seconds(2)));
        assert_eq!(reset(&HeaderMap::new()), None);
    }

    #[test]
    fn calls_count_for_the_policy_that_their_answers_name() {
        let mut pace = Pace::of(Some(Quota {
            calls: 2,
            window: seconds(10),
        }));
        let uploads = headers(&[
            ("ratelimit", r#""workers_script_upload";r=179999;t=1"#),
            (
                "ratelimit-policy",
                r#""workers_script_upload";q=180000;w=300"#,
            ),
        ]);
        for second in 0..9 {
            let leave = pace.ask("PUT /script", seconds(second)).unwrap();
            pace.answered(leave, Some(&uploads), seconds(second));
        }
        for _ in 0..2 {
            let leave = pace.ask("GET /other", seconds(9)).unwrap();
            pace.answered(leave, None, seconds(9));
        }
        assert_eq!(
            pace.ask("GET /other", seconds(9)).unwrap_err(),
            Wait::Until(seconds(20))
        );
        assert!(pace.ask("PUT /script", seconds(9)).is_ok());
    }

    #[test]
    fn what_somebody_else_used_up_is_waited_for() {
        let mut pace = Pace::of(None);
        let leave = pace.ask("GET /", seconds(0)).unwrap();
        let last = headers(&[("ratelimit", r#""default";r=1;t=7"#)]);
        pace.answered(leave, Some(&last), seconds(1));
        let leave = pace.ask("GET /", seconds(1)).unwrap();
        assert_eq!(pace.ask("GET /", seconds(1)).unwrap_err(), Wait::Answer);
        // It may have been counted, and nobody says so
        pace.answered(leave, None, seconds(2));
        assert_eq!(
            pace.ask("GET /", seconds(2)).unwrap_err(),
            Wait::Until(seconds(8))
        );
        assert!(pace.ask("GET /", seconds(8)).is_ok());
    }

    #[test]
    fn nothing_is_sent_while_the_api_asks_for_silence() {
        let mut pace = Pace::of(None);
        pace.block(seconds(9));
        pace.block(seconds(5));
        assert_eq!(
            pace.ask("GET /", seconds(8)).unwrap_err(),
            Wait::Blocked(seconds(9))
        );
        assert!(pace.ask("GET /", seconds(9)).is_ok());
    }

    /// How a server counts.
    #[derive(Clone, Copy, Debug)]
    enum Counts {
        /// The calls of the last `w` seconds.
        Sliding,
        /// Those since the last multiple of `w`, from some moment on.
        Fixed(u64),
        /// A bucket of `q` that is full again after `w` seconds.
        Bucket,
    }

    /// What it says of that.
    #[derive(Clone, Copy, Debug)]
    enum Tells {
        Truth,
        /// What the live API was recorded to say: all but one, in a second.
        AllButOne,
        Nothing,
    }

    #[derive(Debug)]
    struct Server {
        counts: Counts,
        tells: Tells,
        quota: Quota,
        /// When the calls came that it let pass, and those of others.
        passed: Vec<Time>,
    }

    impl Server {
        /// What is left, and in how long it is more.
        fn left(&self, now: Time) -> (usize, Duration) {
            let Quota { calls, window } = self.quota;
            let since = |from: Time| self.passed.iter().filter(|at| **at >= from).count();
            match self.counts {
                Counts::Sliding => {
                    let within: Vec<_> = self
                        .passed
                        .iter()
                        .filter(|at| **at + window > now)
                        .collect();
                    let frees = within
                        .first()
                        .map_or(Duration::ZERO, |at| (**at + window).saturating_sub(now));
                    (calls.saturating_sub(within.len()), frees)
                }
                Counts::Fixed(offset) => {
                    let width = window.as_millis() as u64;
                    let into = (now.as_millis() as u64 + offset) % width;
                    let from = now.saturating_sub(Duration::from_millis(into));
                    (
                        calls.saturating_sub(since(from)),
                        Duration::from_millis(width - into),
                    )
                }
                Counts::Bucket => {
                    // In calls, times the window
                    let (mut level, mut last) = (calls as f64, Duration::ZERO);
                    let rate = calls as f64 / window.as_secs_f64();
                    for at in &self.passed {
                        level = (level + rate * at.saturating_sub(last).as_secs_f64())
                            .min(calls as f64)
                            - 1.0;
                        last = *at;
                    }
                    level =
                        (level + rate * now.saturating_sub(last).as_secs_f64()).min(calls as f64);
                    let frees = ((1.0 - level) / rate).max(0.0);
                    (level.max(0.0) as usize, Duration::from_secs_f64(frees))
                }
            }
        }

        /// The headers of an answer, or none when it refuses.
        fn answer(&mut self, now: Time) -> Option<HeaderMap> {
            if self.left(now).0 == 0 {
                return None;
            }
            self.passed.push(now);
            let (left, frees) = self.left(now);
            let told = match self.tells {
                Tells::Nothing => return Some(HeaderMap::new()),
                Tells::AllButOne => format!("\"default\";r={};t=1", self.quota.calls - 1),
                Tells::Truth => format!("\"default\";r={left};t={}", frees.as_secs_f64().ceil()),
            };
            let Quota { calls, window } = self.quota;
            let policy = format!("\"default\";q={calls};w={}", window.as_secs());
            Some(headers(&[
                ("ratelimit", &told),
                ("ratelimit-policy", &policy),
            ]))
        }
    }

    /// Something that happens at a time.
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        /// A call reaches the server.
        Arrives(usize),
        /// Its answer reaches the client.
        Returns(usize),
        /// A caller asks again.
        Asks,
    }

    /// Lets callers make so many calls, each as soon as it may.
    fn simulate(mut server: Server, callers: usize, calls: usize, delays: &[u64]) {
        let quota = server.quota;
        let mut pace = Pace::of(Some(quota));
        let mut events = BinaryHeap::new();
        let mut under_way: BTreeMap<usize, (Leave, HeaderMap)> = BTreeMap::new();
        let (mut begun, mut waiting) = (0, 0);
        let delay = |number: usize| Duration::from_millis(delays[number % delays.len()]);
        let slowest = Duration::from_millis(delays.iter().copied().max().unwrap_or_default());
        for _ in 0..callers {
            events.push(Reverse((Duration::ZERO, Event::Asks)));
        }
        while let Some(Reverse((now, event))) = events.pop() {
            let asks = match event {
                Event::Arrives(number) => {
                    let headers = server.answer(now).expect("no call is refused");
                    under_way.get_mut(&number).unwrap().1 = headers;
                    events.push(Reverse((now + delay(number + 7), Event::Returns(number))));
                    0
                }
                Event::Returns(number) => {
                    let (leave, headers) = under_way.remove(&number).unwrap();
                    pace.answered(leave, Some(&headers), now);
                    1 + std::mem::take(&mut waiting)
                }
                Event::Asks => 1,
            };
            for _ in 0..asks {
                if begun == calls {
                    break;
                }
                match pace.ask("GET /", now) {
                    Ok(leave) => {
                        under_way.insert(begun, (leave, HeaderMap::new()));
                        events.push(Reverse((now + delay(begun), Event::Arrives(begun))));
                        begun += 1;
                        continue;
                    }
                    Err(Wait::Until(time)) => {
                        assert!(time > now);
                        events.push(Reverse((time, Event::Asks)));
                    }
                    Err(Wait::Answer) => {
                        assert!(!under_way.is_empty(), "it would wait for ever");
                        waiting += 1;
                    }
                    Err(Wait::Blocked(_)) => unreachable!(),
                }
                // It waits only where a whole quota may be used up: when a call was counted is known to a second and a delay,
                // and whether one under way was counted is not known at all
                let since = now.saturating_sub(quota.window + ROUNDING + slowest);
                let counted = server.passed.iter().filter(|at| **at >= since).count();
                let open = under_way.len();
                assert!(
                    counted + open >= quota.calls,
                    "{counted} and {open} at {now:?}"
                );
            }
        }
        assert_eq!(begun, calls);
    }

    fn any_server() -> impl Strategy<Value = Server> {
        let counts = prop_oneof![
            Just(Counts::Sliding),
            (0..20_000u64).prop_map(Counts::Fixed),
            Just(Counts::Bucket)
        ];
        let tells = prop_oneof![
            Just(Tells::Truth),
            Just(Tells::AllButOne),
            Just(Tells::Nothing)
        ];
        (counts, tells, 1..60usize, 1..20u64).prop_map(|(counts, tells, calls, window)| Server {
            counts,
            tells,
            quota: Quota {
                calls,
                window: seconds(window),
            },
            passed: Vec::new(),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_call_is_refused_and_none_waits_while_there_is_room(
            server in any_server(),
            callers in 1..=16usize,
            windows in 1..5usize,
            delays in prop::collection::vec(0..3000u64, 1..40),
        ) {
            let calls = (server.quota.calls * windows).min(200);
            simulate(server, callers, calls, &delays);
        }
    }
}
