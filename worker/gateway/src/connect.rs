//! `GET /ws/:token`: finds the object with a free place and hands the client's request over to it.

use crate::answer::Answer;
use crate::js;
use crate::request::Request;
use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::call::{self, Call, Connect, header_safe};
use edge_broadcast_protocol::contract::close;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::place::Place;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::search::{Search, Starts};
use edge_broadcast_protocol::gateway::subprotocol::{self, SUBPROTOCOL};
use edge_broadcast_protocol::gateway::{address, origin, route};
use edge_broadcast_shell::{reply, unix_ms};
use std::cell::RefCell;
use worker::worker_sys::web_sys::{self, Response};

thread_local! {
    static STARTS: RefCell<Starts> = RefCell::default();
}

pub(crate) async fn connect(request: &Request, token: &Token) -> Result<Response, Refusal> {
    origin::check(
        request.header("origin").as_deref(),
        request.host(),
        &request.config.settings,
    )?;
    if !is_upgrade(request.header("upgrade")) {
        return Err(refusal::UPGRADE_REQUIRED);
    }
    let client = request.client();
    limit(request, client.as_deref(), token).await?;
    let settings = &request.config.settings;
    let (region, started_ms) = (request.region(), unix_ms());
    let connect = Connect {
        place: Place::first(token, &settings.regions, region),
        address: client,
        per_address: settings.connections_per_ip,
        max_message_bytes: settings.max_message_bytes,
        since: request
            .parameter("since")
            .and_then(|since| since.parse().ok()),
        epoch: request.parameter("epoch").and_then(header_safe),
        root_hint: settings
            .regions
            .first()
            .map(|region| region.location_hint.clone()),
    };
    let response = find_place(request, connect).await?;
    if response.status() != 101 {
        return Ok(response);
    }
    request.debug(|| format!("connected a client to `{}`", token.as_str()));
    let event = Event::Handshake {
        region: region.map_or("", |region| &region.name),
        took_ms: unix_ms().saturating_sub(started_ms),
    };
    request.measure(token.as_str(), event);
    let mut headers = chosen(request.header("sec-websocket-protocol").as_deref());
    if !settings.compression {
        // The runtime negotiates permessage-deflate unless the answer names an extension that it does not know, which it then
        // leaves out. An empty value does not count.
        headers.extend(reply::flat(&[("sec-websocket-extensions", "none")]));
    }
    Ok(js::with_headers(&response, headers))
}

/// The headers of an open socket to this request, where its refusal is to be told by a close code: a browser shows a page neither
/// status nor body of a refused upgrade.
pub(crate) fn told_by_close(raw: &web_sys::Request, url: &str) -> Option<Vec<String>> {
    let parameter = |key| route::parameter(url, key);
    let header = |name: &str| raw.headers().get(name).ok().flatten();
    let is_told = route::resource(route::path(url)) == "ws"
        && parameter("errors") == Some("close")
        && is_upgrade(header("upgrade"));
    is_told.then(|| chosen(header("sec-websocket-protocol").as_deref()))
}

/// The answer to an upgrade that is refused with `response`: a socket that is closed at once.
pub(crate) async fn closed(response: &Response, headers: Vec<String>) -> Response {
    let Answer { retry_after, body } = Answer::of(response).await;
    let code = refusal::code_of(&body).unwrap_or_default();
    let (close, reason) = close::refused(code, retry_after);
    js::with_headers(&js::closed_socket(close, &reason), headers)
}

fn is_upgrade(header: Option<String>) -> bool {
    header.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// The subprotocol that is answered to a client that offers these.
fn chosen(offered: Option<&str>) -> Vec<String> {
    match subprotocol::is_offered(offered) {
        true => reply::flat(&[("sec-websocket-protocol", SUBPROTOCOL)]),
        false => Vec::new(),
    }
}

/// Refuses a client that connects to a room, or polls it, too often.
pub(crate) async fn limit(
    request: &Request,
    client: Option<&str>,
    token: &Token,
) -> Result<(), Refusal> {
    if let Some(client) = client
        && let key = address::rate_key(client, token)
        && request.is_limited(binding::CONNECT_RATE, &key).await
    {
        let period = request.config.settings.connect_period;
        return Err(refusal::CONNECT_RATE.retry_after(period));
    }
    Ok(())
}

async fn find_place(request: &Request, mut connect: Connect) -> Result<Response, Refusal> {
    let first = connect.place.name();
    let now_ms = unix_ms();
    let mut search = Search::from(STARTS.with_borrow(|starts| starts.start(&first, now_ms)));
    loop {
        connect.place.index = search.index();
        let call = Call::Connect(connect.clone());
        let response = request
            .object(&connect.place)
            .forward(&request.raw, &call)
            .await?;
        match response.status() {
            101 => {
                STARTS.with_borrow_mut(|starts| starts.found(&first, search.index(), now_ms));
                return Ok(response);
            }
            503 => {
                let next = next(&response);
                if search.advance(next).is_none() {
                    // What names a next object is between the objects and the gateway
                    return next.map_or(Ok(response), |_| Err(refusal::ROOM_FULL));
                }
                if search.has_wrapped() {
                    STARTS.with_borrow_mut(|starts| starts.forget(&first));
                }
            }
            _ => return Ok(response),
        }
    }
}

fn next(response: &Response) -> Option<u32> {
    response.headers().get(call::NEXT).ok()??.parse().ok()
}
