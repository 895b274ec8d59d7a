//! `POST /broadcast/:token` and `POST /broadcast`.

use crate::answer::Answer;
use crate::request::Request;
use crate::{join, js, uses};
use edge_broadcast_protocol::contract::call::{Call, Publish};
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_protocol::contract::slot::Slot;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::contract::{binding, head};
use edge_broadcast_protocol::gateway::batch::{self, MAX_BATCH_BYTES, Outcome};
use edge_broadcast_protocol::gateway::envelope::{self, Envelope, Sender};
use edge_broadcast_shell::{reply, unix_ms};
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::Response;

/// A body whose sender has been authenticated.
struct Authentic<'envelope> {
    /// The same text twice: for the room as the runtime has it, and for us.
    raw: Uint8Array,
    body: String,
    slot: Slot,
    sender: Sender<'envelope>,
}

/// Publishes one object.
pub(crate) async fn publish(request: &Request, token: &Token) -> Result<Response, Refusal> {
    let envelope = envelope(request);
    let max_bytes = request.config.settings.max_message_bytes;
    let Authentic {
        raw,
        body,
        slot,
        sender,
    } = authenticate(request, &envelope, max_bytes).await?;
    head::read(&body).and_then(|head| sender.check_token(&head, token.as_str()))?;
    let call = Publish {
        token: token.as_str().to_owned(),
        slot,
        signed_ms: sender.signed_ms(),
        force: envelope.force,
        id: envelope.id,
    };
    send(request, call, &raw).await
}

/// Publishes an array of objects. Items of one token keep their order; tokens are served at once.
pub(crate) async fn publish_many(request: &Request) -> Result<Response, Refusal> {
    let envelope = envelope(request);
    let max_bytes = request.config.settings.max_message_bytes;
    let authentic = authenticate(request, &envelope, max_bytes.max(MAX_BATCH_BYTES)).await?;
    let started_ms = unix_ms();
    let items = batch::items(&authentic.body)?;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; items.len()];
    let mut rooms: Vec<Vec<(usize, Publish)>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let addressed = addressee(item, max_bytes).and_then(|token| {
            let id = batch::id(envelope.id.as_deref(), &items, index)?;
            Ok((token, id))
        });
        match addressed {
            Ok((token, id)) => {
                let call = Publish {
                    token: token.as_str().to_owned(),
                    slot: authentic.slot,
                    id,
                    force: envelope.force,
                    signed_ms: authentic.sender.signed_ms(),
                };
                let of_token = |room: &&mut Vec<(usize, Publish)>| room[0].1.token == call.token;
                match rooms.iter_mut().find(of_token) {
                    Some(room) => room.push((index, call)),
                    None => rooms.push(vec![(index, call)]),
                }
            }
            Err(refusal) => outcomes[index] = Some(Outcome::refused(&refusal)),
        }
    }
    let rooms = rooms.into_iter();
    let rooms = rooms.map(|calls| publish_in_order(request, &items, calls, started_ms));
    for (index, outcome) in join::all(rooms).await.into_iter().flatten() {
        outcomes[index] = Some(outcome);
    }
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    let answer = batch::answer(&outcomes);
    Ok(reply::answer(
        answer.status,
        &answer.body,
        answer.retry_after,
    ))
}

/// Publishes the items of one room, one after the other: what became of each, by its index.
async fn publish_in_order(
    request: &Request,
    items: &[&str],
    calls: Vec<(usize, Publish)>,
    started_ms: u64,
) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::new();
    for (index, call) in calls {
        let body = JsValue::from_str(items[index]);
        let sent = async {
            batch::check_time(started_ms, unix_ms())?;
            send(request, call, &body).await
        };
        let outcome = match sent.await {
            Ok(response) => outcome(&response).await,
            Err(refusal) => Outcome::refused(&refusal),
        };
        outcomes.push((index, outcome));
    }
    outcomes
}

/// What became of one item.
async fn outcome(response: &Response) -> Outcome {
    let Answer { retry_after, body } = Answer::of(response).await;
    Outcome::answered(response.status(), retry_after, &body)
}

fn envelope(request: &Request) -> Envelope {
    let id = request.header("webhook-id");
    Envelope {
        authorization: request.header("authorization"),
        content_encoding: request.header("content-encoding"),
        content_length: request.header("content-length"),
        content_type: request.header("content-type"),
        id: id.or_else(|| request.header("idempotency-key")),
        timestamp: request.header("webhook-timestamp"),
        signature: request.header("webhook-signature"),
        force: matches!(request.parameter("force"), Some("1" | "true")),
    }
}

/// Reads the body, once nothing else speaks against it.
async fn authenticate<'envelope>(
    request: &Request,
    envelope: &'envelope Envelope,
    max_bytes: u32,
) -> Result<Authentic<'envelope>, Refusal> {
    let config = &request.config;
    let sender = envelope.sender(&config.settings, &config.secrets, max_bytes, unix_ms())?;
    let raw = JsFuture::from(js::read(&request.raw, max_bytes))
        .await
        .map_err(|_| refusal::INCOMPLETE_BODY)?;
    if raw.is_undefined() {
        return Err(refusal::BODY_TOO_LARGE);
    }
    let raw: Uint8Array = raw.unchecked_into();
    let bytes = raw.to_vec();
    let slot = sender.slot(&bytes, &config.secrets)?;
    uses::count(request, slot);
    let body = envelope::text(bytes)?;
    let end = raw.length();
    Ok(Authentic {
        raw: raw.subarray(end - body.len() as u32, end),
        body,
        slot,
        sender,
    })
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

async fn send(request: &Request, call: Publish, body: &JsValue) -> Result<Response, Refusal> {
    let (token, slot) = (call.token.clone(), call.slot);
    if request.is_limited(binding::BROADCAST_RATE, &token).await {
        let period = request.config.settings.broadcast_period;
        return Err(refusal::BROADCAST_RATE.retry_after(period));
    }
    let (call, started_ms) = (Call::Publish(call), unix_ms());
    let response = request.root(&token).ask(&call, body).await?;
    request.debug(|| format!("broadcast to `{token}`: {}", response.status()));
    if response.ok() {
        let event = Event::Publish {
            slot: slot.binding(),
            region: request.region().map_or("", |region| &region.name),
            took_ms: unix_ms().saturating_sub(started_ms),
        };
        request.measure(&token, event);
    }
    Ok(response)
}
