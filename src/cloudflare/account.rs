//! What an account has as a whole, whosever it is. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use futures_util::future::try_join_all;
use serde::Deserialize;

use super::client::Cloudflare;
use super::envelope::{Call, decode_list};
use super::observe;
use super::page::Pages;
use super::path::{id, with_query};
use super::wire::Zone;
use crate::plan::destroy::{Standing, StandingScript, Stored};
use crate::plan::pair::{Pair, Tagged};
use crate::plan::{LiveDomain, LiveRoute};

/// More than an account has, and what wrangler asks for.
const NAMESPACES_PER_PAGE: u32 = 1000;
/// As many objects of a class are counted: one call (SDK: `limit` of a namespace's objects is 1000 unless it is said).
const OBJECTS: usize = 1000;

/// An item of `GET /accounts/A/workers/scripts` (SDK 5.9.0, `Script`).
#[derive(Deserialize)]
struct Script {
    id: String,
    #[serde(default)]
    tags: BTreeSet<String>,
}

/// An item of `GET /accounts/A/workers/durable_objects/namespaces`
#[derive(Deserialize)]
struct Namespace {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(default)]
    script: Option<String>,
    #[serde(default)]
    class: Option<String>,
}

/// An item of `GET …/namespaces/N/objects`
#[derive(Deserialize)]
struct Object {
    #[serde(default = "yes", rename = "hasStoredData")]
    has_stored_data: bool,
}

fn yes() -> bool {
    true
}

/// `GET scripts/S/references`: what wrangler asks for before it deletes (wrangler 4.164, `delete.ts`).
#[derive(Default, Deserialize)]
#[serde(default)]
struct References {
    durable_objects: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    service: String,
}

/// Which zones are searched for routes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Zones<'a> {
    One(&'a str),
    /// All that the credential sees.
    All,
}

/// The scripts of the account.
pub(crate) async fn scripts(cloudflare: &Cloudflare) -> anyhow::Result<Vec<Tagged>> {
    let path = cloudflare.of_account("workers/scripts");
    let scripts = Pages::<Script>::new(cloudflare, path).all().await?;
    let tagged = scripts.into_iter().map(|script| Tagged {
        name: script.id,
        tags: script.tags,
    });
    Ok(tagged.collect())
}

/// The Durable Object classes of the account, by script.
pub(crate) async fn classes(
    cloudflare: &Cloudflare,
) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for namespace in namespaces(cloudflare).await? {
        if let (Some(script), Some(class)) = (namespace.script, namespace.class) {
            classes.entry(script).or_default().insert(class);
        }
    }
    Ok(classes)
}

async fn namespaces(cloudflare: &Cloudflare) -> anyhow::Result<Vec<Namespace>> {
    let path = cloudflare.of_account("workers/durable_objects/namespaces");
    let pages = Pages::new(cloudflare, path).sized(NAMESPACES_PER_PAGE);
    pages.all().await
}

/// Everything that is there of `pair`.
pub(crate) async fn standing(
    cloudflare: &Cloudflare,
    pair: &Pair,
    zones: Zones<'_>,
) -> anyhow::Result<Standing> {
    let names = [pair.gateway(), pair.room()];
    let (all, namespaces) = tokio::try_join!(scripts(cloudflare), namespaces(cloudflare))
        .with_context(|| format!("reading what is live of `{}`", names[0]))?;
    let of_pair = all
        .into_iter()
        .filter(|script| names.contains(&script.name));
    let scripts =
        try_join_all(of_pair.map(|tagged| script(cloudflare, tagged, &namespaces))).await?;
    if scripts.is_empty() {
        return Ok(Standing::default());
    }
    let domains = cloudflare.of_account("workers/domains");
    let (routes, domains) = tokio::try_join!(
        routes(cloudflare, zones),
        Pages::<LiveDomain>::new(cloudflare, domains).all(),
    )?;
    Ok(Standing {
        scripts,
        routes,
        domains,
    })
}

async fn script(
    cloudflare: &Cloudflare,
    tagged: Tagged,
    namespaces: &[Namespace],
) -> anyhow::Result<StandingScript> {
    let own = namespaces
        .iter()
        .filter(|namespace| namespace.script.as_ref() == Some(&tagged.name));
    let (stored, used_by) = tokio::try_join!(
        try_join_all(own.map(|namespace| stored(cloudflare, namespace))),
        users(cloudflare, &tagged.name),
    )?;
    Ok(StandingScript {
        tagged,
        stored,
        used_by,
    })
}

async fn stored(cloudflare: &Cloudflare, namespace: &Namespace) -> anyhow::Result<Stored> {
    let path = format!(
        "workers/durable_objects/namespaces/{}/objects?limit={OBJECTS}",
        namespace.id
    );
    let path = cloudflare.of_account(&path);
    let (result, _) = cloudflare.get_page(&path).await?;
    let objects: Vec<Object> = decode_list(Call::get(&path), result)?;
    let or_more = objects.len() >= OBJECTS;
    let stored = objects.into_iter().filter(|object| object.has_stored_data);
    Ok(Stored {
        class: namespace.class.clone().unwrap_or_default(),
        objects: stored.count(),
        or_more,
    })
}

/// The scripts that bind the Durable Object classes of a script. That the API does not know it is an error, as wrangler has it: to say
/// that nobody uses a script which is there after all would be its end.
pub(super) async fn users(cloudflare: &Cloudflare, script: &str) -> anyhow::Result<Vec<String>> {
    let path = cloudflare.of_script(script, "references");
    let references: References = cloudflare.get(&path).await?;
    let objects = references.durable_objects.into_iter();
    let services: BTreeSet<String> = objects.map(|reference| reference.service).collect();
    Ok(services.into_iter().collect())
}

async fn routes(
    cloudflare: &Cloudflare,
    zones: Zones<'_>,
) -> anyhow::Result<Vec<(String, LiveRoute)>> {
    let names = match zones {
        Zones::One(name) => vec![name.to_owned()],
        Zones::All => zone_names(cloudflare).await?,
    };
    let of_each = names.into_iter().map(async |name| {
        let id = observe::zone_id(cloudflare, &name).await?;
        let routes = observe::routes(cloudflare, &id).await?.into_iter();
        let named = routes.map(|route| (name.clone(), route));
        anyhow::Ok(named.collect::<Vec<_>>())
    });
    Ok(try_join_all(of_each).await?.concat())
}

/// The names of the account's zones. Of those that have one alone the id is known after this; of two with one name the right one is
/// found when it is asked for.
async fn zone_names(cloudflare: &Cloudflare) -> anyhow::Result<Vec<String>> {
    let path = with_query("/zones", &[("account.id", cloudflare.account())]);
    let mut named: BTreeMap<String, Vec<Zone>> = BTreeMap::new();
    for zone in Pages::<Zone>::new(cloudflare, path).all().await? {
        if let Some(name) = zone.name.clone() {
            named.entry(name).or_default().push(zone);
        }
    }
    let mut known = cloudflare.known_zones();
    for (name, zones) in &named {
        if let [only] = zones.as_slice() {
            known.insert(name.clone(), only.clone());
        }
    }
    Ok(named.into_keys().collect())
}
