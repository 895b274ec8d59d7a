//! What the deployment gives a Worker.

use edge_broadcast_protocol::contract::metric::{Event, Point};
use edge_broadcast_protocol::contract::{binding, health};
use serde::de::DeserializeOwned;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen, inline_js = r#"
export function text(env, name) {
  const value = env[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function object(env, namespace, name, locationHint) {
  try {
    const within = env.JURISDICTION;
    const objects = within ? env[namespace].jurisdiction(within) : env[namespace];
    return objects.get(objects.idFromName(name), { locationHint });
  } catch {}
}

export function write(env, name, index, blobs, doubles) {
  try {
    env[name]?.writeDataPoint({ indexes: [index], blobs, doubles: Array.from(doubles) });
  } catch {}
}
"#)]
extern "C" {
    /// A text binding, or a JSON binding as text.
    pub fn text(env: &JsValue, name: &str) -> Option<String>;

    fn object(env: &JsValue, namespace: &str, name: &str, hint: Option<&str>) -> JsValue;

    fn write(env: &JsValue, name: &str, index: &str, blobs: Vec<String>, doubles: &[f64]);
}

/// The JSON binding [`binding::SETTINGS`]; `None` when it is missing or has another shape.
pub fn settings<T: DeserializeOwned>(env: &JsValue) -> Option<T> {
    serde_json::from_str(&text(env, binding::SETTINGS)?).ok()
}

/// The id of the running version of the script.
pub fn version(env: &JsValue) -> Option<String> {
    health::version(&text(env, binding::VERSION)?)
}

/// A stub of the Durable Object called `name` (in the jurisdiction [`binding::JURISDICTION`] it is another one), created near `hint` if this is the first that is heard of it; `undefined`
/// when there is none to be had.
pub fn stub(env: &JsValue, name: &str, hint: Option<&str>) -> JsValue {
    object(env, binding::ROOM, name, hint)
}

/// Writes a data point of `version` where Analytics Engine is bound; never fails. `token` is empty where the event belongs to no
/// room.
pub fn measure(env: &JsValue, version: &str, token: &str, event: Event) {
    let Point { blobs, doubles } = event.point(version);
    point(env, token, blobs.map(str::to_owned).into(), &doubles);
}

/// The same of columns that are there already.
pub fn point(env: &JsValue, token: &str, blobs: Vec<String>, doubles: &[f64; 4]) {
    write(env, binding::ANALYTICS, token, blobs, doubles);
}
