//! The `workers/message` of what this tool makes: a version says its release, by which a rollback finds what belongs together.

const TOOL: &str = "edge-broadcast";
/// Before what tells one copy of a version from the next, at the end of its message.
const COPY: &str = "[secrets ";

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

/// The message of a deployment of other secrets.
pub(crate) fn of_secrets(environment: &str) -> String {
    format!("{TOOL} {environment} secrets")
}

/// The message of a copy, with other secrets, of a version with the message `of`; another one with each `id`.
pub(crate) fn of_copy(of: Option<&str>, id: u32) -> String {
    let of = original(of.unwrap_or_default());
    format!("{of} {COPY}{id:08x}]").trim_start().to_owned()
}

/// Whether a version with this message is a copy with other secrets than the version of which it is one.
pub(crate) fn is_copy(message: &str) -> bool {
    message.ends_with(']') && message.contains(COPY)
}

/// The message of the version of which one with this message is a copy, or its own.
fn original(message: &str) -> &str {
    match message.rfind(COPY) {
        Some(at) if is_copy(message) => message[..at].trim_end(),
        _ => message,
    }
}

/// The release that a version's message names; `None` when the message is not ours.
pub(crate) fn among(message: &str) -> Option<&str> {
    let words = original(message).strip_prefix(TOOL)?.strip_prefix(' ')?;
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

    #[test]
    fn a_copy_of_a_version_is_of_its_release_and_no_two_have_one_message() {
        let version = of_version("staging", "1a2b3c4d");
        assert!(!is_copy(&version));
        let copy = of_copy(Some(&version), 1);
        assert!(
            copy.starts_with("edge-broadcast staging 1a2b3c4d [secrets "),
            "{copy}"
        );
        let again = of_copy(Some(&copy), 2);
        assert_eq!(again.len(), copy.len());
        assert_ne!(again, copy);
        for copy in [copy, again] {
            assert!(is_copy(&copy));
            assert_eq!(among(&copy), Some("1a2b3c4d"));
        }
        for other in [None, Some(""), Some("fix a bug [secrets]")] {
            let copy = of_copy(other, 3);
            assert!(is_copy(&copy) && among(&copy).is_none(), "{copy}");
            assert!(copy.starts_with(other.unwrap_or_default()), "{copy}");
        }
    }
}
