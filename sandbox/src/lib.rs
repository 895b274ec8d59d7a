//! Cloudflare on one machine: the part of the v4 API that wrangler, the SDKs and edge-broadcast use, and the deployed Workers on the real
//! runtime, `workerd`, behind an ingress that chooses them by host and route as Cloudflare does. See `README.md`.
//!
//! The rooms, each of which imports only those below it (its door says which):
//!
//! - `api`: the calls · `console`: what the page of developers may ask
//! - `engine`: the only owner of state and runtime
//! - `runtime`: workerd, and what it says · `edge`: from a request to the Worker that answers it
//! - `analytics`: data points, and the SQL on them
//! - `store`: the state directory · `account`: what there is and how it changes, pure · `server`: loopback HTTP
//!
//! Everything listens on the loopback interface only.

mod account;
mod analytics;
mod api;
mod console;
mod edge;
mod engine;
mod runtime;
mod server;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use axum::body::Body;
use http::{Request, Response};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use crate::account::dns::{answering, is_deep};
pub use crate::account::state::Strictness;
use crate::account::value::SecretValue;
use crate::account::{dns, stamp};
use crate::analytics::store::Points;
use crate::api::context::{ACCOUNT, BASE, Context};
use crate::api::quota::Quotas;
pub use crate::console::Console;
use crate::edge::ingress;
pub use crate::edge::pattern::{End, Pattern};
use crate::engine::Engine;
use crate::runtime::analytics as sink;
use crate::runtime::tail::Tails;
use crate::server::arriving::Arriving;
use crate::store::Store;

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The runtime's program.
    pub workerd: PathBuf,
    /// The API's port; 0 is any free one.
    pub api_port: u16,
    /// The ingress's port; 0 is any free one.
    pub port: u16,
    /// Where the state lasts; without one it is lost in the end.
    pub state: Option<PathBuf>,
    /// Names of the zones that exist.
    pub zones: Vec<String>,
    /// Hosts, or `*.` and a host, that have a proxied DNS record.
    pub records: Vec<String>,
    /// How closely it keeps to Cloudflare.
    pub strictness: Strictness,
    /// Whether it helps the page at `/console`.
    pub console: Console,
}

/// A running sandbox. Dropping it stops everything it started.
#[derive(Debug)]
pub struct Sandbox {
    engine: Arc<Engine>,
    api: SocketAddr,
    ingress: SocketAddr,
    token: SecretValue,
    tasks: JoinSet<()>,
    notices: mpsc::UnboundedReceiver<String>,
}

/// Starts a sandbox and returns when it answers.
pub async fn start(options: Options) -> anyhow::Result<Sandbox> {
    let mut tasks = JoinSet::new();
    let store = Store::open(options.state.as_deref())?;
    let mut state = store.load()?;
    state.zones.extend(options.zones);
    dns::prepare(&mut state, &options.records, &stamp::stamp(None))?;
    let points = Points::open(store.points().as_deref())?;
    let tails = Tails::default();
    let traces = api::tails::sink(tails.clone());
    let analytics = sink::serve(points.clone(), traces, &mut tasks).await?;
    let api_listener = server::bind(options.api_port).await?;
    let ingress_listener = server::bind(options.port).await?;
    let (api, ingress) = (api_listener.local_addr()?, ingress_listener.local_addr()?);
    let token = made_up();

    let (engine, notices) = Engine::new(
        options.workerd,
        (analytics, points),
        store,
        state,
        options.strictness,
    );
    let engine = Arc::new(engine);
    tasks.spawn(engine.clone().mend());
    tasks.spawn(engine.clone().release());
    engine
        .change(|_| Ok(()))
        .await
        .map_err(|error| anyhow!("{}", error.problems[0].1))?;

    let context = Arc::new(Context {
        engine: engine.clone(),
        #[cfg(feature = "faults")]
        journal: parking_lot::Mutex::default(),
        #[cfg(feature = "faults")]
        guards: api::faults::guard::Guards::default(),
        quotas: Quotas::default(),
        token: token.clone(),

        address: api,
        ingress,
        tails,
    });
    tasks.spawn(server::serve(ingress_listener, {
        let context = context.clone();
        let console = options.console;
        move |request, peer| arrive(context.clone(), console, request, peer)
    }));
    let router = api::router(context.clone());
    tasks.spawn(server::serve(api_listener, move |request, _| {
        api::front::answer(context.clone(), router.clone(), request)
    }));
    Ok(Sandbox {
        engine,
        api,
        ingress,
        token,
        tasks,
        notices,
    })
}

impl Sandbox {
    /// The value for `CLOUDFLARE_API_BASE_URL`.
    pub fn api(&self) -> String {
        format!("http://{}{}", self.api, BASE)
    }

    /// Where the deployed Workers answer, whatever their host.
    pub fn ingress(&self) -> SocketAddr {
        self.ingress
    }

    /// The value for `CLOUDFLARE_ACCOUNT_ID`; every other one is accepted too.
    pub fn account_id(&self) -> &str {
        ACCOUNT
    }

    /// The value for `CLOUDFLARE_API_TOKEN`: a secret.
    pub fn token(&self) -> &str {
        self.token.expose()
    }

    /// What nobody asked for and somebody should know, a line at a time: that the runtime ended, and what became of it.
    pub async fn notice(&mut self) -> Option<String> {
        self.notices.recv().await
    }

    /// Stops the servers and the runtime, and removes a temporary state.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.tasks.shutdown().await;
        self.engine.end().await;
        self.engine.points.flush()?;
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.engine.kill();
    }
}

/// Answers a request to a Worker, unless a guard does.
async fn arrive(
    context: Arc<Context>,
    console: Console,
    mut request: Request<Arriving>,
    peer: SocketAddr,
) -> Option<Response<Body>> {
    #[cfg(feature = "faults")]
    {
        let (host, path) = (ingress::host(&request), request.uri().path());
        let refused = context.guards.refuse(&host, path, request.headers());
        if refused.is_some() {
            return refused;
        }
    }
    if console == Console::Helped {
        let answered = console::answer(&context.engine, &mut request).await;
        if answered.is_some() {
            return answered;
        }
    }
    Some(ingress::answer(context.engine.gate(), request, peer).await)
}

/// A token of 64 hex digits.
fn made_up() -> SecretValue {
    let [a, b]: [u128; 2] = rand::random();
    SecretValue::new(format!("{a:032x}{b:032x}"))
}
