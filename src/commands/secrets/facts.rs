//! What `plan`, `status` and `doctor` show of an environment's secrets: the facts of `secrets list` and of `secrets rotate --status`.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::cloudflare::{Cloudflare, secrets};
use crate::environment::Environment;
use crate::rotation::age;
use crate::rotation::inventory::{Cell, Column, Live, State};
use crate::rotation::status::Status;

/// The facts of one environment.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// Every secret that there is or should be.
    pub inventory: Vec<Cell>,
    /// How far a rotation is; absent where the gateway is not deployed.
    pub rotation: Option<Status>,
}

/// Reads the facts. Sends nothing but GETs, and reads no value.
pub async fn facts(cloudflare: &Cloudflare, environment: &Environment) -> anyhow::Result<Facts> {
    let script = environment.gateway_script();
    let room_script = environment.room_script();
    let (gateway, room) = tokio::try_join!(
        secrets::read(cloudflare, &script),
        secrets::read(cloudflare, &room_script),
    )?;
    let since = match &gateway {
        Some(live) => {
            let is_noted = |name: &&String| age::among(&live.tags, name).is_some();
            let names = live.secrets.iter().filter(|name| !is_noted(name));
            secrets::since(cloudflare, &script, names).await?
        }
        None => Default::default(),
    };
    let rotation = gateway
        .as_ref()
        .map(|live| Status::of(environment, live, None));
    let (names, tags) = match gateway {
        Some(live) => (Some(live.secrets), live.tags),
        None => Default::default(),
    };
    let live = Live {
        gateway: names,
        room: room.map(|room| room.secrets).unwrap_or_default(),
        tags,
        since,
    };
    Ok(Facts {
        inventory: Column::of(environment, &live, SystemTime::now()).secrets,
        rotation,
    })
}

impl Facts {
    /// The facts as a column of the matrix.
    pub(super) fn column(self, environment: &Environment) -> Column {
        Column {
            environment: environment.name.to_string(),
            secrets: self.inventory,
        }
    }
}

/// A line for each fact that calls for something; nothing where all is well. What is missing, a deployment sets.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for cell in &self.inventory {
            if cell.state == State::Extra || cell.is_due() {
                write!(f, "\n  secret {} of {}: {cell}", cell.name, cell.script)?;
            }
        }
        match &self.rotation {
            Some(status) if status.next.is_some() => {
                write!(f, "\n  secret {}: {}", status.secret, status.stage)
            }
            Some(_) | None => Ok(()),
        }
    }
}
