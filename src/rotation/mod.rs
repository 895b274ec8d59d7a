//! Rotates the webhook secret without an outage, and says how old each secret is.
//!
//! What is decided stands in files that are pure; only [`run`] and the files above it read and write. Nothing of a deployment's plan.
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
//! [`note`]. Before each step all of it is read again, and its [`position`] says what comes next; a run that was killed is therefore
//! nothing but a run that has not yet made its next step.
//!
//! In this picture, which a test compares with the code, the old value is in the slot P and the new one is or goes in the slot A. "Known"
//! is the slot whose value the run knows, because the secret's source gives it or because the run wrote it. A name alone is why it stops:
//! see [`blocked`].
//!
//! | position | filled | note | known | `rotate` | `--abort` | `--compromised` |
//! |---|---|---|---|---|---|---|
//! | `AtRest` | P | none | P | write A | `NotOpen` | replace by A |
//! | `Begun` | P | `writing` A | P | write A | end with P | replace by A |
//! | `Written` | both | `writing` A | P | write A | empty A | replace by A |
//! | `HandingOver` | both | `giving` A, no sender begun |  | write A | empty A | replace by A |
//! | `HandingOver` | both | `giving` A, no sender begun | A | hand over A | empty A | replace by A |
//! | `HandingOver` | both | `giving` A, a sender begun |  | `Torn` | `OldValueUnknown` | replace by A |
//! | `HandingOver` | both | `giving` A, a sender begun | P | `Torn` | hand over P | replace by A |
//! | `HandingOver` | both | `giving` A, a sender begun | A | hand over A | `OldValueUnknown` | replace by A |
//! | `Waiting` | both | `given` A | P | wait, empty P | hand over P | empty P |
//! | `Waiting` | both | `given` A | A | wait, empty P | `OldValueUnknown` | empty P |
//! | `Revoked` | A | `given` A | A | end with A | `NotOpen` | end with A |
//! | `HandingBack` | both | `returning` A |  | `Undoing` | `OldValueUnknown` | replace by A |
//! | `HandingBack` | both | `returning` A | P | `Undoing` | hand over P | replace by A |
//! | `WaitingToAbort` | both | `returned` A | P | `Undoing` | wait, empty A | replace by A |
//! | `Returned` | P | `returned` A | P | end with P | end with P | replace by A |
//! | `Begun` | P | `replacing` A | P | write A | end with P | replace by A |
//! | `Replacing` | both | `replacing` A | P | `Replacing` | `Replacing` | replace by A |
//! | `Replaced` | A | `replacing` A |  | write P | `NotOpen` | replace by P |
//! | `Empty` | none | none |  | `Empty` | `NotOpen` | `Empty` |
//! | `Empty` | none | `given` A |  | `Empty` | `NotOpen` | `Empty` |
//! | `Replaced` | P | `given` A | P | write A | `NotOpen` | replace by A |
//! | `Replaced` | A | `writing` A |  | write P | `NotOpen` | replace by P |
//! | `Replaced` | A | `returned` A | A | write P | `NotOpen` | replace by P |
//! | `Unclear` | both | none | P | `Unclear` | `Unclear` | replace by P |
//!
//! `write` proves the value before any sender is handed it. `replace` is one version with a fresh value in one slot and nothing in the
//! other, and hands that value over. `end` proves that the other value is refused, and removes the note.
//!
//! # A handover that was cut off
//!
//! When the source gives the new value, it is handed over again. Else it is lost, and a sender that was begun may live on it while
//! another one lives on the old value: `Torn`. The note has the count of the new slot's uses from before the first sender was begun, and
//! the counters show two cases in which there is a way on:
//!
//! - The only sender there is uses it: wait, then revoke the old one.
//! - No sender has used it, and none does for a retry horizon: write a fresh one over it. A sender that took it in silence is handed that.
//!
//! Of the ways out of all others, `--abort` is one as long as the source gives the old value, and `--compromised` always.
//!
//! # One run at a time
//!
//! The note has the [`run_id`] of the run that wrote it. A run that has written one itself and finds another run's stops: it was taken
//! over. A run does not begin while another one may be at work, because the sender that the other one has started cannot be stopped:
//!
//! - The other run is on this machine: it is at work while its process is there. A sender never outlives its run.
//! - It is on another machine: it may be at work when it noted a handover more recently than a sender may take.
//!
//! # Files
//!
//! - [`note`]: the tag, [`position`]: what follows from it, [`blocked`]: why that is nothing, [`idle`]: when a slot is unused; all pure
//! - [`run_id`]: who wrote the note, and whether that run lives
//! - [`run`]: what one run knows, reads and notes; [`uses`]: the gateway's counters
//! - `wait`, `steps`, [`rotate`]: one wait, each step, and all of them to the end
//! - [`status`]: the position, for people
//! - [`inventory`], [`age`]: which secrets there are and since when

pub(crate) mod age;
pub(crate) mod blocked;
pub(crate) mod idle;
pub(crate) mod inventory;
#[cfg(test)]
mod law;
pub(crate) mod note;
pub(crate) mod position;
mod rotate;
pub(crate) mod run;
mod run_id;
pub(crate) mod status;
mod steps;
mod uses;
mod wait;
