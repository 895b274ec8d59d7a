//! A load on a deployed environment, and what of it arrived. Pure but for `run`.

pub(crate) mod comparison;
pub(crate) mod latency;
pub(crate) mod limit;
pub(crate) mod load;
pub(crate) mod outcome;
pub(crate) mod run;
pub(crate) mod tally;
