//! `GET /ws/:token`: finds the object with a free place and hands the client's request over to it.

use crate::{js, request::Request};
use edge_broadcast_protocol::{
    contract::{
        binding,
        call::{self, Call, Connect, plain},
        close::{self, Close},
        place::Place,
        refusal::{self, Refusal},
        token::Token,
    },
    gateway::{
        origin, region,
        search::{Probes, Search},
    },
};
use std::cell::RefCell;
use worker::{Date, wasm_bindgen_futures::JsFuture, worker_sys::web_sys::Response};

thread_local! {
    static PROBES: RefCell<Probes> = RefCell::default();
}

pub(crate) async fn connect(request: &Request, token: &Token) -> Result<Response, Refusal> {
    origin::check(
        request.header("origin").as_deref(),
        &request.config.settings,
    )?;
    let upgrade = request.header("upgrade").unwrap_or_default();
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return Err(refusal::UPGRADE_REQUIRED);
    }
    let client = request.client();
    limit(request, client.as_deref()).await?;
    let settings = &request.config.settings;
    let region = if settings.regions.is_empty() {
        None
    } else {
        let continent = js::continent(&request.raw);
        region::of(&settings.regions, request.host(), continent.as_deref())
    };
    let connect = Connect {
        place: Place::first(token, &settings.regions, region),
        address: client,
        per_address: settings.connections_per_ip,
        max_message_bytes: settings.max_message_bytes,
        since: request
            .parameter("since")
            .and_then(|since| since.parse().ok()),
        epoch: request.parameter("epoch").and_then(plain),
        root_hint: settings
            .regions
            .first()
            .map(|region| region.location_hint.clone()),
    };
    let response = find_place(request, connect).await?;
    match (response.status(), request.parameter("errors")) {
        (101, _) => {
            request.debug(|| format!("connected a client to `{token}`"));
            if !settings.compression {
                return Ok(js::uncompressed(&response));
            }
        }
        // A browser shows a page neither status nor body of a refused upgrade, but it does show close codes.
        (503, Some("close")) => return Ok(farewell(close::FULL)),
        (429, Some("close")) => return Ok(farewell(close::TOO_MANY)),
        _ => {}
    }
    Ok(response)
}

/// Refuses a client that connects, or polls, too often.
pub(crate) async fn limit(request: &Request, client: Option<&str>) -> Result<(), Refusal> {
    let Some(client) = client else {
        return Ok(());
    };
    let limited = JsFuture::from(js::limited(&request.env, binding::CONNECT_RATE, client)).await;
    if limited.is_ok_and(|limited| limited.is_truthy()) {
        return Err(refusal::CONNECT_RATE.retry_after(request.config.settings.connect_period));
    }
    Ok(())
}

async fn find_place(request: &Request, mut connect: Connect) -> Result<Response, Refusal> {
    let first = connect.place.name();
    let now_ms = Date::now().as_millis();
    let mut search = Search::from(PROBES.with_borrow(|probes| probes.start(&first, now_ms)));
    loop {
        connect.place = connect.place.at(search.index());
        let call = Call::Connect(connect.clone());
        let response = request
            .object(&connect.place)
            .forward(&request.raw, &call)
            .await?;
        match response.status() {
            101 => {
                PROBES.with_borrow_mut(|probes| probes.found(&first, search.index(), now_ms));
                return Ok(response);
            }
            503 if search.advance(next(&response)).is_some() => {
                if search.has_wrapped() {
                    PROBES.with_borrow_mut(|probes| probes.forget(&first));
                }
            }
            _ => return Ok(response),
        }
    }
}

fn next(response: &Response) -> Option<u32> {
    response.headers().get(call::NEXT).ok()??.parse().ok()
}

fn farewell(close: Close) -> Response {
    js::farewell(close.code, close.reason)
}
