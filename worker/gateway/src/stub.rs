//! A Durable Object as the gateway sees it: something that answers a [`Call`].

use crate::js;
use edge_broadcast_protocol::contract::call::{self, Call};
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use edge_broadcast_shell::env;
use worker::Env;
use worker::js_sys::Promise;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::{Request, Response};

type Answer = Result<Response, Refusal>;

pub(crate) struct Stub(JsValue);

impl Stub {
    /// Of the object called `name`; if this creates it, then near `hint`.
    pub(crate) fn new(env: &Env, name: &str, hint: Option<&str>) -> Self {
        Self(env::stub(env, name, hint))
    }

    /// Passes the client's own request on, upgrade and all.
    pub(crate) fn forward(
        &self,
        request: &Request,
        call: &Call,
    ) -> impl Future<Output = Answer> + use<> {
        answer(js::forward(&self.0, request, call::HEADER, &call.encode()))
    }

    /// Sends a request of the gateway's own; `body` may be `undefined`.
    pub(crate) fn ask(&self, call: &Call, body: &JsValue) -> impl Future<Output = Answer> + use<> {
        answer(js::ask(&self.0, call::HEADER, &call.encode(), body))
    }
}

/// What went wrong (an overloaded object, a new version that restarts it) passes: the client is to try again.
async fn answer(sent: Result<Promise, JsValue>) -> Answer {
    let answered = async { JsFuture::from(sent?).await?.dyn_into() }.await;
    answered.map_err(|_| refusal::ROOM_UNAVAILABLE)
}
