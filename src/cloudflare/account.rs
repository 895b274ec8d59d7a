//! What an account has as a whole, whosever it is. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use serde::Deserialize;

use super::client::Cloudflare;
use super::envelope::{Call, decode_list};
use super::page::Pages;
use super::wire::{Namespace, Zone};
use super::{namespaces, observe, zone};
use crate::plan::destroy::{Standing, StandingRoute, StandingScript, Stored};
use crate::plan::pair::{Pair, Tagged};
use crate::plan::{LiveDomain, LiveRoute};
use crate::terminal::advice::Advice;

/// As many objects of a class are counted: one call (SDK: `limit` of a namespace's objects is 1000 unless it is said).
const OBJECTS: usize = 1000;

/// An item of `GET /accounts/A/workers/scripts` (SDK 5.9.0, `Script`).
#[derive(Deserialize)]
struct Script {
    id: String,
    #[serde(default)]
    tags: BTreeSet<String>,
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
    Ok(namespaces::classes(namespaces::all(cloudflare).await?))
}

/// Everything that is there of `pair`.
pub(crate) async fn standing(
    cloudflare: &Cloudflare,
    pair: &Pair,
    zones: Zones<'_>,
) -> anyhow::Result<Standing> {
    let names = [pair.gateway(), pair.room()];
    let (all, namespaces) = tokio::try_join!(scripts(cloudflare), namespaces::all(cloudflare))
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

async fn routes(cloudflare: &Cloudflare, zones: Zones<'_>) -> anyhow::Result<Vec<StandingRoute>> {
    let zones = match zones {
        Zones::One(name) => {
            let zone = zone::zone(cloudflare, name).await?;
            let routes = observe::routes(cloudflare, &zone.id).await?;
            return Ok(standing_in(&zone, routes).collect());
        }
        Zones::All => zone::all(cloudflare).await?,
    };
    let of_each = zones.iter().map(async |zone| {
        let routes = observe::routes(cloudflare, &zone.id).await;
        anyhow::Ok((zone, zone::readable(routes)?))
    });
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for (zone, routes) in try_join_all(of_each).await? {
        match routes {
            Some(routes) => found.extend(standing_in(zone, routes)),
            None => unread.push(zone_name(zone)),
        }
    }
    if !unread.is_empty() {
        bail!(Advice::new(
            format!(
                "the API token may not read the routes of `{}`, which may lead to what is to go",
                unread.join("`, `")
            ),
            "give it Workers Routes Read on every zone of the account",
        ));
    }
    Ok(found)
}

/// The name of a zone, or its id where the API gives none.
fn zone_name(zone: &Zone) -> &str {
    zone.name.as_ref().unwrap_or(&zone.id)
}

fn standing_in(zone: &Zone, routes: Vec<LiveRoute>) -> impl Iterator<Item = StandingRoute> {
    let routes = routes.into_iter();
    routes.map(|route| StandingRoute {
        zone: zone_name(zone).to_owned(),
        zone_id: zone.id.clone(),
        route,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, Uri};
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    use super::super::paged::served;
    use super::*;

    /// The ids of the routes of an account of four zones, two of which have one name and none of which may be asked for by it.
    async fn found(refused: &'static [&'static str]) -> Result<Vec<(String, String)>, String> {
        let cloudflare = served(move |uri: Uri| {
            let zone = |id: &str, name: &str, kind: &str| json!({ "id": id, "name": name, "status": "pending", "type": kind });
            let part = uri.path().split('/').nth(2).unwrap_or_default();
            let result = match (uri.path(), part) {
                ("/zones", _) if uri.query().unwrap_or_default().contains("name=") => Value::Null,
                ("/zones", _) => json!([
                    zone("z1", "glow.trade", "full"),
                    zone("z2", "twice.example", "full"),
                    zone("z3", "twice.example", "full"),
                    zone("z4", "inside.example", "internal"),
                ]),
                (_, "z1" | "z2" | "z3") if !refused.contains(&part) => json!([
                    { "id": format!("r-{part}"), "pattern": "a/*", "script": "w-e" },
                ]),
                _ => {
                    let error = json!({ "code": 10000, "message": "Authentication error" });
                    let refusal = json!({ "success": false, "errors": [error] });
                    return (StatusCode::FORBIDDEN, axum::Json(refusal)).into_response();
                }
            };
            let answer = json!({ "success": true, "errors": [], "messages": [], "result": result });
            axum::Json(answer).into_response()
        })
        .await;
        let routes = routes(&cloudflare, Zones::All).await;
        let routes = routes.map_err(|error| Advice::of(&error).line())?;
        let routes = routes.into_iter();
        Ok(routes.map(|it| (it.zone_id, it.route.id)).collect())
    }

    #[tokio::test]
    async fn the_routes_of_all_zones_are_read_by_the_ids_of_the_zones_that_can_have_some() {
        let of = |zone: &str| (zone.to_owned(), format!("r-{zone}"));
        assert_eq!(found(&[]).await, Ok(vec![of("z1"), of("z2"), of("z3")]));
        assert_eq!(
            found(&["z1", "z3"]).await.unwrap_err(),
            "the API token may not read the routes of `glow.trade`, `twice.example`, which may lead to what is to go; give it Workers Routes Read on every zone of the account"
        );
    }
}
