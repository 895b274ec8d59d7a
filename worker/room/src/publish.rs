//! An update reaches the room.

use crate::{
    deliver::{self, Delivery},
    object::{Object, now_ms},
    reply, save,
};
use edge_broadcast_protocol::{
    contract::{
        call::{Part, Publish},
        head,
        receipt::Receipt,
        refusal::Refusal,
    },
    room::root::Outcome,
};
use std::rc::Rc;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn publish(
    object: &Rc<Object>,
    call: &Publish,
    body: &str,
) -> Result<Response, Refusal> {
    let started_ms = now_ms();
    let head = head::read(body)?;
    head::check_token(&head, &call.token)?;
    object.load(Part::Root).await?;
    object.came_back();
    let outcome = object.memory().room.publish(call, head, body, started_ms)?;
    let receipt = |seq: u64, delivery: Delivery| Receipt {
        sockets: delivery.sockets,
        shards: delivery.shards,
        failed_shards: delivery.failed_shards,
        took_ms: now_ms().saturating_sub(started_ms),
        ..object.memory().room.receipt(seq)
    };
    let keep = |receipt: &Receipt| object.memory().room.remember(call, receipt, started_ms);
    let receipt = match outcome {
        Outcome::Answer(receipt) => receipt,
        Outcome::Send(updates) => {
            let seq = updates.last().map_or(0, |update| update.seq);
            let keep = |delivery: Delivery| keep(&receipt(seq, delivery));
            let keep = call.id.is_some().then_some(&keep as &dyn Fn(Delivery));
            if let Some(keep) = keep {
                // For a repeat that comes before this is delivered.
                keep(deliver::expected(object));
            }
            receipt(
                seq,
                deliver::deliver(object, &call.token, updates, keep).await,
            )
        }
        Outcome::Wait {
            seq,
            dropped,
            timer_ms,
        } => {
            if let Some(wait_ms) = timer_ms {
                deliver::send_after(object, &call.token, wait_ms);
            }
            let receipt = Receipt {
                dropped,
                batched: true,
                ..receipt(seq, deliver::expected(object))
            };
            keep(&receipt);
            save::changed(object);
            receipt
        }
    };
    Ok(reply::json(&receipt))
}
