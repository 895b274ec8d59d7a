//! What the workers have counted: the questions that are asked of it, what the answers mean, and what follows from them.
//!
//! Pure: a question is text for Analytics Engine's SQL, an answer its rows. The columns are `edge_broadcast_protocol::contract::metric`.
//!
//! Imports: nothing

pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod panel;
pub(crate) mod question;
