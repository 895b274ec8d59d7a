//! `POST /broadcast/:token` and `POST /broadcast`.

use crate::request::Request;
use crate::{join, js, uses};
use edge_broadcast_protocol::contract::call::{Call, Publish};
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::slot::Slot;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::contract::{binding, head, signature};
use edge_broadcast_protocol::gateway::batch::{self, MAX_BATCH_BYTES};
use edge_broadcast_protocol::gateway::claim::Claim;
use edge_broadcast_protocol::gateway::{credential, media_type};
use edge_broadcast_shell::{self as shell, env, reply, unix_ms};
use std::collections::BTreeMap;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::Response;

/// A body whose sender has been authenticated.
struct Authentic {
    /// The same bytes twice: for the room as the runtime has them, and for us.
    raw: Uint8Array,
    body: String,
    slot: Slot,
    id: Option<String>,
}

/// Publishes one object.
pub(crate) async fn publish(request: &Request, token: &Token) -> Result<Response, Refusal> {
    let max_bytes = request.config.settings.max_message_bytes;
    let authentic = authenticate(request, max_bytes).await?;
    head::read(&authentic.body).and_then(|head| head::check_token(&head, token.as_str()))?;
    let body = JsValue::from(authentic.raw);
    send(request, token.as_str(), authentic.slot, authentic.id, &body).await
}

/// Publishes an array of objects. Items of one token keep their order; tokens are served at once.
pub(crate) async fn publish_many(request: &Request) -> Result<Response, Refusal> {
    let max_bytes = request.config.settings.max_message_bytes;
    let authentic = authenticate(request, max_bytes.max(MAX_BATCH_BYTES)).await?;
    let started_ms = unix_ms();
    let items = batch::items(&authentic.body)?;
    let mut results: Vec<String> = vec![String::new(); items.len()];
    let mut rooms: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        match addressee(item, max_bytes) {
            Ok(token) => rooms
                .entry(token.as_str().to_owned())
                .or_default()
                .push(index),
            Err(refusal) => results[index] = batch::refused(&refusal),
        }
    }
    let rooms = rooms.iter().map(|(token, indexes)| {
        let (items, authentic) = (&items, &authentic);
        async move {
            let mut answers = Vec::new();
            for &index in indexes {
                let id = authentic.id.as_ref().map(|id| batch::id(id, index));
                let body = JsValue::from_str(items[index]);
                let sent = async {
                    batch::check_time(started_ms, unix_ms())?;
                    send(request, token, authentic.slot, id, &body).await
                };
                let answer = match sent.await {
                    Ok(response) => result(&response).await,
                    Err(refusal) => batch::refused(&refusal),
                };
                answers.push((index, answer));
            }
            answers
        }
    });
    for (index, answer) in join::all(rooms).await.into_iter().flatten() {
        results[index] = answer;
    }
    Ok(reply::text(&batch::answer(&results)))
}

/// One item's result.
async fn result(response: &Response) -> String {
    let retry_after = response.headers().get("retry-after").ok().flatten();
    let answer = shell::text(response.text()).await.unwrap_or_default();
    let seconds = retry_after.and_then(|seconds| seconds.parse().ok());
    batch::result(response.status(), seconds, &answer)
}

/// The order is that of the documented protocol: size, form of the headers, credentials, and then what the body is.
async fn authenticate(request: &Request, max_bytes: u32) -> Result<Authentic, Refusal> {
    let raw = read(request, max_bytes).await?;
    let bytes = raw.to_vec();
    let config = &request.config;
    let signature = request.header("webhook-signature");
    let timestamp = request.header("webhook-timestamp");
    let id = request
        .header("webhook-id")
        .or_else(|| request.header("idempotency-key"));
    let slot = match &signature {
        Some(signature) => {
            let claim = Claim {
                id: id.as_deref(),
                timestamp: timestamp.as_deref(),
                signature: Some(signature),
            };
            claim.verify(unix_ms(), &bytes, &config.secrets)?
        }
        None if config.settings.require_signature => return Err(refusal::SIGNATURE_REQUIRED),
        None => credential::bearer(request.header("authorization").as_deref(), &config.secrets)?,
    };
    uses::count(request, slot);
    if id.as_deref().is_some_and(|id| !signature::is_id(id)) {
        return Err(refusal::INVALID_ID);
    }
    media_type::check(request.header("content-type").as_deref())?;
    let body = String::from_utf8(bytes).map_err(|_| refusal::NOT_UTF8)?;
    Ok(Authentic {
        raw,
        body,
        slot,
        id,
    })
}

/// The body, of which no more than `max_bytes` is ever read.
async fn read(request: &Request, max_bytes: u32) -> Result<Uint8Array, Refusal> {
    let too_large = refusal::BODY_TOO_LARGE;
    let length: Option<u64> = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > u64::from(max_bytes)) {
        return Err(too_large);
    }
    let raw = JsFuture::from(js::read(&request.raw, max_bytes))
        .await
        .map_err(|_| refusal::INCOMPLETE_BODY)?;
    if raw.is_undefined() {
        return Err(too_large);
    }
    Ok(raw.unchecked_into())
}

/// The room that an item is for.
fn addressee(item: &str, max_bytes: u32) -> Result<Token, Refusal> {
    if item.len() > max_bytes as usize {
        return Err(refusal::ITEM_TOO_LARGE);
    }
    let head = head::read(item)?;
    let token = head.token.ok_or(refusal::MISSING_TOKEN)?;
    Token::try_from(token.as_str())
}

async fn send(
    request: &Request,
    token: &str,
    slot: Slot,
    id: Option<String>,
    body: &JsValue,
) -> Result<Response, Refusal> {
    if request.is_limited(binding::BROADCAST_RATE, token).await {
        let period = request.config.settings.broadcast_period;
        return Err(refusal::BROADCAST_RATE.retry_after(period));
    }
    let force = matches!(request.parameter("force"), Some("1" | "true"));
    let call = Call::Publish(Publish {
        token: token.to_owned(),
        slot,
        id,
        force,
        signed_ms: None,
    });
    let response = request.root(token).ask(&call, body).await?;
    request.debug(|| format!("broadcast to `{token}`: {}", response.status()));
    if response.ok() {
        let slot = slot.binding();
        env::measure(&request.env, token, Event::Publish { slot });
    }
    Ok(response)
}
