//! How many sockets a room has, asked of the room itself.

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::binding::ADMIN_SECRET;
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

/// Asks each of the rooms, with `GET /rooms/:token` and the admin secret.
pub(crate) async fn ask(
    site: &Site,
    environment: &Environment,
    tokens: &[String],
    secrets: &Secrets<'_>,
) -> anyhow::Result<Vec<Occupied>> {
    let mut occupied = Vec::new();
    if tokens.is_empty() {
        return Ok(occupied);
    }
    if !environment.secrets.contains_key(ADMIN_SECRET) {
        bail!(
            "the rooms of `{}` cannot be asked: its manifest names no `[secrets.{ADMIN_SECRET}]`",
            environment.name
        );
    }
    let value = secrets.value(ADMIN_SECRET)?;
    for token in tokens {
        let authorization = [("authorization", value.bearer())];
        let (status, body) = site
            .get_with(&format!("/rooms/{token}"), &authorization)
            .await?;
        if status != 200 {
            bail!(Advice::new(
                format!(
                    "the room `{token}` of `{}` answered {status}",
                    environment.name
                ),
                format!("is `{ADMIN_SECRET}` the deployed value?")
            ));
        }
        let room: Json = serde_json::from_str(&body)
            .with_context(|| format!("the answer of the room `{token}` is no JSON"))?;
        let sockets = room["sockets"]
            .as_u64()
            .with_context(|| format!("the room `{token}` does not say its sockets"))?;
        occupied.push(Occupied {
            token: token.clone(),
            sockets,
        });
    }
    Ok(occupied)
}
