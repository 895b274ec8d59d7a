//! `GET /health`: whether the gateway runs, and with `?deep=1` whether rooms do.

use crate::{
    object::{self, Object},
    reply,
    request::Request,
};
use edge_broadcast_protocol::{call::Call, place::HEALTH_OBJECT, refusal::Refusal};
use serde_json::{Value, json};
use worker::{Date, wasm_bindgen::JsValue, worker_sys::web_sys::Response};

pub(crate) async fn health(request: &Request) -> Result<Response, Refusal> {
    let config = &request.config;
    let mut body = json!({
        "status": "ok",
        "environment": config.environment,
        "version": config.version,
    });
    if request.parameter("deep") == Some("1") {
        let started_ms = Date::now().as_millis();
        let object = Object::new(&request.env, HEALTH_OBJECT, None);
        let response = object.ask(&Call::Health, &JsValue::UNDEFINED).await?;
        let text = object::text(&response).await.unwrap_or_default();
        let Ok(Value::Object(mut room)) = serde_json::from_str(&text) else {
            return Err(Refusal::new(
                503,
                "room_unhealthy",
                "the room script does not answer as it should",
            ));
        };
        let took_ms = Date::now().as_millis().saturating_sub(started_ms);
        room.insert("took_ms".to_owned(), took_ms.into());
        if response.status() != 200 {
            return Err(Refusal::new(
                503,
                "room_unhealthy",
                "the room script is not able to serve",
            ));
        }
        body["room"] = room.into();
    }
    Ok(reply::json(200, &body.to_string()))
}
