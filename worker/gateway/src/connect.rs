//! `GET /ws/:token`: finds the object with a free place and hands the client's request over to it.

use crate::js;
use crate::request::Request;
use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::call::{self, Call, Connect, header_safe};
use edge_broadcast_protocol::contract::close::{self, Close};
use edge_broadcast_protocol::contract::place::Place;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::gateway::search::{Search, Starts};
use edge_broadcast_protocol::gateway::{address, origin, region};
use edge_broadcast_shell::unix_ms;
use std::cell::RefCell;
use worker::worker_sys::web_sys::Response;

thread_local! {
    static STARTS: RefCell<Starts> = RefCell::default();
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
    limit(request, client.as_deref(), token).await?;
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
        epoch: request.parameter("epoch").and_then(header_safe),
        root_hint: settings
            .regions
            .first()
            .map(|region| region.location_hint.clone()),
    };
    let response = find_place(request, connect).await?;
    match (response.status(), request.parameter("errors")) {
        (101, _) => {
            request.debug(|| format!("connected a client to `{}`", token.as_str()));
            if !settings.compression {
                return Ok(js::uncompressed(&response));
            }
        }
        // A browser shows a page neither status nor body of a refused upgrade, but it does show close codes.
        (503, Some("close")) => return Ok(closed(close::FULL)),
        (429, Some("close")) => return Ok(closed(close::TOO_MANY)),
        _ => {}
    }
    Ok(response)
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
            503 if search.advance(next(&response)).is_some() => {
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

fn closed(close: Close) -> Response {
    js::closed_socket(close.code, close.reason)
}
