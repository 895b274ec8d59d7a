//! Rules across the fields of a manifest. A rule of one field alone is its type's, in `name`.

use std::ops::Range;

use edge_broadcast_protocol::contract::binding;

use crate::environment::manifest::{Manifest, MigrationMode};
use crate::environment::name::{EnvironmentName, Host, JURISDICTIONS};
use crate::environment::script_name;

/// The longest script name that Cloudflare takes (docs: Workers, Limits).
const SCRIPT_NAME_MAX: usize = 63;
/// Secrets that the gateway reads and a manifest may name.
const SECRETS: [&str; 2] = [binding::WEBHOOK_SECRET, binding::ADMIN_SECRET];

/// A broken rule: the bytes of the manifest that break it, and a problem's message.
pub(super) type Broken = (Range<usize>, String);

/// Every rule that `manifest` breaks.
pub(super) fn broken(name: &EnvironmentName, manifest: &Manifest) -> Vec<Broken> {
    let mut found = Vec::new();
    let room_script = script_name::room(manifest.worker.name.as_ref().as_str(), name.as_str());
    if room_script.len() > SCRIPT_NAME_MAX {
        found.push((
            manifest.worker.name.span(),
            format!(
                "the script name `{room_script}` has {} characters, but Cloudflare takes at most {SCRIPT_NAME_MAX}\nshorten `worker.name` or the environment's name",
                room_script.len()
            ),
        ));
    }
    if manifest.routes.is_empty() {
        found.push((
            0..0,
            "no host is served\nadd a `[[routes]]` table with a `host`".to_owned(),
        ));
    }
    hosts(manifest, &mut found);
    regions(manifest, &mut found);
    jurisdiction(manifest, &mut found);
    for route in &manifest.routes {
        if let Some(override_dns) = route.override_dns.as_ref().filter(|_| !route.custom_domain) {
            found.push((
                override_dns.span(),
                "`override_dns` has no effect on a zone route\nset `custom_domain = true` or remove it".to_owned(),
            ));
        }
    }
    secrets(manifest, &mut found);
    headers(manifest, &mut found);
    if let Some(rollout) = manifest
        .rollout
        .as_ref()
        .filter(|_| manifest.analytics.is_none())
    {
        found.push((
            rollout.span(),
            "a rollout goes by what the workers count, and they count nothing\nadd `[analytics]` with a `dataset`, or remove `[rollout]`".to_owned(),
        ));
    }
    if let Some(sst) = &manifest.sst {
        let migration = sst.migration.as_ref();
        if (migration.mode == MigrationMode::Percent) != migration.percent.is_some() {
            found.push((
                sst.migration.span(),
                "`percent` belongs to the mode `percent`, and only to it\nwrite `{ mode = \"percent\", percent = 10 }` or leave `percent` out".to_owned(),
            ));
        }
    }
    found
}

fn hosts(manifest: &Manifest, found: &mut Vec<Broken>) {
    let zone = &manifest.cloudflare.zone;
    let routes = manifest.routes.iter().map(|route| &route.host);
    let regions = manifest.regions.iter().map(|region| &region.host);
    let mut seen: Vec<&Host> = Vec::new();
    for host in routes.chain(regions) {
        let text = host.as_ref().as_str();
        if text != zone.as_str() && !text.ends_with(&format!(".{zone}")) {
            found.push((
                host.span(),
                format!("`{text}` is not in the zone `{zone}`\nuse a host that ends with `.{zone}`, or change `cloudflare.zone`"),
            ));
        }
        if seen.contains(&host.as_ref()) {
            found.push((
                host.span(),
                format!("`{text}` is routed twice\nremove one of the two: a host belongs to one route or one region"),
            ));
        }
        seen.push(host.as_ref());
    }
}

/// Objects of a jurisdiction are made within it, whatever the hint says: one of elsewhere is a mistake in one of the two.
fn jurisdiction(manifest: &Manifest, found: &mut Vec<Broken>) {
    let Some(chosen) = &manifest.worker.jurisdiction else {
        return;
    };
    let mut known = JURISDICTIONS.iter();
    let (name, within) = known
        .find(|(name, _)| *name == chosen.as_str())
        .expect("a jurisdiction is one of those that there are");
    let hints = manifest.regions.iter().map(|region| &region.location_hint);
    for hint in hints.filter(|hint| !within.contains(&hint.as_ref().as_str())) {
        found.push((
            hint.span(),
            format!(
                "`{}` is not within the jurisdiction `{name}`\nuse `{}`, or leave `worker.jurisdiction` out",
                hint.as_ref(),
                within.join("` or `")
            ),
        ));
    }
}

fn regions(manifest: &Manifest, found: &mut Vec<Broken>) {
    let mut names = Vec::new();
    let mut continents = Vec::new();
    for region in &manifest.regions {
        let name = region.name.as_ref();
        if names.contains(&name) {
            found.push((
                region.name.span(),
                format!("the region `{name}` is defined twice\nrename or remove one of the two"),
            ));
        }
        names.push(name);
        for continent in &region.continents {
            if continents.contains(&continent.as_ref()) {
                found.push((
                    continent.span(),
                    format!(
                        "the continent `{}` belongs to two regions\nremove it from one of them",
                        continent.as_ref()
                    ),
                ));
            }
            continents.push(continent.as_ref());
        }
    }
}

/// Their names differ by more than their case, which HTTP does not see.
fn headers(manifest: &Manifest, found: &mut Vec<Broken>) {
    let mut seen = Vec::new();
    for name in manifest.verify.headers.keys() {
        let lower = name.as_ref().as_str().to_ascii_lowercase();
        if seen.contains(&lower) {
            found.push((
                name.span(),
                format!(
                    "the header `{}` is there twice\nremove one of the two: capital letters make no difference",
                    name.as_ref()
                ),
            ));
        }
        seen.push(lower);
    }
}

fn secrets(manifest: &Manifest, found: &mut Vec<Broken>) {
    for name in manifest.secrets.keys() {
        let text = name.as_ref().as_str();
        if text == binding::WEBHOOK_SECRET_ALTERNATE {
            found.push((
                name.span(),
                format!("`{text}` is the second slot of `{}`\nremove it: a rotation fills and empties it", binding::WEBHOOK_SECRET),
            ));
        } else if !SECRETS.contains(&text) {
            found.push((
                name.span(),
                format!(
                    "no worker reads a secret `{text}`\nuse one of `{}`",
                    SECRETS.join("`, `")
                ),
            ));
        }
    }
    let mut names = manifest.secrets.keys();
    if !names.any(|name| name.as_ref().as_str() == binding::WEBHOOK_SECRET) {
        found.push((
            0..0,
            format!("the secret `{0}` is missing: without it nobody can publish\nadd `[secrets.{0}]` with `source = \"env:{0}\"`", binding::WEBHOOK_SECRET),
        ));
    }
}
