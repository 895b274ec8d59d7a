//! Why a statement is not answered, in Cloudflare's words where they are known.

/// One line of plain text, as Cloudflare sends it with the status 422.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub String);

impl Refusal {
    /// With the words that precede every one of them.
    pub(super) fn new(why: impl std::fmt::Display) -> Self {
        Self(format!("Input was invalid: {why}"))
    }

    /// Something that the documentation does not have.
    pub(super) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(format!("unsupported expression type: {what}"))
    }
}
