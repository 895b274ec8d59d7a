//! The multipart uploads: `PUT scripts/S` and `POST scripts/S/versions`.

use axum::extract::Query;
use axum::extract::multipart::{Multipart, MultipartError};
use http::StatusCode;
use serde::Deserialize;

use super::call::{Call, read};
use super::context::Context;
use super::envelope::{Answer, result};
use crate::account::error::{ApiError, internal, invalid, refuse};
use crate::account::inheritance::Missing;
use crate::account::metadata::{Metadata, Upload, check};
use crate::account::module::{Kind, Module};
use crate::account::script::{check_name, summary};
use crate::account::stamp::Stamp;
use crate::account::upload;
use crate::account::version::detail;

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

pub(super) async fn put(call: Call, Query(options): Query<Options>, parts: Multipart) -> Answer {
    check_name(&call.script)?;
    let upload = receive(&call.context, &call.stamp, parts).await?;
    let startup = upload.startup_time_ms;
    let uploaded = call.change(move |state, call| {
        let (account, name) = (&call.account, &call.script);
        let id = upload::put(state, account, name, upload, options.missing(), &call.stamp)?;
        Ok((id, summary(call.script(state)?)))
    });
    let (id, mut value) = uploaded.await?;
    // wrangler reads the version's id here
    value["deployment_id"] = id.replace('-', "").into();
    value["startup_time_ms"] = startup.into();
    result(value)
}

pub(super) async fn version(
    call: Call,
    Query(options): Query<Options>,
    parts: Multipart,
) -> Answer {
    // Before the code is run: there is nothing to add a version to
    call.script(&call.state())?;
    let upload = receive(&call.context, &call.stamp, parts).await?;
    let added = call.change(move |state, call| {
        let (account, name) = (&call.account, &call.script);
        let missing = options.missing();
        let id = upload::add_version(state, account, name, upload, missing, &call.stamp)?;
        let namespaces = state.account(account).namespaces;
        let version = call.script(state)?.version(&id);
        Ok(version.map(|version| detail(version, name, &namespaces)))
    });
    result(added.await?)
}

/// Reads all parts, stores the modules, and lets the runtime describe the code.
async fn receive(
    context: &Context,
    stamp: &Stamp,
    mut parts: Multipart,
) -> Result<Upload, ApiError> {
    let unreadable = |error: MultipartError| {
        let too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
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
        let hash = context.engine.store.keep_module(&bytes);
        let hash = hash.map_err(|error| internal(&error))?;
        modules.push(Module {
            name,
            kind: Kind::from_content_type(&content_type)?,
            hash,
            size: bytes.len(),
        });
    }
    let metadata = metadata.ok_or_else(|| invalid(10021, "the upload has no `metadata` part"))?;
    check(&metadata, &modules, &stamp.now)?;
    let (described, startup_time_ms) = context.engine.describe(&metadata, &modules).await?;
    Ok(Upload {
        metadata,
        modules,
        described,
        startup_time_ms,
    })
}
