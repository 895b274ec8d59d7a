//! An update reaches the room.

use crate::{
    deliver,
    object::{Object, now_ms},
    reply, save,
};
use edge_broadcast_protocol::{
    call::Publish, receipt::Receipt, refusal::Refusal, room::Outcome, update,
};
use std::rc::Rc;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn publish(
    object: &Rc<Object>,
    call: &Publish,
    body: &str,
) -> Result<Response, Refusal> {
    let started_ms = now_ms();
    let head = update::head(body)?;
    update::check_token(&head, &call.token)?;
    object.load().await?;
    let outcome = object.memory().room.publish(call, head, body, started_ms)?;
    let receipt = match outcome {
        Outcome::Answer(receipt) => receipt,
        Outcome::Send(update) => {
            let receipt = object.memory().room.receipt(update.seq);
            let delivery = deliver::deliver(object, &call.token, vec![update]).await;
            Receipt {
                sockets: delivery.sockets,
                shards: delivery.shards,
                failed_shards: delivery.failed_shards,
                took_ms: now_ms().saturating_sub(started_ms),
                ..receipt
            }
        }
        Outcome::Wait {
            seq,
            dropped,
            timer_ms,
        } => {
            if let Some(wait_ms) = timer_ms {
                deliver::send_after(object, &call.token, wait_ms);
            }
            save::changed(object);
            let memory = object.memory();
            Receipt {
                sockets: memory.sockets + memory.registry.sockets(),
                shards: u32::from(memory.sockets > 0) + memory.registry.len(),
                dropped,
                batched: true,
                ..memory.room.receipt(seq)
            }
        }
    };
    if !receipt.duplicate {
        object.memory().room.remember(call, &receipt, started_ms);
    }
    Ok(reply::json(&receipt))
}
