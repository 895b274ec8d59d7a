//! Which calls the API has had, and which faults wait. Never a body, never a header.

use serde::Serialize;

use super::fault::{Fault, Kind, meet};

const KEPT: usize = 10_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Call {
    /// `GET`, …
    pub method: String,
    /// Below `/client/v4`.
    pub path: String,
    /// Without the question mark.
    pub query: String,
}

/// Calls and faults.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// All calls so far, in order.
    pub calls: Vec<Call>,
    /// The faults that have not happened yet.
    pub faults: Vec<Fault>,
}

impl Journal {
    /// Notes a call and gives the fault that meets it.
    pub(crate) fn note(&mut self, call: Call) -> Option<Kind> {
        let met = meet(&mut self.faults, &call.method, &call.path);
        if self.calls.len() < KEPT {
            self.calls.push(call);
        }
        met
    }
}
