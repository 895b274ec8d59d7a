//! An update reaches the room.

use crate::deliver::{self, Delivery};
use crate::object::Object;
use crate::save;
use edge_broadcast_protocol::contract::call::{Part, Publish};
use edge_broadcast_protocol::contract::head;
use edge_broadcast_protocol::contract::receipt::Receipt;
use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::room::root::Outcome;
use edge_broadcast_protocol::room::window::Offer;
use edge_broadcast_shell::{reply, unix_ms};
use std::rc::Rc;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn publish(
    object: &Rc<Object>,
    call: &Publish,
    body: &str,
) -> Result<Response, Refusal> {
    let started_ms = unix_ms();
    let head = head::read(body)?;
    head::check_token(&head, &call.token)?;
    object.load(Part::Root).await?;
    object.confirm_record();
    let outcome = object.memory().room.publish(call, head, body, started_ms)?;
    let receipt = |seq: u64, delivery: Delivery| Receipt {
        sockets: delivery.sockets,
        shards: delivery.shards,
        failed_shards: delivery.failed_shards,
        took_ms: unix_ms().saturating_sub(started_ms),
        ..object.memory().room.receipt(seq)
    };
    let remember = |receipt: &Receipt| object.memory().room.remember(call, receipt, started_ms);
    let receipt = match outcome {
        Outcome::Answer(receipt) => receipt,
        Outcome::Numbered(seq, Offer::Send(updates)) => {
            let remember = |delivery: Delivery| remember(&receipt(seq, delivery));
            let remember = call.id.is_some().then_some(&remember as &dyn Fn(Delivery));
            if let Some(remember) = remember {
                // For a repeat that comes before this is delivered.
                remember(deliver::estimate(object));
            }
            receipt(
                seq,
                deliver::deliver(object, &call.token, updates, remember).await,
            )
        }
        Outcome::Numbered(seq, Offer::Wait { dropped, timer_ms }) => {
            if let Some(wait_ms) = timer_ms {
                deliver::send_after(object, &call.token, wait_ms);
            }
            let receipt = Receipt {
                dropped,
                batched: true,
                ..receipt(seq, deliver::estimate(object))
            };
            remember(&receipt);
            save::changed(object);
            receipt
        }
    };
    Ok(reply::json(&receipt))
}
