//! The multipart uploads: `PUT scripts/S` and `POST scripts/S/versions`.

use axum::extract::multipart::Multipart;
use axum::extract::{Path, Query, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::call::{self, Call};
use super::context::{Context, Shared, read, stamp};
use crate::account::error::{ApiError, internal, invalid, no_script, refuse};
use crate::account::inheritance::Missing;
use crate::account::metadata::{Metadata, Upload, check};
use crate::account::module::{Kind, Module};
use crate::account::script::{check_name, summary};
use crate::account::version::detail;
use crate::account::{script, upload};
use crate::api::envelope::{Answer, result};

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::put("/accounts/{account}/workers/scripts/{script}", put),
        call::post(
            "/accounts/{account}/workers/scripts/{script}/versions",
            version,
        ),
    ]
}

#[derive(Deserialize)]
pub(super) struct Options {
    bindings_inherit: Option<String>,
}

impl Options {
    fn missing(&self) -> Missing {
        match self.bindings_inherit.as_deref() {
            Some("strict") => Missing::Refused,
            _ => Missing::Dropped,
        }
    }
}

pub(super) async fn put(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    parts: Multipart,
) -> Answer {
    check_name(&name)?;
    let upload = receive(&context, parts).await?;
    let (missing, stamp) = (options.missing(), stamp(&headers));
    let startup = upload.startup_time_ms;
    let id = context
        .engine
        .change({
            let (account, name) = (account.clone(), name.clone());
            move |state| upload::put(state, &account, &name, upload, missing, &stamp)
        })
        .await?;
    let state = context.engine.state();
    let mut value: Value = summary(state.script(&account, &name)?);
    // wrangler reads the version's id here
    value["deployment_id"] = id.replace('-', "").into();
    value["startup_time_ms"] = startup.into();
    result(value)
}

pub(super) async fn version(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    parts: Multipart,
) -> Answer {
    // Before the code is run: there is nothing to add a version to
    context
        .engine
        .state()
        .script(&account, &name)
        .map_err(|_| no_script(&name))?;
    let upload = receive(&context, parts).await?;
    let (missing, stamp) = (options.missing(), stamp(&headers));
    let id = context
        .engine
        .change({
            let (account, name) = (account.clone(), name.clone());
            move |state| upload::add_version(state, &account, &name, upload, missing, &stamp)
        })
        .await?;
    let state = context.engine.state();
    let script: &script::Script = state.script(&account, &name)?;
    let namespaces = state.account(&account).namespaces;
    result(
        script
            .version(&id)
            .map(|version| detail(version, &name, &namespaces))
            .unwrap_or_default(),
    )
}

/// Reads all parts, stores the modules, and lets the runtime describe the code.
async fn receive(context: &Context, mut parts: Multipart) -> Result<Upload, ApiError> {
    let unreadable = |error: axum::extract::multipart::MultipartError| {
        let too_large = error.status() == http::StatusCode::PAYLOAD_TOO_LARGE;
        let code = if too_large { 10027 } else { 10021 };
        refuse(error.status(), code, error.body_text())
    };
    let mut metadata: Option<Metadata> = None;
    let mut modules = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let content_type = part.content_type().unwrap_or_default().to_owned();
        if name == "metadata" {
            metadata = Some(read(&part.bytes().await.map_err(unreadable)?)?);
            continue;
        }
        if content_type.starts_with("application/source-map") {
            continue;
        }
        let name = part.file_name().unwrap_or(&name).to_owned();
        let bytes = part.bytes().await.map_err(unreadable)?;
        let hash = context
            .engine
            .store
            .keep_module(&bytes)
            .map_err(|error| internal(&error))?;
        modules.push(Module {
            name,
            kind: Kind::from_content_type(&content_type)?,
            hash,
            size: bytes.len(),
        });
    }
    let metadata = metadata.ok_or_else(|| invalid(10021, "the upload has no `metadata` part"))?;
    check(&metadata, &modules)?;
    let (described, startup_time_ms) = context.engine.describe(&metadata, &modules).await?;
    Ok(Upload {
        metadata,
        modules,
        described,
        startup_time_ms,
    })
}
