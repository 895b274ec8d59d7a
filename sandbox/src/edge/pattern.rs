//! A route pattern as something a request matches, and which of two patterns is more specific. Pure.

use crate::account::route::without_scheme;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    host: String,
    any_prefix: Prefix,
    path: String,
    path_end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    None,
    /// `*.example.com`: subdomains only.
    Label,
    /// `*example.com`: also the host itself.
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Exact,
    Open,
}

/// Reads a pattern; the scheme is ignored since the ingress speaks plain http for both.
pub(crate) fn parse(pattern: &str) -> Pattern {
    let rest = without_scheme(pattern);
    let (host, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let (any_prefix, host) = match host.strip_prefix('*') {
        Some(host) if host.starts_with('.') => (Prefix::Label, host),
        Some(host) => (Prefix::Text, host),
        None => (Prefix::None, host),
    };
    let (path, path_end) = match path.strip_suffix('*') {
        Some(path) => (path, End::Open),
        None => (path, End::Exact),
    };
    Pattern {
        host: host.to_ascii_lowercase(),
        any_prefix,
        path: path.to_owned(),
        path_end,
    }
}

impl Pattern {
    /// Whether a request to this host (lower case, no port) and path is for this pattern.
    pub(crate) fn matches(&self, host: &str, path: &str) -> bool {
        let host_fits = match self.any_prefix {
            Prefix::None => host == self.host,
            Prefix::Label => host.len() > self.host.len() && host.ends_with(&self.host),
            Prefix::Text => host.ends_with(&self.host),
        };
        host_fits
            && match self.path_end {
                End::Exact => path == self.path,
                End::Open => path.starts_with(&self.path),
            }
    }

    /// Orders patterns: an exact host before a wildcard, then the longer host, an exact path, the longer path.
    pub(crate) fn specificity(&self) -> impl Ord + use<> {
        (
            self.any_prefix == Prefix::None,
            self.host.len(),
            self.path_end == End::Exact,
            self.path.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner<'a>(patterns: &[&'a str], host: &str, path: &str) -> Option<&'a str> {
        let fitting = patterns
            .iter()
            .filter(|pattern| parse(pattern).matches(host, path));
        fitting
            .max_by_key(|pattern| parse(pattern).specificity())
            .copied()
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let patterns = [
            "*.glow.trade/*",
            "ws.glow.trade/*",
            "ws.glow.trade/room/*",
            "ws.glow.trade/room/one",
            "*glow.trade/*",
        ];
        assert_eq!(
            winner(&patterns, "ws.glow.trade", "/room/one"),
            Some("ws.glow.trade/room/one")
        );
        assert_eq!(
            winner(&patterns, "ws.glow.trade", "/room/two"),
            Some("ws.glow.trade/room/*")
        );
        assert_eq!(
            winner(&patterns, "ws.glow.trade", "/"),
            Some("ws.glow.trade/*")
        );
        assert_eq!(
            winner(&patterns, "app.glow.trade", "/"),
            Some("*.glow.trade/*")
        );
        assert_eq!(winner(&patterns, "glow.trade", "/"), Some("*glow.trade/*"));
        assert_eq!(winner(&patterns, "example.com", "/"), None);
    }

    #[test]
    fn a_path_without_a_star_matches_exactly() {
        assert!(parse("glow.trade/a").matches("glow.trade", "/a"));
        assert!(!parse("glow.trade/a").matches("glow.trade", "/a/b"));
        assert!(parse("https://glow.trade").matches("glow.trade", "/"));
        assert!(!parse("glow.trade").matches("glow.trade", "/a"));
    }

    #[test]
    fn a_label_wildcard_does_not_match_the_host_itself() {
        assert!(!parse("*.glow.trade/*").matches("glow.trade", "/"));
        assert!(!parse("*.glow.trade/*").matches("badglow.trade", "/"));
    }
}
