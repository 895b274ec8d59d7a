//! What the deployment gives a gateway. Read once per instance: a change makes a new one.

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::settings::GatewaySettings;
use edge_broadcast_protocol::contract::slot::Slot;
use edge_broadcast_protocol::gateway::credential::Secret;
use edge_broadcast_shell::env;
use std::cell::Cell;
use worker::Env;

pub(crate) struct Config {
    pub(crate) settings: GatewaySettings,
    /// The filled secret slots.
    pub(crate) secrets: Vec<Secret>,
    pub(crate) admin: Option<Secret>,
    pub(crate) environment: String,
    pub(crate) version: Option<String>,
}

impl Config {
    /// # Errors
    /// 500 when `SETTINGS` is missing or cannot be read.
    pub(crate) fn of(env: &Env) -> Result<&'static Self, Refusal> {
        thread_local! {
            static CONFIG: Cell<Option<&'static Config>> = const { Cell::new(None) };
        }
        if let Some(config) = CONFIG.get() {
            return Ok(config);
        }
        let config: &Self = Box::leak(Box::new(Self::read(env)?));
        CONFIG.set(Some(config));
        Ok(config)
    }

    fn read(env: &Env) -> Result<Self, Refusal> {
        let secret = |slot: Slot| Secret::of(slot, &env::text(env, slot.binding())?);
        Ok(Self {
            settings: env::settings(env).ok_or(refusal::GATEWAY_MISCONFIGURED)?,
            secrets: Slot::ALL.into_iter().filter_map(secret).collect(),
            admin: env::text(env, binding::ADMIN_SECRET)
                .and_then(|value| Secret::of(Slot::Primary, &value)),
            environment: env::text(env, binding::ENVIRONMENT).unwrap_or_default(),
            version: env::version(env),
        })
    }
}
