//! Analytics Engine: the data points that Workers write, kept in SQLite, and the SQL that Cloudflare answers on them. A statement is
//! parsed, held to what Cloudflare documents, and translated; no text of a client ever reaches SQLite.
//!
//! Imports: nothing

mod aggregate;
pub(crate) mod answer;
mod catalog;
mod civil;
mod expression;
mod kind;
pub(crate) mod point;
pub(crate) mod refusal;
mod scalar;
mod statement;
pub(crate) mod store;
#[cfg(test)]
mod tests;
