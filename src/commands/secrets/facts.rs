//! What `plan`, `status` and `doctor` show of an environment's secrets: the facts of `secrets list` and of `secrets rotate --status`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::cloudflare::{Cloudflare, secrets};
use crate::environment::Environment;
use crate::plan::{Holding, Live, Observed};
use crate::rotation::age;
use crate::rotation::inventory::{Cell, Column, State};
use crate::rotation::status::Status;

/// The facts of one environment.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// Every secret that there is or should be.
    pub(crate) inventory: Vec<Cell>,
    /// How far a rotation is; absent where the gateway is not deployed.
    pub(crate) rotation: Option<Status>,
}

impl Facts {
    /// Reads what the scripts hold, and the facts. Sends nothing but GETs, and reads no value.
    pub(crate) async fn read(
        cloudflare: &Cloudflare,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let (gateway, room) = (environment.gateway_script(), environment.room_script());
        let (gateway, room) = tokio::try_join!(
            secrets::read(cloudflare, &gateway),
            secrets::read(cloudflare, &room),
        )?;
        Self::of(cloudflare, environment, gateway, room).await
    }

    /// The facts of what was observed. Reads only how old what has no note is.
    pub(crate) async fn observed(
        cloudflare: &Cloudflare,
        environment: &Environment,
        observed: &Observed,
    ) -> anyhow::Result<Self> {
        let held = |script: String| observed.scripts.get(&script).map(Live::holding);
        let (gateway, room) = (environment.gateway_script(), environment.room_script());
        Self::of(cloudflare, environment, held(gateway), held(room)).await
    }

    async fn of(
        cloudflare: &Cloudflare,
        environment: &Environment,
        gateway: Option<Holding>,
        room: Option<Holding>,
    ) -> anyhow::Result<Self> {
        let since = match &gateway {
            Some(live) => {
                let is_noted = |name: &&String| age::among(&live.tags, name).is_some();
                let names = live.secrets.iter().filter(|name| !is_noted(name));
                secrets::since(cloudflare, &environment.gateway_script(), live, names).await?
            }
            None => BTreeMap::new(),
        };
        let gateway = gateway.as_ref();
        let now = SystemTime::now();
        Ok(Self {
            inventory: Column::of(environment, gateway, room.as_ref(), &since, now).secrets,
            rotation: gateway.map(|live| Status::of(environment, live, None)),
        })
    }

    /// The rotation, if there is something to do about it.
    pub(in super::super) fn open_rotation(&self) -> Option<&Status> {
        self.rotation
            .as_ref()
            .filter(|status| status.next.is_some())
    }

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
        match self.open_rotation() {
            Some(status) => write!(f, "\n  secret {}: {}", status.secret, status.stage),
            None => Ok(()),
        }
    }
}
