//! Custom domains: attached and detached, and taken from no script but the one that is named.

use reqwest::Method;
use serde_json::json;

use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::observe;
use crate::cloudflare::overtaken::taken;
use crate::cloudflare::page::Pages;
use crate::cloudflare::path::with_query;
use crate::plan::{LiveDomain, OverrideDns};

/// Attaches `hostname` to `script`.
pub(super) async fn add(
    cloudflare: &Cloudflare,
    zone: &str,
    hostname: &str,
    script: &str,
    override_dns: OverrideDns,
) -> anyhow::Result<()> {
    let zone = observe::zone_id(cloudflare, zone).await?;
    let pairs = [("zone_id", zone.as_str()), ("hostname", hostname)];
    let path = cloudflare.of_account("workers/domains");
    let others = |domain: &LiveDomain| domain.hostname == hostname && domain.script != script;
    let mut domains = Pages::new(cloudflare, with_query(&path, &pairs));
    // The API would take it away from its Worker without a word
    if let Some(domain) = domains.find(others).await? {
        return Err(theirs(domain));
    }
    let body = json!({
        "hostname": hostname,
        "service": script,
        "environment": "production",
        "zone_id": zone,
        "override_existing_dns_record": override_dns == OverrideDns::Allowed,
    });
    cloudflare.write(Method::PUT, &path, &body).await
}

/// Gives the custom domain `hostname` of `from` to `script`, in place.
pub(super) async fn hand_over(
    cloudflare: &Cloudflare,
    zone: &str,
    hostname: &str,
    from: &str,
    script: &str,
) -> anyhow::Result<()> {
    let zone = observe::zone_id(cloudflare, zone).await?;
    let pairs = [("zone_id", zone.as_str()), ("hostname", hostname)];
    let path = cloudflare.of_account("workers/domains");
    let mut domains = Pages::<LiveDomain>::new(cloudflare, with_query(&path, &pairs));
    let domain = domains.find(|domain| domain.hostname == hostname).await?;
    match domain {
        Some(domain) if domain.script == script => Ok(()),
        Some(domain) if domain.script == from => {
            let body = json!({
                "hostname": hostname,
                "service": script,
                "environment": "production",
                "zone_id": zone,
                // Without it the domain of another Worker is a conflict (wrangler 4.164 sends it when that was confirmed)
                "override_existing_origin": true,
            });
            cloudflare.write(Method::PUT, &path, &body).await
        }
        Some(domain) => Err(theirs(domain)),
        None => Err(taken(&format!("the custom domain `{hostname}`"), None)),
    }
}

/// Detaches the domain `id`, unless it is another script's by now.
pub(super) async fn remove(cloudflare: &Cloudflare, id: &str, script: &str) -> anyhow::Result<()> {
    let path = cloudflare.of_account(&format!("workers/domains/{id}"));
    match cloudflare.find::<LiveDomain>(&path).await? {
        None => Ok(()),
        Some(domain) if domain.script == script => cloudflare.delete(&path).await,
        Some(domain) => Err(theirs(domain)),
    }
}

fn theirs(domain: LiveDomain) -> anyhow::Error {
    let what = format!("the custom domain `{}`", domain.hostname);
    taken(&what, Some(domain.script))
}
