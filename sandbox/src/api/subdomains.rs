//! The workers.dev addresses: of an account, and of a script.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::{Call, Sent};
use super::endpoint::{Endpoint, SCRIPT, WORKERS, delete, get, post, put};
use super::envelope::{Answer, result};
use crate::account::script::Subdomain;

/// The endpoints of this product.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(WORKERS, "/subdomain", of_account),
        put(WORKERS, "/subdomain", name),
        get(SCRIPT, "/subdomain", of_script),
        post(SCRIPT, "/subdomain", switch),
        delete(SCRIPT, "/subdomain", switch_off),
    ]
}

async fn of_script(call: Call) -> Answer {
    result(json!(call.script(&call.state())?.subdomain))
}

#[derive(Deserialize)]
struct Wanted {
    enabled: bool,
    previews_enabled: Option<bool>,
}

async fn switch(call: Call, Sent(wanted): Sent<Wanted>) -> Answer {
    let previews_enabled = wanted.previews_enabled.unwrap_or(wanted.enabled);
    let enabled = wanted.enabled;
    set(
        call,
        Subdomain {
            enabled,
            previews_enabled,
        },
    )
    .await
}

async fn switch_off(call: Call) -> Answer {
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

async fn of_account(call: Call) -> Answer {
    let subdomain = call.state().account(&call.account).subdomain;
    result(json!(Named { subdomain }))
}

#[derive(Deserialize, Serialize)]
struct Named {
    subdomain: String,
}

async fn name(call: Call, Sent(named): Sent<Named>) -> Answer {
    let shown = json!(named);
    call.change(|state, call| {
        state.account_mut(&call.account).subdomain = named.subdomain;
        Ok(())
    })
    .await?;
    result(shown)
}
