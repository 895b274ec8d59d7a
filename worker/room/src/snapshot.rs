//! The latest value for clients that poll.

use crate::object::Object;
use edge_broadcast_protocol::contract::call::Part;
use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::room::greeting;
use edge_broadcast_protocol::room::stream::none_match;
use edge_broadcast_shell::reply;
use std::rc::Rc;
use worker::worker_sys::web_sys::Response;

pub(crate) async fn snapshot(
    object: &Rc<Object>,
    token: &str,
    if_none_match: Option<&str>,
) -> Result<Response, Refusal> {
    object.load(Part::Root).await?;
    let memory = object.memory();
    let stream = &memory.room.stream;
    let etag = stream.etag();
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-cache"),
        ("etag", &etag),
    ];
    if none_match(if_none_match, &etag) {
        return Ok(reply::response(304, None, &headers));
    }
    let body = greeting::snapshot(token, stream);
    Ok(reply::response(200, Some(&body), &headers))
}
