//! `GET /console`: the page for developers, where the deployment has it.

use crate::js;
use crate::request::Request;
use edge_broadcast_protocol::contract::binding::DEVELOPMENT;
use edge_broadcast_protocol::contract::refusal::{self, Refusal};
use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::Response;

/// A module beside this Worker's own, in environments with `worker.debug = true` alone.
const PAGE: &str = "./console.page";

pub(crate) async fn console(request: &Request) -> Result<Response, Refusal> {
    if request.config.environment != DEVELOPMENT {
        return Err(refusal::NOT_FOUND);
    }
    let page = JsFuture::from(js::page(PAGE)).await;
    page.map(JsCast::unchecked_into)
        .map_err(|_| refusal::NOT_FOUND)
}
