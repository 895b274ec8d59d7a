//! The workers.dev addresses: of an account, and of a script.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::{Call, Sent};
use super::envelope::{Answer, result};
use crate::account::script::Subdomain;

pub(super) async fn of_script(call: Call) -> Answer {
    result(json!(call.script(&call.state())?.subdomain))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    enabled: bool,
    previews_enabled: Option<bool>,
}

pub(super) async fn switch(call: Call, Sent(wanted): Sent<Wanted>) -> Answer {
    let subdomain = Subdomain {
        enabled: wanted.enabled,
        previews_enabled: wanted.previews_enabled.unwrap_or(wanted.enabled),
    };
    set(call, subdomain).await
}

pub(super) async fn switch_off(call: Call) -> Answer {
    set(call, Subdomain::default()).await
}

async fn set(call: Call, subdomain: Subdomain) -> Answer {
    call.change_script(move |script, _| {
        script.subdomain = subdomain;
        Ok(())
    })
    .await?;
    result(json!(subdomain))
}

pub(super) async fn of_account(call: Call) -> Answer {
    let subdomain = call.state().account(&call.account).subdomain;
    result(json!(Named { subdomain }))
}

#[derive(Deserialize, Serialize)]
pub(super) struct Named {
    subdomain: String,
}

pub(super) async fn name(call: Call, Sent(named): Sent<Named>) -> Answer {
    let shown = json!(named);
    call.change(|state, call| {
        state.account_mut(&call.account).subdomain = named.subdomain;
        Ok(())
    })
    .await?;
    result(shown)
}
