//! The `workers/message` of what this tool makes: a version says its release, by which a rollback finds what belongs together.

const TOOL: &str = "edge-broadcast";

/// The message of a version of `release`.
pub(crate) fn of_version(environment: &str, release: &str) -> String {
    format!("{TOOL} {environment} {release}")
}

/// The message of a deployment.
pub(crate) fn of_deployment(environment: &str) -> String {
    format!("{TOOL} {environment}")
}

/// The message of a deployment that goes back.
pub(crate) fn of_rollback(environment: &str) -> String {
    format!("{TOOL} {environment} rollback")
}

/// The release that a version's message names; `None` when the message is not ours.
pub(crate) fn among(message: &str) -> Option<&str> {
    let words = message.strip_prefix(TOOL)?.strip_prefix(' ')?;
    words.rsplit(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_as_it_was_written_and_of_nobody_else() {
        assert_eq!(among(&of_version("staging", "1a2b3c4d")), Some("1a2b3c4d"));
        for other in ["", "edge-broadcast", "edge-broadcaster e 1", "fix a bug"] {
            assert_eq!(among(other), None, "{other}");
        }
    }
}
