//! One call as its handler takes it: what its path names, what it sends, and the change that it makes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http::header::USER_AGENT;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context::{ACCOUNT, Context};
use crate::account::error::{ApiError, invalid};
use crate::account::script::Script;
use crate::account::stamp::{Stamp, stamp};
use crate::account::state::State;

/// A call of a path that names something.
pub(super) struct Call {
    pub(super) context: Arc<Context>,
    /// The account's id; where the path names a zone only, that of the zone.
    pub(super) account: String,
    /// The zone's name.
    pub(super) zone: String,
    /// The script's name.
    pub(super) script: String,
    /// What else the path names, mostly by an id.
    pub(super) item: String,
    /// For what it changes.
    pub(super) stamp: Stamp,
}

/// The names of a path.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Names {
    account: String,
    zone: String,
    script: String,
    #[serde(
        alias = "deployment",
        alias = "domain",
        alias = "name",
        alias = "namespace",
        alias = "record",
        alias = "route",
        alias = "tail",
        alias = "version"
    )]
    item: String,
}

impl FromRequestParts<Arc<Context>> for Call {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &Arc<Context>,
    ) -> Result<Self, Response> {
        let path = Path::from_request_parts(parts, context).await;
        let Path(Names {
            account,
            zone,
            script,
            item,
        }) = path.map_err(IntoResponse::into_response)?;
        let (account, zone) = match zone.as_str() {
            "" => (account, zone),
            id => {
                let found = context.engine.state().zone(id, ACCOUNT);
                found.map_err(IntoResponse::into_response)?
            }
        };
        let agent = parts.headers.get(USER_AGENT);
        Ok(Self {
            context: context.clone(),
            account,
            zone,
            script,
            item,
            stamp: stamp(agent.and_then(|agent| agent.to_str().ok())),
        })
    }
}

impl Call {
    /// The state as of now.
    pub(super) fn state(&self) -> Arc<State> {
        self.context.engine.state()
    }

    /// The script in a state.
    pub(super) fn script<'a>(&self, state: &'a State) -> Result<&'a Script, ApiError> {
        state.script(&self.account, &self.script)
    }

    /// Changes the state.
    pub(super) async fn change<T, F>(self, edit: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut State, &Call) -> Result<T, ApiError> + Send + 'static,
    {
        let engine = self.context.engine.clone();
        engine.change(move |state| edit(state, &self)).await
    }

    /// Changes the script.
    pub(super) async fn change_script<T, F>(self, edit: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Script, &Stamp) -> Result<T, ApiError> + Send + 'static,
    {
        let edit = |state: &mut State, call: &Call| {
            edit(state.script_mut(&call.account, &call.script)?, &call.stamp)
        };
        self.change(edit).await
    }
}

/// A JSON body.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Context>> for Sent<T> {
    type Rejection = Response;

    async fn from_request(request: Request, context: &Arc<Context>) -> Result<Self, Response> {
        let body = Bytes::from_request(request, context).await;
        let body = body.map_err(IntoResponse::into_response)?;
        read(&body).map(Sent).map_err(IntoResponse::into_response)
    }
}

/// Reads a JSON body. The error says where, never what: a body can hold a secret.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("could not read the JSON body at line {line} column {column}");
        invalid(10026, message)
    })
}
