//! The query parameters of the gateway's routes.

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// The paths that read it.
    pub of: &'static [&'static str],
    pub meaning: &'static str,
    /// The values that mean something; none where any does.
    pub values: &'static [&'static str],
}

/// Every one.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "since",
        of: &["/ws/:token"],
        meaning: "the last `seq` that the client has seen",
        values: &[],
    },
    Parameter {
        name: "epoch",
        of: &["/ws/:token"],
        meaning: "the epoch of that number",
        values: &[],
    },
    Parameter {
        name: "errors",
        of: &["/ws/:token"],
        meaning: "`close`: a refusal is told by a [close code](#refused-handshakes) instead of a status, which a browser's page cannot see",
        values: &["close"],
    },
    Parameter {
        name: "force",
        of: &["/broadcast/:token", "/broadcast"],
        meaning: "`1` or `true`: deliver even an update that is stale; refused with a signature, which does not cover it",
        values: &["1", "true"],
    },
    Parameter {
        name: "deep",
        of: &["/health"],
        meaning: "`1`: ask a room object too",
        values: &["1"],
    },
    Parameter {
        name: "probe",
        of: &["/health"],
        meaning: "with `deep=1`: which of 256 objects, `0` to `255`, to ask",
        values: &[],
    },
];
