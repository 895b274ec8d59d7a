//! The smoke test of a real account (`tests/live`), with the sandbox as the account.

mod account;
mod program;
mod proxy;
mod recorded;
mod redaction;
mod run;
mod step;
mod usage;
