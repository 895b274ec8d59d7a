//! A sandbox inside the test's own process, and small workers that deploy in a moment: what `deploy` does, without the binary.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use edge_broadcast::build::toolchain;
use edge_broadcast::build::{Bundle, Module, Size, Worker};
use edge_broadcast::cloudflare::Cloudflare;
use edge_broadcast::cloudflare::observe::observe;
use edge_broadcast::deploy::apply::{Inputs, Probe, Report, apply};
use edge_broadcast::environment::Environment;
use edge_broadcast::environment::name::Stages;
use edge_broadcast::live::site::Site;
use edge_broadcast::plan::{Conflicts, Desired, Observed, Plan};
use edge_broadcast::process::run::Runner;
use edge_broadcast::secret::Value as Secret;
use edge_broadcast_sandbox::{self as sandbox, Console, Options, Strictness};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cryptography;

/// The account of every rig.
pub(crate) const ACCOUNT: &str = "acc0acc0acc0acc0acc0acc0acc0acc0";
/// For calls that nothing delays: a machine that is busy with other tests is no fault.
const PATIENCE: Duration = Duration::from_secs(20);

/// The environment `staging` of a manifest's text.
#[track_caller]
pub(crate) fn staging(source: &str) -> Environment {
    resolved(source).unwrap()
}

/// The same, or what is wrong with the text.
pub(crate) fn resolved(source: &str) -> Result<Environment, String> {
    let resolved = Environment::resolve(&"staging".parse().unwrap(), "staging.toml", source);
    resolved.map_err(|problems| format!("{problems:?}"))
}

/// A call that the sandbox had.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
}

/// A sandbox and one environment in it.
pub(crate) struct Rig {
    sandbox: sandbox::Sandbox,
    http: reqwest::Client,
    pub(crate) cloudflare: Cloudflare,
    pub(crate) environment: Environment,
}

impl Rig {
    /// An empty account.
    pub(crate) async fn new(environment: Environment) -> Self {
        Self::start(environment, None).await
    }

    /// An account that lasts in the directory `state`.
    pub(crate) async fn kept(environment: Environment, state: &Path) -> Self {
        Self::start(environment, Some(state)).await
    }

    /// An account in a sandbox where every object runs the version with the greatest share.
    pub(crate) async fn lenient(environment: Environment) -> Self {
        Self::start_with(environment, None, Strictness::Lenient).await
    }

    async fn start(environment: Environment, state: Option<&Path>) -> Self {
        Self::start_with(environment, state, Strictness::Strict).await
    }

    async fn start_with(
        environment: Environment,
        state: Option<&Path>,
        strictness: Strictness,
    ) -> Self {
        cryptography();
        let options = Options {
            workerd: toolchain::workerd(&Runner::hidden()).unwrap(),
            api_port: 0,
            port: 0,
            state: state.map(Path::to_owned),
            zones: vec![environment.zone.to_string()],
            // A zone that is ready for every host
            records: vec![format!("*.{}", environment.zone)],
            strictness,
            console: Console::Alone,
        };
        let sandbox = sandbox::start(options).await.unwrap();
        let cloudflare = client(&sandbox);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            sandbox,
            http,
            cloudflare,
            environment,
        }
    }

    /// The environment's main host.
    pub(crate) fn site(&self) -> Site {
        let host = self.environment.main_host();
        Site::new(host.as_str(), Some(self.sandbox.ingress())).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.sandbox.stop().await.unwrap();
    }

    /// The base URL of the API.
    pub(crate) fn api(&self) -> String {
        self.sandbox.api()
    }

    pub(crate) fn token(&self) -> &str {
        self.sandbox.token()
    }

    /// A call as another tool makes it; `path` is below the base URL. The result, or the whole answer when it was refused.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.sandbox.api());
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .bearer_auth(self.sandbox.token());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        let mut answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        match answer["success"] == true {
            true => answer["result"].take(),
            false => answer,
        }
    }

    /// The same for something of a script; it must succeed.
    pub(crate) async fn script(
        &self,
        method: &str,
        script: &str,
        rest: &str,
        body: Option<Value>,
    ) -> Value {
        let path = format!("/accounts/{ACCOUNT}/workers/scripts/{script}/{rest}");
        let result = self.call(method, &path, body).await;
        assert_ne!(result["success"], false, "{method} {path}: {result}");
        result
    }

    /// Makes a small script of another project.
    pub(crate) async fn foreign_script(&self, script: &str) {
        let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [] });
        let module = reqwest::multipart::Part::text(
            "export default { fetch() { return new Response('foreign') } }",
        )
        .file_name("index.js")
        .mime_str("application/javascript+module")
        .unwrap();
        let form = reqwest::multipart::Form::new()
            .text("metadata", metadata.to_string())
            .part("index.js", module);
        let url = format!(
            "{}/accounts/{ACCOUNT}/workers/scripts/{script}",
            self.sandbox.api()
        );
        let request = self.http.put(url).bearer_auth(self.sandbox.token());
        let answer = request.multipart(form).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// Sets a secret as wrangler and the dashboard do: in a version without a tag.
    pub(crate) async fn set_secret(&self, script: &str, name: &str, text: &str) {
        let body = json!({ "name": name, "text": text, "type": "secret_text" });
        self.script("PUT", script, "secrets", Some(body)).await;
    }

    /// The calls since the last time.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        let list = self.call("GET", "/sandbox/requests", None).await;
        self.forget().await;
        serde_json::from_value(list).expect("the sandbox lists its calls")
    }

    /// Forgets the calls so far, and every fault that waits.
    pub(crate) async fn forget(&self) {
        self.call("DELETE", "/sandbox/requests", None).await;
    }

    pub(crate) async fn fault(&self, fault: Value) {
        let added = self.call("POST", "/sandbox/faults", Some(fault)).await;
        assert_ne!(added["success"], false, "{added}");
    }

    /// The faults that were not met yet.
    pub(crate) async fn faults(&self) -> Value {
        self.call("GET", "/sandbox/faults", None).await
    }

    pub(crate) async fn observed(&self) -> Observed {
        observe(&self.cloudflare, &self.environment).await.unwrap()
    }

    pub(crate) async fn try_plan(&self, wanted: &Wanted) -> Result<Plan, Conflicts> {
        Plan::between(
            &wanted.desired(&self.environment),
            &self.observed().await,
            &wanted.rollout,
        )
    }

    pub(crate) async fn plan(&self, wanted: &Wanted) -> Plan {
        self.try_plan(wanted).await.unwrap()
    }

    /// A client that knows nothing yet, as a command has it.
    pub(crate) fn client(&self) -> Cloudflare {
        client(&self.sandbox)
    }

    /// Plans and applies, as `deploy` does.
    pub(crate) async fn deploy(&self, wanted: &Wanted) -> (Report, anyhow::Result<()>) {
        self.deploy_through(&self.cloudflare, wanted).await
    }

    /// The same with a client of less patience.
    pub(crate) async fn deploy_through(
        &self,
        cloudflare: &Cloudflare,
        wanted: &Wanted,
    ) -> (Report, anyhow::Result<()>) {
        let unchecked = async |_: Probe<'_>| Ok(());
        self.deploy_checked(cloudflare, wanted, unchecked).await
    }

    /// The same with checks.
    pub(crate) async fn deploy_checked(
        &self,
        cloudflare: &Cloudflare,
        wanted: &Wanted,
        check: impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
    ) -> (Report, anyhow::Result<()>) {
        let mut report = Report::default();
        let result = self
            .try_deploy(cloudflare, wanted, &mut report, check)
            .await;
        (report, result)
    }

    async fn try_deploy(
        &self,
        cloudflare: &Cloudflare,
        wanted: &Wanted,
        report: &mut Report,
        check: impl AsyncFn(Probe<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let desired = wanted.desired(&self.environment);
        let observed = observe(cloudflare, &self.environment).await?;
        let plan = Plan::between(&desired, &observed, &wanted.rollout)?;
        let inputs = wanted.inputs(&desired);
        apply(cloudflare, &plan, &inputs, report, |_| {}, check).await
    }
}

/// What is to be deployed: workers that say which release they are, and do what a verification without a secret looks at.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    gateway: &'static str,
    room: &'static str,
    rollout: Stages,
    taken_from: Vec<String>,
}

impl Wanted {
    pub(crate) fn release(release: &'static str) -> Self {
        Self {
            gateway: release,
            room: release,
            rollout: Stages::at_once(),
            taken_from: Vec::new(),
        }
    }

    /// With hosts that move over from a script.
    pub(crate) fn taking_from(self, script: &str) -> Self {
        let taken_from = vec![script.to_owned()];
        Self { taken_from, ..self }
    }

    /// With the gateway of another release.
    pub(crate) fn with_gateway(self, gateway: &'static str) -> Self {
        Self { gateway, ..self }
    }

    /// With the room of another release.
    pub(crate) fn with_room(self, room: &'static str) -> Self {
        Self { room, ..self }
    }

    /// Gradually, in stages as `--rollout` takes them.
    pub(crate) fn in_stages(self, stages: &str) -> Self {
        let rollout = stages.parse().unwrap();
        Self { rollout, ..self }
    }

    pub(crate) fn bundle(&self, worker: Worker) -> Bundle {
        let (code, release) = match worker {
            Worker::Gateway => (include_str!("gateway.js"), self.gateway),
            Worker::Room => (include_str!("room.js"), self.room),
        };
        let script = code.replace("RELEASE", release);
        let modules = vec![
            Module {
                name: "index.js",
                content_type: "application/javascript+module",
                bytes: script.into_bytes(),
            },
            Module {
                name: "index_bg.wasm",
                content_type: "application/wasm",
                bytes: b"\0asm\x01\0\0\0".to_vec(),
            },
        ];
        let hash = edge_broadcast::build::module::hash(&modules);
        Bundle {
            worker,
            modules,
            main_module: "index.js",
            hash,
            size: Size::default(),
        }
    }

    pub(crate) fn desired(&self, environment: &Environment) -> Desired {
        let tag = |worker| self.bundle(worker).tag().to_owned();
        Desired::new(environment, tag(Worker::Gateway), tag(Worker::Room))
            .taking_from(&self.taken_from)
    }

    pub(crate) fn inputs(&self, desired: &Desired) -> Inputs {
        let secret = || Secret::new("whsec_c2VjcmV0LW9mLXRoZS1mYXVsdC10ZXN0cy0wMDE=".to_owned());
        Inputs {
            zone: desired.zone.clone(),
            scripts: desired
                .scripts
                .iter()
                .map(|wanted| wanted.script.clone())
                .collect(),
            bundles: [Worker::Gateway, Worker::Room]
                .map(|worker| (worker, self.bundle(worker)))
                .into(),
            secrets: BTreeMap::from(
                ["WEBHOOK_SECRET", "ADMIN_SECRET"].map(|name| (name.to_owned(), secret())),
            ),
        }
    }
}

fn client(sandbox: &sandbox::Sandbox) -> Cloudflare {
    let token = Secret::new(sandbox.token().to_owned());
    let cloudflare = Cloudflare::new(&sandbox.api(), ACCOUNT.to_owned(), token);
    cloudflare.unwrap().patient_for(PATIENCE)
}
