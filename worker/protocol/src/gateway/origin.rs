//! Which pages may open a socket.

use crate::contract::refusal::{self, Refusal};
use crate::contract::settings::GatewaySettings;
use crate::gateway::route;

/// Checks that a request to `host` with this `Origin` header (RFC 6454, section 7) may connect.
///
/// Only browsers send `Origin`, and a page cannot forge it; a program can. So this protects users from foreign pages, not
/// the room from programs: what is missing is refused only when the settings say so. No rule at all matches no browser.
///
/// The host's own origin is no foreign page, whatever the rules are: React Native on Android sends it with every socket
/// (`getDefaultOrigin` in its `WebSocketModule`), and the gateway serves no pages that could.
///
/// # Errors
/// 403 for an origin that is not allowed, and for none when one is required.
pub fn check(origin: Option<&str>, host: &str, settings: &GatewaySettings) -> Result<(), Refusal> {
    match origin {
        None if settings.require_origin => Err(refusal::ORIGIN_REQUIRED),
        None => Ok(()),
        Some(origin)
            if is_own(origin, host)
                || settings
                    .allowed_origins
                    .iter()
                    .any(|rule| matches(rule, origin)) =>
        {
            Ok(())
        }
        Some(_) => Err(refusal::ORIGIN_NOT_ALLOWED),
    }
}

fn is_own(origin: &str, host: &str) -> bool {
    origin.contains("://") && route::host(origin).eq_ignore_ascii_case(host)
}

/// `*` is any origin; `https://*.glow.trade` is any subdomain, however deep, and never `glow.trade` itself.
fn matches(rule: &str, origin: &str) -> bool {
    let (rule, origin) = (rule.to_ascii_lowercase(), origin.to_ascii_lowercase());
    let subdomain = || {
        let (scheme, domain) = rule.split_once("://*.")?;
        let host = origin.strip_prefix(scheme)?.strip_prefix("://")?;
        host.strip_suffix(domain)?.strip_suffix('.')
    };
    rule == "*" || rule == origin || subdomain().is_some_and(|label| label.split('.').all(is_label))
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOST: &str = "broadcast.glow.trade";

    fn settings(rules: &[&str]) -> GatewaySettings {
        GatewaySettings {
            allowed_origins: rules.iter().map(ToString::to_string).collect(),
            ..GatewaySettings::default()
        }
    }

    fn allowed(rule: &str, origin: &str) -> bool {
        check(Some(origin), HOST, &settings(&[rule])).is_ok()
    }

    #[test]
    fn an_exact_origin_is_scheme_host_and_port() {
        assert!(allowed("https://app.glow.trade", "https://app.glow.trade"));
        assert!(!allowed("https://app.glow.trade", "http://app.glow.trade"));
        assert!(!allowed(
            "https://app.glow.trade",
            "https://app.glow.trade:8443"
        ));
        assert!(!allowed(
            "https://app.glow.trade",
            "https://app.glow.trade.evil.com"
        ));
        assert!(!allowed("https://app.glow.trade", "null"));
    }

    #[test]
    fn a_wildcard_is_a_subdomain_of_any_depth_and_never_the_domain_itself() {
        let rule = "https://*.glow.trade";
        assert!(allowed(rule, "https://app.glow.trade"));
        assert!(allowed(rule, "https://a.b.glow.trade"));
        for origin in [
            "https://glow.trade",
            "https://.glow.trade",
            "https://a..glow.trade",
            "https://.a.glow.trade",
            "https://evilglow.trade",
            "https://evil.com/.glow.trade",
            "http://app.glow.trade",
            "https://app.glow.trade.evil.com",
            "https://ä.glow.trade",
        ] {
            assert!(!allowed(rule, origin), "{origin}");
        }
    }

    #[test]
    fn without_a_rule_no_browser_connects_and_with_the_star_every_one_does() {
        let origin = Some("https://app.glow.trade");
        assert_eq!(
            check(origin, HOST, &settings(&[])).unwrap_err().code,
            "origin_not_allowed"
        );
        assert!(check(origin, HOST, &settings(&["*"])).is_ok());
    }

    #[test]
    fn a_request_without_origin_is_refused_only_when_one_is_required() {
        assert!(check(None, HOST, &settings(&[])).is_ok());
        let strict = GatewaySettings {
            require_origin: true,
            ..settings(&["*"])
        };
        assert_eq!(
            check(None, HOST, &strict).unwrap_err().code,
            "origin_required"
        );
        assert!(check(Some("https://any.example"), HOST, &strict).is_ok());
    }

    #[test]
    fn an_app_that_sends_the_hosts_own_origin_connects_whatever_the_rules_are() {
        let own = |origin| check(Some(origin), HOST, &settings(&[])).is_ok();
        assert!(own("https://broadcast.glow.trade"));
        assert!(own("https://Broadcast.glow.trade"));
        assert!(own("http://broadcast.glow.trade:8787"));
        for foreign in [
            "broadcast.glow.trade",
            "https://glow.trade",
            "https://x.broadcast.glow.trade",
            "https://broadcast.glow.trade.evil.com",
            "https://evil.com/broadcast.glow.trade",
            "https://broadcast.glow.trade@evil.com",
            "null",
            "",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn no_origin_panics_and_a_wildcard_lets_only_its_domain_through(origin in ".*") {
            if allowed("https://*.glow.trade", &origin) {
                let origin = origin.to_ascii_lowercase();
                prop_assert!(origin.ends_with(".glow.trade") || is_own(&origin, HOST));
            }
        }
    }
}
