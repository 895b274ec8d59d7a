//! The workers.dev addresses: of an account, and of a script.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use super::call::{self, Call};
use super::context::{Shared, read};
use crate::account::script::Subdomain;
use crate::api::envelope::{Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/subdomain", account_subdomain),
        call::put(
            "/accounts/{account}/workers/subdomain",
            set_account_subdomain,
        ),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/subdomain",
            subdomain,
        ),
        call::post(
            "/accounts/{account}/workers/scripts/{script}/subdomain",
            set_subdomain,
        ),
        call::delete(
            "/accounts/{account}/workers/scripts/{script}/subdomain",
            unset_subdomain,
        ),
    ]
}

pub(super) async fn subdomain(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    result(json!(state.script(&account, &name)?.subdomain))
}

#[derive(Deserialize)]
struct Wanted {
    enabled: bool,
    previews_enabled: Option<bool>,
}

pub(super) async fn set_subdomain(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let wanted: Wanted = read(&body)?;
    let edit = move |state: &mut crate::account::state::State| {
        let script = state.script_mut(&account, &name)?;
        let previews_enabled = wanted.previews_enabled.unwrap_or(wanted.enabled);
        script.subdomain = Subdomain {
            enabled: wanted.enabled,
            previews_enabled,
        };
        Ok(json!(script.subdomain))
    };
    context.engine.change(edit).await.and_then(result)
}

async fn unset_subdomain(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let edit = move |state: &mut crate::account::state::State| {
        let script = state.script_mut(&account, &name)?;
        script.subdomain = Subdomain::default();
        Ok(json!(script.subdomain))
    };
    context.engine.change(edit).await.and_then(result)
}

pub(super) async fn account_subdomain(
    State(context): Shared,
    Path(account): Path<String>,
) -> Answer {
    result(json!({"subdomain": context.engine.state().account(&account).subdomain}))
}

#[derive(Deserialize)]
struct Named {
    subdomain: String,
}

pub(super) async fn set_account_subdomain(
    State(context): Shared,
    Path(account): Path<String>,
    body: Bytes,
) -> Answer {
    let named: Named = read(&body)?;
    let edit = move |state: &mut crate::account::state::State| {
        state
            .account_mut(&account)
            .subdomain
            .clone_from(&named.subdomain);
        Ok(json!({"subdomain": named.subdomain}))
    };
    context.engine.change(edit).await.and_then(result)
}
