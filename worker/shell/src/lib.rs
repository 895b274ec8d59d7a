//! What both Workers need of the runtime. Not here: decisions, which are pure functions in `edge_broadcast_protocol`, and
//! whatever only one Worker does. Imports `edge_broadcast_protocol::contract` only.

pub mod env;
pub mod reply;

use edge_broadcast_protocol::contract::binding::DEVELOPMENT;
use worker::js_sys::Promise;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Date, console_log};

/// The time in unix milliseconds. The runtime's clock stands still between two events.
pub fn unix_ms() -> u64 {
    Date::now().as_millis()
}

/// Logs where the environment is `development`. The text is not even made anywhere else.
pub fn debug(environment: &str, text: impl FnOnce() -> String) {
    if environment == DEVELOPMENT {
        console_log!("{}", text());
    }
}

/// The text of a body, as a request's or a response's method `text` promises it; `None` when it ended too soon.
pub async fn text(promise: Result<Promise, JsValue>) -> Option<String> {
    JsFuture::from(promise.ok()?).await.ok()?.as_string()
}
