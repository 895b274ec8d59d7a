//! Which calls the API has had, and which faults wait. Never a body, never a header.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::fault::{Fault, Kind, meet};

const KEPT: usize = 10_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Call {
    /// `GET`, …
    pub method: String,
    /// Below `/client/v4`.
    pub path: String,
    /// Without the question mark.
    pub query: String,
}

/// Calls and faults.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<(Vec<Call>, Vec<Fault>)>);

impl Journal {
    /// Notes a call and gives the fault that meets it.
    pub(super) fn note(&self, call: Call) -> Option<Kind> {
        let (calls, faults) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = meet(faults, &call.method, &call.path);
        if calls.len() < KEPT {
            calls.push(call);
        }
        met
    }

    /// All calls so far, in order.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    /// The faults that have not happened yet.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// Adds a fault.
    pub(super) fn add(&self, fault: Fault) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .push(fault);
    }

    /// Forgets calls and faults.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }
}
