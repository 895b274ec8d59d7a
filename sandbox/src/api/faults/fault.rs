//! Faults on request: what a test has asked to go wrong with which coming call. Pure.

use serde::{Deserialize, Serialize};

/// A fault and the call it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// Which of the coming matching calls, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls in a row, from that one on.
    #[serde(default = "one")]
    pub times: u32,
    /// Only calls with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls whose path contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What happens.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// This status with an error envelope, before handling.
    Status {
        /// 500, 503, …
        status: u16,
    },
    /// 429, before handling.
    RateLimit {
        /// Seconds.
        #[serde(default)]
        retry_after: u32,
    },
    /// A page of HTML from a proxy with `cf-mitigated: challenge`, before handling.
    Html,
    /// The connection is reset before handling.
    Reset,
    /// The reply never comes; nothing is handled.
    Hang,
    /// The handler breaks: what a fault of the sandbox itself looks like.
    Panic,
    /// The call is handled; then the connection is reset instead of an answer.
    Lost,
    /// The call is handled, and its answer has the date of a clock that is far behind.
    OldDate,
}

fn one() -> u32 {
    1
}

/// Counts one call down and gives the fault that meets it, if any. Faults that have happened are removed.
pub(crate) fn meet(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<Kind> {
    let mut met = None;
    for fault in faults.iter_mut() {
        let (wanted_method, wanted_path) = (fault.method.as_ref(), fault.path.as_ref());
        if !wanted_method.is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            || !wanted_path.is_none_or(|wanted| path.contains(wanted))
        {
            continue;
        }
        if fault.nth > 1 {
            fault.nth -= 1;
        } else if met.is_none() {
            fault.times = fault.times.saturating_sub(1);
            met = Some(fault.kind);
        }
    }
    faults.retain(|fault| fault.times > 0);
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Vec<Fault> {
        vec![serde_json::from_str(json).unwrap()]
    }

    #[test]
    fn the_nth_matching_call_meets_the_fault_and_no_other() {
        let mut faults = fault(
            r#"{"nth": 2, "method": "put", "path": "/routes", "kind": "status", "status": 503}"#,
        );
        assert_eq!(meet(&mut faults, "PUT", "/a/routes"), None);
        assert_eq!(meet(&mut faults, "GET", "/a/routes"), None);
        assert_eq!(meet(&mut faults, "PUT", "/a/secrets"), None);
        assert_eq!(
            meet(&mut faults, "PUT", "/a/routes"),
            Some(Kind::Status { status: 503 })
        );
        assert_eq!(meet(&mut faults, "PUT", "/a/routes"), None);
    }

    #[test]
    fn a_fault_may_last_for_several_calls() {
        let mut faults = fault(r#"{"times": 2, "kind": "reset"}"#);
        let met: Vec<bool> = (0..3)
            .map(|_| meet(&mut faults, "GET", "/").is_some())
            .collect();
        assert_eq!(met, [true, true, false]);
    }
}
