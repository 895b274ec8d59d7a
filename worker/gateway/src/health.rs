//! `GET /health`: whether the gateway runs, and with `?deep=1` whether rooms do; `&probe=0` to `&probe=255` name the object.

use crate::request::Request;
use crate::stub::Stub;
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::health::{Health, Room};
use edge_broadcast_protocol::contract::place;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::gateway::probe::{Asked, Probes};
use edge_broadcast_shell::{self as shell, reply, unix_ms};
use std::cell::RefCell;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::Response;

thread_local! {
    static PROBES: RefCell<Probes> = RefCell::default();
}

pub(crate) async fn health(request: &Request) -> Result<Response, Refusal> {
    let config = &request.config;
    let room = match request.parameter("deep") {
        Some("1") => Some(room(request).await?),
        _ => None,
    };
    let health = Health {
        status: "ok",
        environment: &config.environment,
        version: config.version.as_deref(),
        room,
    };
    Ok(reply::json(&health))
}

async fn room(request: &Request) -> Result<Room, Refusal> {
    let started_ms = unix_ms();
    let probe = request.parameter("probe").map(str::parse).transpose();
    let probe = probe.map_err(|_| refusal::BAD_PROBE)?;
    match PROBES.with_borrow_mut(|probes| probes.ask(probe, started_ms)) {
        Asked::Now => {}
        Asked::Before(room) => return Ok(room),
        Asked::TooOften => return Err(refusal::HEALTH_RATE),
    }
    let object = Stub::new(&request.env, &place::health_object(probe), None);
    let response = object.ask(&Call::Health, &JsValue::UNDEFINED).await;
    let text = match &response {
        Ok(response) if response.ok() => shell::text(response.text()).await,
        _ => None,
    };
    let took_ms = unix_ms().saturating_sub(started_ms);
    let room: Option<Room> = text.and_then(|text| serde_json::from_str(&text).ok());
    let room = room.map(|room| Room {
        took_ms: Some(took_ms),
        probe,
        ..room
    });
    PROBES.with_borrow_mut(|probes| probes.answered(probe, room.clone(), started_ms + took_ms));
    response?;
    room.ok_or(refusal::ROOM_UNHEALTHY)
}
