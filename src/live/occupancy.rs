//! What a room holds and has counted, asked of the room itself.

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::ADMIN_SECRET;
use edge_broadcast_protocol::contract::report::Report;
use serde::Serialize;
use serde_json::Value as Json;

use crate::environment::Environment;
use crate::live::site::Site;
use crate::secret::Secrets;
use crate::terminal::advice::Advice;

/// A room and its sockets, all shards together.
#[derive(Debug, Serialize)]
pub(crate) struct Occupied {
    pub(crate) token: String,
    pub(crate) sockets: u64,
}

/// A room's updates since it was made.
pub(crate) struct Dropped {
    pub(crate) token: String,
    pub(crate) publishes: u64,
    pub(crate) stale: u64,
    /// Of which `slot` was not of the room's clock.
    pub(crate) implausible: u64,
}

/// Asks each of the rooms for its sockets.
pub(crate) async fn ask(
    site: &Site,
    environment: &Environment,
    tokens: &[String],
    secrets: &Secrets<'_>,
) -> anyhow::Result<Vec<Occupied>> {
    let rooms = rooms(site, environment, tokens, secrets).await?;
    let occupied = rooms.into_iter().map(|(token, room)| {
        let sockets = number(&room, "sockets", &token)?;
        Ok(Occupied { token, sockets })
    });
    occupied.collect()
}

/// Asks each of the rooms for what it has dropped.
pub(crate) async fn dropped(
    site: &Site,
    environment: &Environment,
    tokens: &[String],
    secrets: &Secrets<'_>,
) -> anyhow::Result<Vec<Dropped>> {
    let rooms = rooms(site, environment, tokens, secrets).await?;
    let dropped = rooms.into_iter().map(|(token, room)| {
        let counters = &room["root"]["counters"];
        let count = |name| number(counters, name, &token);
        let (publishes, stale) = (count("publishes")?, count("stale")?);
        // A room of the version before does not count it
        let implausible = count("implausible_slots").unwrap_or_default();
        Ok(Dropped {
            token,
            publishes,
            stale,
            implausible,
        })
    });
    dropped.collect()
}

/// Asks one room for everything.
pub(crate) async fn report(
    site: &Site,
    environment: &Environment,
    token: &str,
    secrets: &Secrets<'_>,
) -> anyhow::Result<Report> {
    let rooms = rooms(site, environment, &[token.to_owned()], secrets).await?;
    let (_, room) = rooms.into_iter().next().context("the room was not asked")?;
    serde_json::from_value(room)
        .with_context(|| format!("the report of the room `{token}` has another shape"))
}

fn number(figures: &Json, name: &str, token: &str) -> anyhow::Result<u64> {
    let number = figures[name].as_u64();
    number.with_context(|| format!("the room `{token}` does not say its {name}"))
}

/// What `GET /rooms/:token` says of each of the rooms, with the admin secret.
async fn rooms(
    site: &Site,
    environment: &Environment,
    tokens: &[String],
    secrets: &Secrets<'_>,
) -> anyhow::Result<Vec<(String, Json)>> {
    let mut rooms = Vec::new();
    if tokens.is_empty() {
        return Ok(rooms);
    }
    let name = &environment.name;
    if !environment.secrets.contains_key(ADMIN_SECRET) {
        bail!(Advice::new(
            format!(
                "the rooms of `{name}` cannot be asked: its manifest names no `[secrets.{ADMIN_SECRET}]`"
            ),
            format!(
                "add it with `source = \"env:{ADMIN_SECRET}\"`, and set it with `edge-broadcast secrets set {name} {ADMIN_SECRET}`"
            ),
        ));
    }
    let value = secrets.value(ADMIN_SECRET)?;
    for token in tokens {
        let authorization = [("authorization", value.bearer())];
        let (status, body) = site
            .get_with(&format!("/rooms/{token}"), &authorization)
            .await?;
        if status != 200 {
            let set = format!("`edge-broadcast secrets set {name} {ADMIN_SECRET}`");
            let fix = match status {
                404 => format!("no `{ADMIN_SECRET}` is deployed: {set}"),
                _ => format!("is `{ADMIN_SECRET}` the deployed value? {set} makes it so"),
            };
            let what = format!("the room `{token}` of `{name}` answered {status}");
            bail!(Advice::new(what, fix));
        }
        let room: Json = serde_json::from_str(&body)
            .with_context(|| format!("the answer of the room `{token}` is no JSON"))?;
        rooms.push((token.clone(), room));
    }
    Ok(rooms)
}
