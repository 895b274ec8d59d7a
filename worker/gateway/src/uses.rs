//! Counts uses of secret slots: in memory, and at most once a second into the object that adds up all gateways.

use crate::{object::Object, request::Request};
use edge_broadcast_protocol::{
    call::Call,
    place::USES_OBJECT,
    save::{Save, Saver},
    slot::{Slot, Uses},
};
use std::{cell::RefCell, time::Duration};
use worker::{Date, Delay, Env, wasm_bindgen::JsValue};

thread_local! {
    static TALLY: RefCell<(Uses, Saver)> = RefCell::default();
}

/// Counts one use. Nothing of it delays the request, and nothing of it can fail it.
pub(crate) fn count(request: &Request, slot: Slot) {
    let now_ms = Date::now().as_millis();
    let save = TALLY.with_borrow_mut(|(uses, saver)| {
        uses.count(slot, now_ms);
        saver.changed(now_ms)
    });
    let wait_ms = match save {
        Save::Exact => 0,
        Save::Behind { timer_ms } => timer_ms,
        Save::Nothing => return,
    };
    let env = request.env.clone();
    request.context.wait_until(async move {
        if wait_ms > 0 {
            Delay::from(Duration::from_millis(wait_ms)).await;
            TALLY.with_borrow_mut(|(_, saver)| saver.saved(Date::now().as_millis()));
        }
        hand_over(&env).await;
    });
}

async fn hand_over(env: &Env) {
    let uses = TALLY.with_borrow_mut(|(uses, _)| std::mem::take(uses));
    if uses.is_empty() {
        return;
    }
    let body = serde_json::to_string(&uses).unwrap_or_default();
    let object = Object::new(env, USES_OBJECT, None);
    let answer = object.ask(&Call::Uses, &JsValue::from_str(&body)).await;
    if !answer.is_ok_and(|response| response.ok()) {
        TALLY.with_borrow_mut(|(tally, _)| tally.add(&uses));
    }
}
