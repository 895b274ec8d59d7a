//! Scripts: the list, the code as it was uploaded, and the end of one.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use serde_json::json;

use super::call::Call;
use super::envelope::{self, Answer, result};
use super::paging::{Asked, OTHERS, Pages};
use crate::account::class::{bound_by_others, check_unbound};
use crate::account::error::{ApiError, internal, no_version};
use crate::account::script::summary;
use crate::account::state;

pub(super) async fn list(call: Call) -> Answer {
    let scripts = call.state().account(&call.account).scripts;
    envelope::list(scripts.values().map(summary))
}

#[derive(Deserialize)]
pub(super) struct Sought {
    name: Option<String>,
}

/// By a part of the name (SDK, `ScriptSearchResponse`): pages, and fewer members than [`list`].
pub(super) async fn search(
    call: Call,
    Query(sought): Query<Sought>,
    Query(asked): Query<Asked>,
) -> Answer {
    let scripts = call.state().account(&call.account).scripts;
    let part = sought.name.unwrap_or_default();
    let found = scripts
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
pub(super) async fn references(call: Call) -> Answer {
    let state = call.state();
    let name = &call.script(&state)?.name;
    let account = state.account(&call.account);
    let bound = bound_by_others(&account, name).into_iter();
    let objects = bound.map(|(service, class)| {
        let mut known = account.namespaces.iter();
        let namespace = known.find(|known| known.script == *name && known.class == class);
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

/// The modules as multipart, with the entry point's name in `cf-entrypoint`, as wrangler reads them. Those of the newest version: the
/// API was seen to ignore the `?version=` that wrangler sends, which names that one (measured with 61 versions of two scripts by
/// others, and published). [`super::versions::of_worker`] has the code of any version.
pub(super) async fn content(call: Call) -> Result<Response, ApiError> {
    let state = call.state();
    let script = call.script(&state)?;
    let version = script.latest();
    let version = version.ok_or_else(|| no_version(&script.name, "latest"))?;
    let boundary = format!("----sandbox{}", &version.etag[..16]);
    let mut body = Vec::new();
    for module in &version.modules {
        let bytes = call.context.engine.store.module(&module.hash);
        let bytes = bytes.map_err(|error| internal(&error))?;
        let (name, kind) = (&module.name, module.kind.content_type());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={boundary}");
    let (entrypoint, main) = (
        HeaderName::from_static("cf-entrypoint"),
        &version.main_module,
    );
    let headers = [(CONTENT_TYPE, kind), (entrypoint, main.clone())];
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

pub(super) async fn delete(call: Call, Query(force): Query<Force>) -> Answer {
    let gone = call.change(move |state, call| {
        let script = call.script(state)?;
        if !force.is_set() {
            check_unbound(&state.account(&call.account), script)?;
        }
        state::remove_script(state.account_mut(&call.account), &call.script);
        Ok(())
    });
    gone.await?;
    result(json!({"id": null}))
}
