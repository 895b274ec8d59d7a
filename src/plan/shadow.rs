//! Shadows: routes of others that take requests for addresses of ours.
//!
//! Which of several patterns takes a request is Cloudflare's rule, as the sandbox's edge has it ([`Pattern`]).

use edge_broadcast_protocol::gateway::route::{PATHS, Route};
use edge_broadcast_sandbox::{End, Pattern};

use super::observed::LiveRoute;
use crate::environment::{Served, ServedBy};
use crate::terminal::advice::Advice;

/// What stands for any token in a path.
const TOKEN: &str = ":token";
/// Paths without which a deployment is never found to work.
const VERIFIED: [&str; 3] = ["/health", "/ws/:token", "/broadcast/:token"];

/// A route of another script, or of none, and what it takes of a host of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    host: String,
    by: ServedBy,
    pattern: String,
    /// None switches Workers off.
    script: Option<String>,
    /// Paths of which it takes every request.
    whole: Vec<&'static str>,
    /// Paths of which it takes some requests.
    part: Vec<&'static str>,
}

/// The shadows on a host that `gateway` serves.
pub(super) fn on(served: &Served, gateway: &str, routes: &[LiveRoute]) -> Vec<Shadow> {
    let others = routes
        .iter()
        .filter(|route| route.script.as_deref() != Some(gateway));
    others.filter_map(|route| of(route, served)).collect()
}

fn of(route: &LiveRoute, served: &Served) -> Option<Shadow> {
    let pattern = Pattern::parse(&route.pattern);
    let goes_first = match served.by {
        ServedBy::ZoneRoute => {
            pattern.specificity() > Pattern::parse(&served.pattern()).specificity()
        }
        // Routes go before custom domains; one without a Worker hands on to the origin, which the domain is
        ServedBy::CustomDomain(_) => route.script.is_some(),
    };
    if !goes_first || !pattern.matches_host(served.host.as_str()) {
        return None;
    }
    let taken = |wanted| {
        let paths = PATHS.into_iter();
        let paths = paths.filter(|path| share(&pattern, path) == wanted);
        paths.collect::<Vec<_>>()
    };
    let (whole, part) = (taken(Share::All), taken(Share::Some));
    (!whole.is_empty() || !part.is_empty()).then(|| Shadow {
        host: served.host.to_string(),
        by: served.by,
        pattern: route.pattern.clone(),
        script: route.script.clone(),
        whole,
        part,
    })
}

/// How much of a path's requests a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    All,
    Some,
    None,
}

fn share(pattern: &Pattern, path: &str) -> Share {
    let (taken, end) = pattern.path();
    let before = path.strip_suffix(TOKEN);
    let begins = before.unwrap_or(path);
    match (before, end) {
        (_, End::Open) if begins.starts_with(taken) => Share::All,
        (None, End::Exact) if taken == path => Share::All,
        // A slash at the end is left out by the gateway, and not by a route
        (None, _) if taken.strip_suffix('/') == Some(path) => Share::Some,
        (Some(before), _) => match taken.strip_prefix(before) {
            Some(token) if may_be(token, end, before) => Share::Some,
            _ => Share::None,
        },
        _ => Share::None,
    }
}

/// Whether a request may have `token`, or begin with it, after the path `before`.
fn may_be(token: &str, end: End, before: &str) -> bool {
    let name = token.strip_suffix('/').unwrap_or(token);
    let is_served = |method: &&str| Route::of(method, &format!("{before}{token}")).is_ok();
    match end {
        _ if name.is_empty() => false,
        End::Exact => ["GET", "POST"].iter().any(is_served),
        End::Open => !name.contains('/'),
    }
}

impl Shadow {
    /// Whether no deployment can be found to work while the route is there. A Worker on a route in front of a custom domain may
    /// hand requests on to it (docs: Custom Domains, "Interaction with Routes"); to another zone route it cannot.
    pub(super) fn is_certain(&self) -> bool {
        self.by == ServedBy::ZoneRoute && self.whole.iter().any(|path| VERIFIED.contains(path))
    }

    /// How much of one of [`PATHS`] it takes.
    #[cfg(test)]
    pub(super) fn share(&self, path: &str) -> &'static str {
        let is_of = |paths: &[&str]| paths.contains(&path);
        match (is_of(&self.whole), is_of(&self.part)) {
            (true, _) => "all",
            (_, true) => "some",
            _ => "none",
        }
    }

    /// Whether it takes a request to this host (lower case) and path.
    pub(crate) fn takes(&self, host: &str, path: &str) -> bool {
        host == self.host && Pattern::parse(&self.pattern).matches(host, path)
    }

    /// What it takes, and the way out.
    pub(crate) fn advice(&self) -> Advice {
        let Self { host, pattern, .. } = self;
        let route = match &self.script {
            Some(script) => format!("the route `{pattern}` of the script `{script}`"),
            None => format!("the route `{pattern}`, which runs no Worker,"),
        };
        let whole = self.whole.iter().map(|path| format!("`{path}`"));
        let part = self.part.iter().map(|path| format!("some of `{path}`"));
        let taken = match self.whole.len() == PATHS.len() {
            true => "every request".to_owned(),
            false => whole.chain(part).collect::<Vec<_>>().join(", "),
        };
        let fix = match self.by {
            ServedBy::ZoneRoute => {
                "remove that route in the dashboard, or use another host in the manifest"
            }
            ServedBy::CustomDomain(_) => {
                "routes go before custom domains: remove that route in the dashboard, unless its Worker hands these requests on"
            }
        };
        Advice::new(format!("{route} takes {taken} of `{host}`"), fix)
    }
}
