//! A Durable Object as the gateway sees it: something that answers a [`Call`].

use crate::js;
use edge_broadcast_protocol::contract::{
    binding, call,
    call::Call,
    refusal::{self, Refusal},
};
use worker::{
    Env,
    js_sys::Promise,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::web_sys::{self, Response},
};

pub(crate) struct Object<'env> {
    env: &'env Env,
    name: String,
    hint: Option<&'env str>,
}

impl<'env> Object<'env> {
    /// The object called `name`; if this creates it, then near `hint`.
    pub(crate) fn new(env: &'env Env, name: &str, hint: Option<&'env str>) -> Self {
        Self {
            env,
            name: name.to_owned(),
            hint,
        }
    }

    /// Passes the client's own request on, upgrade and all.
    pub(crate) async fn forward(
        &self,
        request: &web_sys::Request,
        call: &Call,
    ) -> Result<Response, Refusal> {
        let sent = self
            .stub()
            .and_then(|stub| js::forward(&stub, request, call::HEADER, &call.encode()));
        response(sent).await
    }

    /// Sends a request of the gateway's own; `body` may be `undefined`.
    pub(crate) async fn ask(&self, call: &Call, body: &JsValue) -> Result<Response, Refusal> {
        let sent = self
            .stub()
            .and_then(|stub| js::ask(&stub, call::HEADER, &call.encode(), body));
        response(sent).await
    }

    fn stub(&self) -> Result<JsValue, JsValue> {
        js::stub(self.env, binding::ROOM, &self.name, self.hint)
    }
}

/// The text of a response's body.
pub(crate) async fn text(response: &Response) -> Option<String> {
    JsFuture::from(response.text().ok()?)
        .await
        .ok()?
        .as_string()
}

async fn response(sent: Result<Promise, JsValue>) -> Result<Response, Refusal> {
    let answered = async { JsFuture::from(sent?).await?.dyn_into::<Response>() }.await;
    // What went wrong (an overloaded object, a new version that restarts it) passes; the client is to try again.
    answered.map_err(|_| refusal::ROOM_UNAVAILABLE)
}
