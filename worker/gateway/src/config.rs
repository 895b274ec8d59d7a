//! What the deployment gives a gateway. Read once per instance: a change makes a new one.

use crate::js;
use edge_broadcast_protocol::{
    contract::{
        binding, health,
        refusal::{self, Refusal},
        settings::GatewaySettings,
        slot::Slot,
    },
    gateway::credential::Secret,
};
use std::{cell::RefCell, rc::Rc};
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
    pub(crate) fn of(env: &Env) -> Result<Rc<Self>, Refusal> {
        thread_local! {
            static CONFIG: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
        }
        if let Some(config) = CONFIG.with_borrow(Clone::clone) {
            return Ok(config);
        }
        let config = Rc::new(Self::read(env)?);
        CONFIG.set(Some(config.clone()));
        Ok(config)
    }

    /// Whether debug logging is on.
    pub(crate) fn is_development(&self) -> bool {
        self.environment == "development"
    }

    fn read(env: &Env) -> Result<Self, Refusal> {
        let settings = js::binding(env, binding::SETTINGS)
            .and_then(|text| serde_json::from_str(&text).ok())
            .ok_or(refusal::GATEWAY_MISCONFIGURED)?;
        let secret = |slot: Slot| Secret::of(slot, &js::binding(env, slot.binding())?);
        Ok(Self {
            settings,
            secrets: Slot::ALL.into_iter().filter_map(secret).collect(),
            admin: js::binding(env, binding::ADMIN_SECRET)
                .and_then(|value| Secret::of(Slot::Primary, &value)),
            environment: js::binding(env, binding::ENVIRONMENT).unwrap_or_default(),
            version: js::binding(env, binding::VERSION)
                .and_then(|metadata| health::version(&metadata)),
        })
    }
}
