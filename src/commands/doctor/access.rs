//! What the credential may, and until when.

use std::time::{Duration, SystemTime};

use crate::cloudflare::Cloudflare;
use crate::cloudflare::token::{self, Known};
use crate::environment::Environment;
use crate::plan::{Observed, Seen};

use super::finding::Finding;

/// Enough to make another one, whoever has to be asked.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// That the token ends soon, or has ended; `known` is what the API says of it.
pub(super) fn of_token(known: &Known, now: SystemTime) -> Option<Finding> {
    const RENEW: &str = "make another token in the dashboard (My Profile, API Tokens) and set `CLOUDFLARE_API_TOKEN`";
    if let Some(status) = known.status.as_deref().filter(|it| *it != "active") {
        return Some(Finding::wrong(format!("the API token is {status}"), RENEW));
    }
    let end = known.expires_on.as_deref()?;
    let left = humantime::parse_rfc3339_weak(end).ok()?.duration_since(now);
    let left = left.unwrap_or_default();
    (left < SOON).then(|| {
        let days = left.as_secs() / (24 * 60 * 60);
        Finding::wrong(
            format!("the API token ends at {end}, in {days} days"),
            RENEW,
        )
    })
}

/// The rights without which a deployment works and something else does not.
pub(super) async fn rights(
    cloudflare: &Cloudflare,
    environment: &Environment,
    observed: &Observed,
) -> Vec<Finding> {
    let mut findings = of_lists(observed);
    let gateway = environment.gateway_script();
    let analytics = async {
        match environment.dataset.is_some() {
            true => Some(token::reads_analytics(cloudflare).await),
            false => None,
        }
    };
    let tails = async {
        match observed.scripts.contains_key(&gateway) {
            true => Some(token::reads_tails(cloudflare, &gateway).await),
            false => None,
        }
    };
    let (analytics, tails) = tokio::join!(analytics, tails);
    for (asked, right, what) in [
        (
            analytics,
            "Account Analytics Read` on the account",
            "`stats` and a rollout by evidence need",
        ),
        (tails, "Workers Tail Read` on the account", "`tail` needs"),
    ] {
        match asked {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => findings.push(lacks(right, what)),
            Some(Err(error)) => findings.push(Finding::failed(&error)),
        }
    }
    findings
}

/// What could not be read of the zone, and was not needed.
fn of_lists(observed: &Observed) -> Vec<Finding> {
    let records = matches!(observed.records, Seen::Refused)
        .then(|| lacks("DNS Read` on the zone", "the look at its records needs"));
    let certificates = matches!(observed.certificates, Seen::Refused).then(|| {
        lacks(
            "SSL and Certificates Read` on the zone",
            "the look at its certificates needs",
        )
    });
    records.into_iter().chain(certificates).collect()
}

fn lacks(right: &str, needs: &str) -> Finding {
    Finding::note(format!(
        "the API token has not `{right}, which {needs}: add it in the dashboard (My Profile, API Tokens)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_ends_soon_is_told_before_it_does() {
        let now = humantime::parse_rfc3339("2026-10-01T00:00:00Z").unwrap();
        let told = |status: &str, end: Option<&str>| {
            let known = Known {
                status: Some(status.to_owned()),
                expires_on: end.map(str::to_owned),
                now: None,
            };
            of_token(&known, now).map(|finding| finding.to_string())
        };
        assert_eq!(told("active", None), None);
        assert_eq!(told("active", Some("2026-10-15T00:00:00Z")), None);
        assert_eq!(of_token(&Known::default(), now), None);
        let renew = "\n         make another token in the dashboard (My Profile, API Tokens) and set `CLOUDFLARE_API_TOKEN`";
        assert_eq!(
            told("active", Some("2026-10-04T12:00:00Z")),
            Some(format!(
                "WRONG  the API token ends at 2026-10-04T12:00:00Z, in 3 days{renew}"
            ))
        );
        assert_eq!(
            told("expired", Some("2026-09-30T00:00:00Z")),
            Some(format!("WRONG  the API token is expired{renew}"))
        );
    }
}
