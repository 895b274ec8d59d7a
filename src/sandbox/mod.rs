//! Cloudflare on one machine: the part of the v4 API that this tool and wrangler use, and the deployed Workers on the real
//! runtime, `workerd`, behind an ingress that chooses them by host and route as Cloudflare does.
//!
//! - state and its pure changes: [`state`], [`script`], [`version`], [`upload`], [`deployment`], [`secret`], [`migration`],
//!   [`route`], [`domain`], [`dns`]
//! - the runtime: [`config`], [`assignment`] (pure), [`host`], [`process`], [`respawn`], [`probe`]; [`engine`] brings the two
//!   together
//! - what others are told of what runs: [`trace`], [`trace_filter`] (pure), [`tail`]
//! - the two servers: [`api`] and [`ingress`]
//!
//! Everything listens on the loopback interface only.

mod analytics;
mod api;
mod arriving;
mod assignment;
mod binding;
mod bundle;
mod capnp;
mod class;
mod config;
mod deployment;
mod dns;
mod domain;
mod edge;
mod engine;
mod envelope;
mod error;
mod fault;
#[cfg(test)]
mod fixture;
mod gate;
mod host;
mod ingress;
mod inheritance;
mod journal;
mod link;
mod log;
mod metadata;
mod migration;
mod module;
mod namespace;
mod observability;
mod paging;
mod pattern;
mod probe;
mod process;
mod quota;
mod resettable;
mod respawn;
mod revision;
mod route;
mod script;
mod secret;
mod server;
mod stamp;
mod state;
mod store;
mod table;
mod tail;
mod trace;
mod trace_filter;
mod upload;
mod value;
mod version;
mod worker;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::analytics::Points;
use self::api::Context;
use self::engine::Engine;
use self::journal::Journal;
use self::quota::Quotas;
use self::server::Reply;
use self::store::Store;
use self::tail::Tails;
use self::value::SecretValue;

/// The account that the sandbox names; it accepts every other one too.
const ACCOUNT: &str = "5a2db0c5a2db0c5a2db0c5a2db0c5a2d";

/// How closely the sandbox keeps to what Cloudflare does where that is less comfortable than what one machine could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// As Cloudflare: a zone route needs a proxied DNS record of its host; each Durable Object runs the version that the split
    /// gives it, and a busy one changes as late as the deployment lets it.
    #[default]
    Strict,
    /// For a first look: whatever has a route answers; every object runs the version with the greatest share, at once.
    Lenient,
}

/// What a sandbox is started with.
#[derive(Clone)]
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
    /// The API token; without one it is made up.
    pub token: Option<String>,
    /// How closely it keeps to Cloudflare.
    pub strictness: Strictness,
}

/// A running sandbox. Dropping it stops everything it started.
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
    let points = Points::default();
    let tails = Tails::default();
    let sink = api::sink(tails.clone());
    let analytics = analytics::serve(points.clone(), sink, &mut tasks).await?;
    let api_listener = server::bind(options.api_port).await?;
    let ingress_listener = server::bind(options.port).await?;
    let (api, ingress) = (api_listener.local_addr()?, ingress_listener.local_addr()?);
    let token = SecretValue::new(options.token.unwrap_or_else(made_up));

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

    let gate = engine.gate.clone();
    tasks.spawn(server::serve(ingress_listener, move |request, peer| {
        let gate = gate.clone();
        async move { Reply::Answer(ingress::answer(gate, request, peer).await) }
    }));
    let context = Arc::new(Context {
        engine: engine.clone(),
        journal: Journal::default(),
        quotas: Quotas::default(),
        token: token.clone(),
        account: ACCOUNT.to_owned(),
        address: api,
        ingress,
        tails,
    });
    let router = api::router(context.clone());
    tasks.spawn(server::serve(api_listener, move |request, _| {
        api::answer(context.clone(), router.clone(), request)
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
        format!("http://{}{}", self.api, api::BASE)
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
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.engine.kill();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Sandbox");
        shown
            .field("api", &self.api())
            .field("ingress", &self.ingress)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Options");
        shown
            .field("workerd", &self.workerd)
            .field("api_port", &self.api_port)
            .field("port", &self.port);
        shown
            .field("state", &self.state)
            .field("zones", &self.zones)
            .field("records", &self.records)
            .field("strictness", &self.strictness)
            .finish_non_exhaustive()
    }
}

/// 32 random bytes.
fn made_up() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
