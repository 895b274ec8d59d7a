//! Custom domains: attached and detached, never taken from another script.

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
