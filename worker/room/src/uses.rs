//! The one object that adds up the uses of secret slots of all gateways.

use crate::{js, object::Object, reply};
use edge_broadcast_protocol::{refusal::Refusal, slot::Uses};
use std::rc::Rc;
use worker::{js_sys::Array, wasm_bindgen_futures::JsFuture, worker_sys::web_sys::Response};

const KEY: &str = "uses";

/// Adds the body's counts, if there are any, and answers the sum.
pub(crate) async fn uses(object: &Rc<Object>, body: &str) -> Result<Response, Refusal> {
    let loaded = JsFuture::from(js::load(object.state.as_raw(), vec![KEY.to_owned()])).await;
    let stored = loaded
        .ok()
        .and_then(|values| Array::from(&values).get(0).as_string());
    let mut uses: Uses = stored
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    if let Ok(more) = serde_json::from_str::<Uses>(body) {
        uses.add(&more);
        js::save(
            object.state.as_raw(),
            KEY,
            &serde_json::to_string(&uses).unwrap_or_default(),
        );
    }
    Ok(reply::json(&uses))
}
