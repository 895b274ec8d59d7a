//! A route pattern as something a request matches, and which of two patterns is more specific. Pure.
//!
//! <https://developers.cloudflare.com/workers/configuration/routing/routes/#matching-behavior>, and what does not follow from it
//! alone: <https://developers.cloudflare.com/workers/platform/known-issues/#route-specificity>.

use crate::account::route::without_scheme;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    scheme: Scheme,
    host: String,
    any_prefix: Prefix,
    path: String,
    path_end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Any,
    Http,
    Https,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    None,
    /// `*.example.com`: subdomains only.
    Label,
    /// `*example.com`: also the host itself.
    Text,
}

/// How the path of a pattern ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The path is this one.
    Exact,
    /// A `*`: the path begins so.
    Open,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(pattern: &str) -> Self {
        let scheme = match pattern.split_once("://") {
            None => Scheme::Any,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            Some(_) => Scheme::Https,
        };
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
        Self {
            scheme,
            host: host.to_ascii_lowercase(),
            any_prefix,
            path: path.to_owned(),
            path_end,
        }
    }

    /// Whether a request by https to this host (lower case, no port) and path is for this pattern.
    pub fn matches(&self, host: &str, path: &str) -> bool {
        self.matches_host(host)
            && match self.path_end {
                End::Exact => path == self.path,
                End::Open => path.starts_with(&self.path),
            }
    }

    /// Whether requests by https to this host (lower case, no port) can be for this pattern.
    pub fn matches_host(&self, host: &str) -> bool {
        self.covers_host(host) && self.scheme != Scheme::Http
    }

    /// Whether requests to this host (lower case, no port), by http or https, can be for this pattern.
    pub fn covers_host(&self, host: &str) -> bool {
        match self.any_prefix {
            Prefix::None => host == self.host,
            Prefix::Label => host.len() > self.host.len() && host.ends_with(&self.host),
            Prefix::Text => host.ends_with(&self.host),
        }
    }

    /// The host, in lower case, with the `*` that may begin it.
    pub fn host(&self) -> String {
        match self.any_prefix {
            Prefix::None => self.host.clone(),
            Prefix::Label | Prefix::Text => format!("*{}", self.host),
        }
    }

    /// The path without its `*`, and how it ends.
    pub fn path(&self) -> (&str, End) {
        (&self.path, self.path_end)
    }

    /// Orders patterns: an exact host before a wildcard, then the longer host, an exact path, the longer path, one without a slash
    /// before its `*` (`/images*` has what `/images/*` has, too), one of a single scheme.
    pub fn specificity(&self) -> impl Ord + use<> {
        let path = self.path.trim_end_matches('/');
        (
            self.any_prefix == Prefix::None,
            self.host.len(),
            self.path_end == End::Exact,
            path.len(),
            path.len() == self.path.len(),
            self.scheme != Scheme::Any,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner<'a>(patterns: &[&'a str], host: &str, path: &str) -> Option<&'a str> {
        let fitting = patterns
            .iter()
            .filter(|pattern| Pattern::parse(pattern).matches(host, path));
        fitting
            .max_by_key(|pattern| Pattern::parse(pattern).specificity())
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
        assert!(Pattern::parse("glow.trade/a").matches("glow.trade", "/a"));
        assert!(!Pattern::parse("glow.trade/a").matches("glow.trade", "/a/b"));
        assert!(Pattern::parse("https://glow.trade").matches("glow.trade", "/"));
        assert!(!Pattern::parse("glow.trade").matches("glow.trade", "/a"));
    }

    #[test]
    fn the_documented_surprises_of_specificity_are_kept() {
        let images = ["example.com/images/*", "example.com/images*"];
        for path in ["/images", "/images123", "/images/hello"] {
            let won = winner(&images, "example.com", path);
            assert_eq!(won, Some("example.com/images*"), "{path}");
        }
        let host_first = ["*.example.com/a", "a.example.com/*"];
        let won = winner(&host_first, "a.example.com", "/a");
        assert_eq!(won, Some("a.example.com/*"));
    }

    #[test]
    fn a_pattern_of_one_scheme_is_more_specific_and_matches_that_one_only() {
        let patterns = [
            "glow.trade/*",
            "https://glow.trade/*",
            "http://glow.trade/*",
        ];
        let won = winner(&patterns, "glow.trade", "/");
        assert_eq!(won, Some("https://glow.trade/*"));
        assert!(!Pattern::parse(patterns[2]).matches("glow.trade", "/"));
    }

    #[test]
    fn a_label_wildcard_does_not_match_the_host_itself() {
        assert!(!Pattern::parse("*.glow.trade/*").matches("glow.trade", "/"));
        assert!(!Pattern::parse("*.glow.trade/*").matches("badglow.trade", "/"));
    }
}
