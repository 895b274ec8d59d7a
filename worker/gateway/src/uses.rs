//! Counts uses of secret slots: in memory, and at most once a second into the object that adds up all gateways.

use crate::js;
use crate::request::Request;
use crate::stub::Stub;
use edge_broadcast_protocol::contract::call::Call;
use edge_broadcast_protocol::contract::place::USES_OBJECT;
use edge_broadcast_protocol::contract::save::{Save, Saver};
use edge_broadcast_protocol::contract::slot::{Slot, Uses};
use edge_broadcast_shell::unix_ms;
use std::cell::RefCell;
use worker::Env;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;

thread_local! {
    static TALLY: RefCell<(Uses, Saver)> = RefCell::default();
}

/// Counts one use. Nothing of it delays the request, and nothing of it can fail it.
pub(crate) fn count(request: &Request, slot: Slot) {
    let now_ms = unix_ms();
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
            wait(wait_ms).await;
            TALLY.with_borrow_mut(|(_, saver)| saver.saved(unix_ms()));
        }
        flush(&env).await;
    });
}

/// Pauses before the next try, in milliseconds. A request may go on for thirty seconds after its answer, no longer.
const RETRIES_MS: [u64; 3] = [500, 2_000, 8_000];

/// Delivers the counts. If that fails they go back to memory for this instance's next request; since an idle instance is
/// ended and would lose them, it is tried again before that.
async fn flush(env: &Env) {
    for pause_ms in RETRIES_MS.into_iter().map(Some).chain([None]) {
        let uses = TALLY.with_borrow_mut(|(uses, _)| std::mem::take(uses));
        if uses.is_empty() {
            return;
        }
        let body = serde_json::to_string(&uses).unwrap_or_default();
        let object = Stub::new(env, USES_OBJECT, None);
        let answer = object.ask(&Call::Uses, &JsValue::from_str(&body)).await;
        if answer.is_ok_and(|response| response.ok()) {
            return;
        }
        TALLY.with_borrow_mut(|(tally, _)| tally.add(&uses));
        if let Some(pause_ms) = pause_ms {
            wait(pause_ms).await;
        }
    }
}

async fn wait(ms: u64) {
    let _ = JsFuture::from(js::wait(ms as u32)).await;
}
