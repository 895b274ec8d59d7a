//! Which trace events a tail wants. Pure.
//!
//! The forms are those that wrangler sends (`TailAPIFilter` in its source); an event must pass all of them.

use std::net::IpAddr;

use serde::Deserialize;

use crate::runtime::trace::Trace;

/// One filter; exactly one of the keys is there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Filter {
    /// The share of events that pass, from 0 to 1.
    SamplingRate(f64),
    /// How the invocation ended: any of these.
    Outcome(Vec<String>),
    /// The request's method: any of these, in any case.
    Method(Vec<String>),
    /// A header of the request.
    Header(Header),
    /// Where the request came from: any of these addresses; `self` is that of whoever opened the tail.
    ClientIp(Vec<String>),
    /// A text in a log line.
    Query(String),
    /// The id of the version that ran.
    #[serde(rename = "scriptVersion")]
    Version(String),
}

/// A header and perhaps a text within its value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Header {
    key: String,
    query: Option<String>,
}

/// What a filter needs to know besides the event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The address of whoever opened the tail.
    pub(crate) own: IpAddr,
    /// From 0 to 1: which share this event falls into.
    pub(crate) lot: f64,
}

impl Filter {
    /// Whether the event passes.
    pub(crate) fn passes(&self, trace: &Trace, around: Circumstances) -> bool {
        match self {
            Self::SamplingRate(share) => around.lot < *share,
            Self::Outcome(outcomes) => outcomes.iter().any(|it| it == trace.outcome()),
            Self::Method(methods) => trace
                .method()
                .is_some_and(|given| methods.iter().any(|it| it.eq_ignore_ascii_case(given))),
            Self::Header(Header { key, query }) => trace
                .header(key)
                .is_some_and(|value| query.as_ref().is_none_or(|query| value.contains(query))),
            Self::ClientIp(addresses) => trace.header("cf-connecting-ip").is_some_and(|address| {
                addresses.iter().any(|wanted| match wanted.as_str() {
                    "self" => address == around.own.to_string(),
                    other => address == other,
                })
            }),
            Self::Query(text) => trace.logs(text),
            Self::Version(id) => *id == trace.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fixture::{alarm, request};
    use serde_json::{Value, json};

    fn passes(filter: Value, trace: &Trace) -> bool {
        let filter: Filter = serde_json::from_value(filter).unwrap();
        let own = IpAddr::from([192, 0, 2, 1]);
        filter.passes(trace, Circumstances { own, lot: 0.5 })
    }

    #[test]
    fn each_filter_of_wrangler_lets_what_it_names_pass_and_nothing_else() {
        for (filter, of_request, of_alarm) in [
            (json!({"sampling_rate": 0.6}), true, true),
            (json!({"sampling_rate": 0.4}), false, false),
            (json!({"outcome": ["ok", "canceled"]}), true, false),
            (json!({"outcome": ["exception", "unknown"]}), false, true),
            (json!({"method": ["post", "get"]}), true, false),
            (json!({"method": ["POST"]}), false, false),
            (json!({"header": {"key": "CF-Connecting-IP"}}), true, false),
            (
                json!({"header": {"key": "cf-connecting-ip", "query": "192.0"}}),
                true,
                false,
            ),
            (
                json!({"header": {"key": "cf-connecting-ip", "query": "198"}}),
                false,
                false,
            ),
            (
                json!({"client_ip": ["198.51.100.1", "192.0.2.1"]}),
                true,
                false,
            ),
            (json!({"client_ip": ["self"]}), true, false),
            (json!({"client_ip": ["198.51.100.1"]}), false, false),
            (json!({"query": "see"}), true, false),
            (json!({"query": "[1]"}), true, false),
            (json!({"query": "boom"}), false, false),
            (json!({"scriptVersion": "v1"}), true, false),
        ] {
            let shown = filter.to_string();
            assert_eq!(passes(filter.clone(), &request()), of_request, "{shown}");
            assert_eq!(passes(filter, &alarm()), of_alarm, "{shown}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            json!({}),
            json!({"outcomes": ["ok"]}),
            json!({"method": "GET"}),
            json!("ok"),
        ] {
            assert!(
                serde_json::from_value::<Filter>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
