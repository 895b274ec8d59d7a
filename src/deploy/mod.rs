//! Deploys: applies a plan, goes back when it does not work, and says what was done and what was not.
//!
//! Here stand the order of writes and the way back. What to write is decided in `plan`, how a call looks in `cloudflare`.
//!
//! Imports: `build`, `cloudflare`, `environment`, `live`, `metric`, `plan`, `process`, `secret`, `terminal`

pub mod apply;
pub(crate) mod causes;
pub(crate) mod destroy;
pub(crate) mod remote;
pub(crate) mod running;
pub(crate) mod verification;
pub(crate) mod watch;
