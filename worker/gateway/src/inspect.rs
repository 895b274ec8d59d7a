//! What only an administrator may see.

use crate::request::Request;
use crate::stub::Stub;
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::place::{Place, USES_OBJECT};
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::credential;
use std::slice;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

/// `GET /rooms/:token`
pub(crate) async fn room(request: &Request, token: &Token) -> Result<Response, Refusal> {
    authorise(request)?;
    let regions = &request.config.settings.regions;
    let place = Place::first(token, regions, regions.first());
    let call = Call::Inspect {
        token: place.token.clone(),
        name: place.name(),
        region: place.region.clone(),
    };
    request
        .root(token.as_str())
        .ask(&call, &JsValue::UNDEFINED)
        .await
}

/// `GET /secrets/uses`
pub(crate) async fn secret_uses(request: &Request) -> Result<Response, Refusal> {
    authorise(request)?;
    let object = Stub::new(&request.env, USES_OBJECT, None);
    object.ask(&Call::Uses, &JsValue::UNDEFINED).await
}

/// Without an admin secret these paths do not exist.
fn authorise(request: &Request) -> Result<(), Refusal> {
    let admin = request.config.admin.as_ref().ok_or(refusal::NOT_FOUND)?;
    let header = request.header("authorization");
    credential::bearer(header.as_deref(), slice::from_ref(admin)).map(|_| ())
}
