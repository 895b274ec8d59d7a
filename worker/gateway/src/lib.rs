//! The ingress Worker: routes, authentication, limits and the choice of a region. It owns the secrets and no socket, so
//! it can be deployed at any time.
//!
//! Absent on purpose: decisions. They are pure functions in `edge_broadcast_protocol`; this crate carries them out.

mod answer;
mod config;
mod connect;
mod console;
mod health;
mod inspect;
mod join;
mod js;
mod publish;
mod request;
mod snapshot;
mod stub;
mod uses;

use config::Config;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::gateway::route::{self, Route};
use edge_broadcast_shell::reply;
use request::Request;
use std::convert::Infallible;
use worker::worker_sys::web_sys::{self, Response};
use worker::{Context, Env, event};

/// It never fails: what would print an error of the runtime's library is 1 % of the bundle.
#[event(fetch)]
async fn fetch(raw: web_sys::Request, env: Env, context: Context) -> Result<Response, Infallible> {
    let url = raw.url();
    let told_by_close = connect::told_by_close(&raw, &url);
    let response = match Config::of(&env) {
        Ok(config) => {
            let request = Request {
                raw,
                url,
                env,
                context,
                config,
            };
            snapshot::share(&request, serve(&request).await)
        }
        Err(refusal) => reply::refusal(&refusal),
    };
    Ok(match told_by_close {
        Some(headers) if response.status() != 101 => connect::closed(&response, headers).await,
        _ => response,
    })
}

async fn serve(request: &Request) -> Response {
    let method = request.raw.method();
    let route = Route::of(&method, route::path(&request.url));
    let probe = route.as_ref().map_or("", Route::probe);
    let answer = match &route {
        Ok(Route::Health) => health::health(request).await,
        Ok(Route::Connect(token)) => connect::connect(request, token).await,
        Ok(Route::Publish(token)) => publish::publish(request, token).await,
        Ok(Route::PublishMany) => publish::publish_many(request).await,
        Ok(Route::Snapshot(token)) => snapshot::snapshot(request, token).await,
        Ok(Route::SnapshotPreflight) => snapshot::preflight(request),
        Ok(Route::Room(token)) => inspect::room(request, token).await,
        Ok(Route::SecretUses) => inspect::secret_uses(request).await,
        Ok(Route::Console) => console::console(request).await,
        Err(refusal) => Err(refusal.clone()),
    };
    answer.unwrap_or_else(|refusal| {
        request.debug(|| format!("refused {method}: {} {}", refusal.status, refusal.code));
        let event = Event::Refusal {
            code: refusal.code,
            region: request.region().map_or("", |region| &region.name),
            status: refusal.status,
        };
        request.measure(probe, event);
        reply::refusal(&refusal)
    })
}
