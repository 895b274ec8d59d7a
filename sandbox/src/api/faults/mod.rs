//! What only tests want, and what is shipped has not (feature `faults`): calls that go wrong on request, a record of all calls, a rate
//! limit that is kept, and what stands before a host.

mod fault;
pub(crate) mod guard;
pub(crate) mod journal;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::DATE;
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use self::fault::Fault;
pub(super) use self::fault::Kind;
use self::guard::{Placed, challenge};
use self::journal::Journal;
use super::call::Sent;
use super::context::Shared;
use super::endpoint::{Endpoint, delete, get, post, put};
use super::envelope::{Answer, result};
use super::quota::{Policy, throttled};
use crate::account::error::{invalid, refuse};

/// The calls below `/sandbox` that make it a test's.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/sandbox", "/faults", faults),
        post("/sandbox", "/faults", add_fault),
        delete("/sandbox", "/faults", clear),
        get("/sandbox", "/guards", guards),
        post("/sandbox", "/guards", place),
        delete("/sandbox", "/guards", open),
        get("/sandbox", "/requests", requests),
        delete("/sandbox", "/requests", clear),
        get("/sandbox", "/tails", tails),
        put("/sandbox", "/tails", shorten_tails),
        delete("/sandbox", "/tails/sockets", cut_tails),
        get("/sandbox", "/limits", limits),
        put("/sandbox", "/limits", keep_limits),
        delete("/sandbox", "/limits", tell_limits),
    ]
}

/// What a call that meets a fault gets instead of its answer; `None` is a reset. `handle` has the routes answer it.
pub(super) async fn happen<F>(
    fault: Kind,
    path: &str,
    router: Router,
    handle: impl FnOnce(Router) -> F,
) -> Option<Response<Body>>
where
    F: Future<Output = Response<Body>>,
{
    match fault {
        Kind::Status { status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let words = "an unknown error has occurred (asked for by a test)";
            Some(refuse(status, 10013, words).into_response())
        }
        Kind::RateLimit { retry_after } => Some(throttled(path, retry_after.into())),
        Kind::Html => Some(challenge()),
        Kind::Reset => None,
        Kind::Hang => std::future::pending().await,
        Kind::Panic => Some(handle(Router::new().fallback(broken)).await),
        Kind::Lost => {
            handle(router).await;
            None
        }
        Kind::OldDate => {
            let mut answer = handle(router).await;
            let date = HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT");
            answer.headers_mut().insert(DATE, date);
            Some(answer)
        }
    }
}

async fn broken() {
    panic!("asked for by a test");
}

/// The scripts that are tailed, each as often as it is.
async fn tails(State(context): Shared) -> Answer {
    result(json!(context.tails.scripts()))
}

#[derive(Deserialize)]
struct Life {
    seconds: u64,
}

/// Has new tails end soon.
async fn shorten_tails(State(context): Shared, body: Bytes) -> Answer {
    let life: Life = serde_json::from_slice(&body)
        .map_err(|error| invalid(10026, format!("no such life: {error}")))?;
    context.tails.last_for(Duration::from_secs(life.seconds));
    result(Value::Null)
}

/// Ends the sockets of all tails, as a place of the network that goes away does.
async fn cut_tails(State(context): Shared) -> Answer {
    context.tails.cut();
    result(Value::Null)
}

async fn faults(State(context): Shared) -> Answer {
    result(json!(context.journal.lock().faults))
}

async fn add_fault(State(context): Shared, body: Bytes) -> Answer {
    let fault: Fault = serde_json::from_slice(&body)
        .map_err(|error| invalid(10026, format!("no such fault: {error}")))?;
    let shown = json!(fault);
    context.journal.lock().faults.push(fault);
    result(shown)
}

async fn guards(State(context): Shared) -> Answer {
    result(context.guards.shown())
}

/// `{host, kind}`: from now on something stands before the host.
async fn place(State(context): Shared, Sent(placed): Sent<Placed>) -> Answer {
    context.guards.place(placed);
    result(context.guards.shown())
}

async fn open(State(context): Shared) -> Answer {
    context.guards.remove();
    result(Value::Null)
}

async fn requests(State(context): Shared) -> Answer {
    result(json!(context.journal.lock().calls))
}

async fn clear(State(context): Shared) -> Answer {
    *context.journal.lock() = Journal::default();
    result(Value::Null)
}

/// The limit that is kept; null while Cloudflare's is told only.
async fn limits(State(context): Shared) -> Answer {
    result(json!(context.quotas.kept()))
}

/// `{calls, seconds}`: from now on every token has so many calls in so many seconds of each kind, and is refused beyond them.
async fn keep_limits(State(context): Shared, Sent(policy): Sent<Policy>) -> Answer {
    if policy.calls == 0 || policy.seconds == 0 {
        return Err(invalid(10026, "`calls` and `seconds` start at 1"));
    }
    context.quotas.keep(Some(policy));
    result(json!(policy))
}

/// Back to telling; what was spent is forgotten.
async fn tell_limits(State(context): Shared) -> Answer {
    context.quotas.keep(None);
    result(Value::Null)
}
