//! Rotates the webhook secret without an outage.
//!
//! # Two slots
//!
//! The gateway accepts the values of two slots of equal rank, `WEBHOOK_SECRET` and `WEBHOOK_SECRET_ALTERNATE`. At rest one is filled.
//! A rotation fills the idle one, lets every sender switch, and empties the other; the next rotation goes the other way. Values
//! cannot be read back from Cloudflare, so nothing here needs the old one.
//!
//! # The state machine
//!
//! There is no state file. What is live says where a rotation is: which slots are filled, and one tag of the gateway script, the
//! [`mark`]. Before each step all of it is read again, and [`phase`] decides what comes next; a run that was killed is therefore
//! nothing but a run that has not yet made its next step.
//!
//! | live | who has the new value | killed here, the next run |
//! |---|---|---|
//! | one slot, no mark | nobody | starts: marks `writing` |
//! | one slot, `writing` | nobody | starts again |
//! | both, `writing` | nobody | writes a fresh value over it: nobody can miss the lost one |
//! | both, `giving` | perhaps some senders | hands it over again when the source gives it; else looks at the counters: when only the new value is used it waits, when it is not used it writes a fresh one, and when both are used it stops and says how to get out |
//! | both, `given` | every sender | waits, from the start of the horizon |
//! | one slot, `given` | every sender | proves it and removes the mark |
//! | both, `returning` | some senders, some have the old one again | only `--abort` goes on: it hands the old value back again |
//! | both, `returned` | nobody | only `--abort` goes on: it waits, then revokes the new value |
//!
//! The mark holds the run that wrote it. A run that finds another run's mark, after it has written one, stops: there are never two at
//! work on one rotation.
//!
//! Whether the source's value is the old or the new one, when both are accepted, is told by the mark's print of the new value.
//!
//! - [`mark`]: the note, [`phase`]: what comes next, [`quiet`]: when a slot is unused; all pure
//! - [`probe`]: from outside, over HTTP, through the real route; [`uses`]: the gateway's counters
//! - [`run`]: carries the decisions out, with the steps, the wait and the reading of what is live beside it

pub mod author;
pub mod live;
pub mod mark;
pub mod phase;
pub mod probe;
pub mod quiet;
mod refusal;
pub mod run;
pub mod status;
mod step;
pub mod uses;
mod wait;
