//! Which calls the API has had, and which faults wait. Never a body, never a header.

use std::sync::{Mutex, MutexGuard, PoisonError};

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
pub(crate) struct Journal(Mutex<(Vec<Call>, Vec<Fault>)>);

impl Journal {
    /// Notes a call and gives the fault that meets it.
    pub(crate) fn note(&self, call: Call) -> Option<Kind> {
        let (calls, faults) = &mut *self.lock();
        let met = meet(faults, &call.method, &call.path);
        if calls.len() < KEPT {
            calls.push(call);
        }
        met
    }

    /// All calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().0.clone()
    }

    /// The faults that have not happened yet.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.lock().1.clone()
    }

    /// Adds a fault.
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().1.push(fault);
    }

    /// Forgets calls and faults.
    pub(crate) fn clear(&self) {
        *self.lock() = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Call>, Vec<Fault>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
