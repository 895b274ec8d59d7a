//! The one object that adds up the uses of secret slots of all gateways.

use crate::js;
use crate::object::Object;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::slot::Uses;
use edge_broadcast_shell::reply;
use std::rc::Rc;
use worker::js_sys::Array;
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::Response;

const KEY: &str = "uses";

/// Adds the body's counts, if there are any, and answers the sum. A rotation revokes a secret on this evidence.
///
/// # Errors
/// 503 when it cannot be read, rather than to begin anew and write over it, or cannot be written.
pub(crate) async fn uses(object: &Rc<Object>, body: &str) -> Result<Response, Refusal> {
    let state = object.state.as_raw();
    let stored = JsFuture::from(js::load(state, vec![KEY.to_owned()]))
        .await
        .map_err(|_| refusal::ROOM_UNAVAILABLE)?;
    let mut uses: Uses = Array::from(&stored)
        .get(0)
        .as_string()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    if let Ok(more) = serde_json::from_str::<Uses>(body) {
        uses.add(&more);
        let text = serde_json::to_string(&uses).unwrap_or_default();
        let stored = JsFuture::from(js::store(state, KEY, &text)).await;
        stored.map_err(|_| refusal::ROOM_UNAVAILABLE)?;
    }
    Ok(reply::json(&uses))
}
