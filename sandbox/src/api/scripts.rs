//! Scripts: the list, the code as it was uploaded, and the end of one.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use serde_json::json;

use super::call::{self, Call};
use super::context::Shared;
use crate::account::class::{bound_by_others, check_unbound};
use crate::account::error::{ApiError, internal, no_version};
use crate::account::script::summary;
use crate::account::state;
use crate::api::envelope::{self, Answer, result};
use crate::api::paging::{Asked, OTHERS, Pages};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/workers/scripts", list),
        call::get("/accounts/{account}/workers/scripts/{script}", content),
        call::delete("/accounts/{account}/workers/scripts/{script}", delete),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/content/v2",
            content,
        ),
        call::get("/accounts/{account}/workers/scripts-search", search),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/references",
            references,
        ),
    ]
}

pub(super) async fn list(State(context): Shared, Path(account): Path<String>) -> Answer {
    envelope::list(
        context
            .engine
            .state()
            .account(&account)
            .scripts
            .values()
            .map(summary),
    )
}

#[derive(Deserialize)]
struct Sought {
    name: Option<String>,
}

/// By a part of the name (SDK, `ScriptSearchResponse`): pages, and fewer members than [`list`].
async fn search(
    State(context): Shared,
    Path(account): Path<String>,
    Query(sought): Query<Sought>,
    Query(asked): Query<Asked>,
) -> Answer {
    let account = context.engine.state().account(&account);
    let part = sought.name.unwrap_or_default();
    let found = account
        .scripts
        .values()
        .filter(|script| script.name.contains(&part));
    let shown = found.map(|script| {
        json!({
            "id": script.tag, "script_name": script.name, "created_on": script.created_on,
            "modified_on": script.modified_on, "service_name": script.name, "environment_name": "production",
            "environment_is_default": true,
        })
    });
    envelope::page(shown.collect(), asked.page(OTHERS)?, Pages::Counted)
}

/// What wrangler asks for before it deletes: which other Workers bind this one's classes or call it.
pub(super) async fn references(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
) -> Answer {
    let state = context.engine.state();
    state.script(&account, &name)?;
    let account = state.account(&account);
    let objects = bound_by_others(&account, &name)
        .into_iter()
        .map(|(service, class)| {
            let namespace = account
                .namespaces
                .iter()
                .find(|known| known.script == name && known.class == class);
            json!({
                "service": service, "environment": "production",
                "durable_object_namespace_id": namespace.map(|namespace| &namespace.id),
                "durable_object_namespace_name": format!("{name}_{class}"),
            })
        });
    let objects: Vec<_> = objects.collect();
    result(
        json!({"services": {"incoming": [], "outgoing": []}, "durable_objects": objects, "dispatch_outbounds": []}),
    )
}

#[derive(Deserialize)]
pub(super) struct Which {
    version: Option<String>,
}

/// The modules as multipart, with the entry point's name in `cf-entrypoint`, as wrangler reads them.
pub(super) async fn content(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let state = context.engine.state();
    let script = state.script(&account, &name)?;
    let version = match &which.version {
        Some(id) => script.version(id).ok_or_else(|| no_version(&name, id))?,
        None => script.latest().ok_or_else(|| no_version(&name, "latest"))?,
    };
    let boundary = format!("----sandbox{}", &version.etag[..16]);
    let mut body = Vec::new();
    for module in &version.modules {
        let bytes = context
            .engine
            .store
            .module(&module.hash)
            .map_err(|error| internal(&error))?;
        let (name, kind) = (&module.name, module.kind.content_type());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let headers = [
        (
            CONTENT_TYPE,
            format!("multipart/form-data; boundary={boundary}"),
        ),
        (
            HeaderName::from_static("cf-entrypoint"),
            version.main_module.clone(),
        ),
    ];
    Ok((headers, body).into_response())
}

#[derive(Deserialize)]
pub(super) struct Force {
    force: Option<String>,
}

impl Force {
    /// Only the word counts, as on Cloudflare.
    pub(super) fn is_set(&self) -> bool {
        self.force.as_deref() == Some("true")
    }
}

pub(super) async fn delete(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(force): Query<Force>,
) -> Answer {
    let forced = force.is_set();
    context
        .engine
        .change(move |state| {
            let script = state.script(&account, &name)?.clone();
            if !forced {
                check_unbound(&state.account(&account), &script)?;
            }
            state::remove_script(state.account_mut(&account), &name);
            Ok(())
        })
        .await?;
    result(json!({"id": null}))
}
