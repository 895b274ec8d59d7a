//! Rotates the webhook secret without an outage.
//!
//! Imports: `cloudflare`, `environment`, `live`, `plan`, `secret`, `terminal`
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
//! | both, `giving`, no sender begun | nobody | writes a fresh value over it |
//! | both, `giving` | perhaps some senders | see below |
//! | both, `given` | every sender | waits, from the start of the horizon |
//! | one slot, `given` | every sender | proves it and removes the mark |
//! | both, `returning` | some senders, some have the old one again | only `--abort` goes on: it hands the old value back again |
//! | both, `returned` | nobody | only `--abort` goes on: it waits, then revokes the new value |
//! | both, `replacing` | as before | only `--compromised` goes on: it ends both values with one write |
//! | one slot, `replacing` | perhaps some senders | is a rotation like any other, whose old value nobody may have |
//!
//! # A handover that was cut off
//!
//! When the source gives the new value, it is handed over again. Else it is lost, and a sender that was begun may live on it while
//! another one lives on the old value. The mark has the count of the new slot's uses from before the first sender was begun:
//!
//! - The only sender there is uses it: wait, then revoke the old one.
//! - Nobody has used it, and nobody does for a retry horizon: write a fresh one over it. A sender that took it in silence is handed that.
//! - Anything else, and whenever the counters cannot be read: stop, and say how to get out. `--abort` is a way as long as
//!   the source gives the old value, and `--compromised` always.
//!
//! # One run at a time
//!
//! The mark holds its [`author`]. A run that finds another run's mark, after it has written one, stops. A sender cannot be stopped from
//! elsewhere, so a run does not begin while another one is alive on this machine, or began to hand a value over on another one within
//! the time that a sender may take. A sender ends with its run, however that ends, so a run that is gone on this machine is no danger.
//!
//! Whether the source's value is the old or the new one, when both are accepted, is told by the mark's print of the new value.
//!
//! - [`mark`]: the note, [`phase`]: what comes next, [`quiet`]: when a slot is unused; all pure
//! - [`author`]: who wrote the note, and whether that run lives
//! - [`probe`]: from outside, over HTTP, through the real route; [`uses`]: the gateway's counters
//! - [`run`]: carries the decisions out, with the steps, the wait and the reading of what is live beside it

pub mod age;
pub mod author;
pub mod inventory;
pub mod live;
pub mod mark;
pub mod phase;
pub mod quiet;
mod refusal;
pub mod run;
pub mod status;
mod step;
pub mod uses;
mod wait;
