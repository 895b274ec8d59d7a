//! Every call of a deployment in turn meets every fault. The run ends in a bounded time with a true report, loses no
//! route and no secret, and a second run ends with nothing left to change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use edge_broadcast::apply::{Inputs, Probe, Report, apply};
use edge_broadcast::bundle::{Bundle, Module, Size, Worker};
use edge_broadcast::cloudflare::Cloudflare;
use edge_broadcast::cloudflare::observe::observe;
use edge_broadcast::environment::Environment;
use edge_broadcast::plan::{Desired, Observed, Plan, Rollout, Step};
use edge_broadcast::progress::Progress;
use edge_broadcast::project::Project;
use edge_broadcast::sandbox::{self, Options};
use edge_broadcast::secret::Value;
use edge_broadcast::toolchain;
use serde_json::json;

use crate::support::{cryptography, repository};

const TIMEOUT: Duration = Duration::from_millis(700);
/// More than any faulted run may take: its pauses, one call that hangs, and a slow machine.
const BOUND: Duration = Duration::from_secs(30);

const FAULTS: [&str; 7] = [
    r#"{"kind":"status","status":500}"#,
    r#"{"kind":"status","status":503}"#,
    r#"{"kind":"rate_limit","retry_after":0}"#,
    r#"{"kind":"html"}"#,
    r#"{"kind":"reset"}"#,
    r#"{"kind":"hang"}"#,
    r#"{"kind":"lost"}"#,
];

/// An empty account in a sandbox of its own, and the tools to deploy small workers to it.
pub(crate) struct Rig {
    sandbox: sandbox::Sandbox,
    pub(crate) cloudflare: Cloudflare,
    pub(crate) environment: Environment,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        cryptography();
        let environment = Project { root: repository() }
            .environment("staging")
            .unwrap();
        let workerd: PathBuf = toolchain::workerd(&Progress::hidden()).unwrap();
        let options = Options {
            workerd,
            api_port: 0,
            port: 0,
            state: None,
            zones: vec![environment.zone.to_string()],
            token: None,
        };
        let sandbox = sandbox::start(options).await.unwrap();
        let token = Value::new(sandbox.token().to_owned());
        let cloudflare = Cloudflare::new(&sandbox.api(), "acc0".to_owned(), token)
            .unwrap()
            .patient_for(TIMEOUT);
        Self {
            sandbox,
            cloudflare,
            environment,
        }
    }

    pub(crate) async fn stop(self) {
        self.sandbox.stop().await.unwrap();
    }

    async fn control(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<String>,
    ) -> serde_json::Value {
        let url = format!("{}/sandbox/{path}", self.sandbox.api());
        let mut request = reqwest::Client::new()
            .request(method, url)
            .bearer_auth(self.sandbox.token());
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The methods of the calls since the last time.
    async fn calls(&self) -> Vec<String> {
        let list = self.control(reqwest::Method::GET, "requests", None).await;
        self.control(reqwest::Method::DELETE, "requests", None)
            .await;
        let list = list["result"]
            .as_array()
            .expect("the sandbox lists its calls");
        list.iter()
            .map(|call| call["method"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn fault(&self, nth: usize, fault: &str) {
        let mut fault: serde_json::Value = serde_json::from_str(fault).unwrap();
        fault["nth"] = json!(nth);
        self.control(reqwest::Method::POST, "faults", Some(fault.to_string()))
            .await;
    }

    pub(crate) async fn observed(&self) -> Observed {
        observe(&self.cloudflare, &self.environment).await.unwrap()
    }

    pub(crate) async fn plan(&self, wanted: &Wanted) -> Plan {
        Plan::between(
            &wanted.desired(&self.environment),
            &self.observed().await,
            &wanted.rollout,
        )
        .unwrap()
    }

    /// Plans and applies, as `deploy` does.
    pub(crate) async fn deploy(&self, wanted: &Wanted) -> (Report, anyhow::Result<()>) {
        let mut report = Report::default();
        let result = self.try_deploy(wanted, &mut report).await;
        (report, result)
    }

    async fn try_deploy(&self, wanted: &Wanted, report: &mut Report) -> anyhow::Result<()> {
        let desired = wanted.desired(&self.environment);
        let observed = observe(&self.cloudflare, &self.environment).await?;
        let plan = Plan::between(&desired, &observed, &wanted.rollout)?;
        let inputs = wanted.inputs(&desired);
        apply(
            &self.cloudflare,
            &plan,
            &inputs,
            report,
            |_| {},
            async |_: Probe<'_>| Ok(()),
        )
        .await
    }
}

/// What is to be deployed: workers that only say which release they are.
#[derive(Clone)]
pub(crate) struct Wanted {
    release: &'static str,
    rollout: Rollout,
}

impl Wanted {
    pub(crate) fn release(release: &'static str) -> Self {
        Self {
            release,
            rollout: Rollout::at_once(),
        }
    }

    fn bundle(&self, worker: Worker) -> Bundle {
        let class = match worker {
            Worker::Gateway => "",
            Worker::Room => {
                "export class BroadcastRoom { constructor(state, env) {} fetch() { return new Response() } }\n"
            }
        };
        let script = format!(
            "import './index_bg.wasm';\n{class}export default {{ fetch() {{ return new Response('{}') }} }}\n",
            self.release
        );
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
        let hash = edge_broadcast::bundle::module::hash(&modules);
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
    }

    pub(crate) fn inputs(&self, desired: &Desired) -> Inputs {
        let secret = Value::new("whsec_c2VjcmV0LW9mLXRoZS1mYXVsdC10ZXN0cy0wMDE=".to_owned());
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
            secrets: BTreeMap::from([("WEBHOOK_SECRET".to_owned(), secret)]),
        }
    }
}

/// Runs `wanted` over what `before` left, once for each fault at each call.
async fn every_fault(before: Option<Wanted>, wanted: Wanted) {
    let prepared = async || {
        let rig = Rig::new().await;
        if let Some(before) = &before {
            rig.deploy(before).await.1.unwrap();
        }
        rig.calls().await;
        rig
    };
    let rig = prepared().await;
    rig.deploy(&wanted).await.1.unwrap();
    let calls = rig.calls().await;
    assert!(calls.len() > 10, "{calls:?}");
    rig.stop().await;
    for (at, method) in calls.iter().enumerate() {
        // A read has nothing to lose but its answer: one fault each, a different one for each
        let faults: Vec<&str> = match method.as_str() {
            "GET" => vec![FAULTS[at % FAULTS.len()]],
            _ => FAULTS.to_vec(),
        };
        for fault in faults {
            let rig = prepared().await;
            one_fault(&rig, before.is_some(), &wanted, at + 1, fault).await;
            rig.stop().await;
        }
    }
}

async fn one_fault(rig: &Rig, deployed_before: bool, wanted: &Wanted, nth: usize, fault: &str) {
    let case = format!("call {nth} meets {fault}");
    let live_before = rig.observed().await;
    let plan = rig.plan(wanted).await;
    rig.calls().await;
    rig.fault(nth, fault).await;
    let began = Instant::now();
    let (report, result) = rig.deploy(wanted).await;
    assert!(
        began.elapsed() < BOUND,
        "{case}: took {:?}",
        began.elapsed()
    );
    let waiting = rig.control(reqwest::Method::GET, "faults", None).await;
    assert_eq!(
        waiting["result"],
        json!([]),
        "{case}: the fault was not met"
    );
    rig.calls().await;
    let live = rig.observed().await;
    if deployed_before {
        assert_eq!(
            routes(&live),
            routes(&live_before),
            "{case}: a route was lost"
        );
        let secrets = |live: &Observed| {
            live.scripts["glow-broadcast-staging"]
                .active
                .secrets
                .clone()
        };
        assert_eq!(
            secrets(&live),
            secrets(&live_before),
            "{case}: a secret was lost"
        );
    }
    match &result {
        Ok(()) => assert!(
            rig.plan(wanted).await.is_empty(),
            "{case}: it said that all is done"
        ),
        Err(error) if !report.done.is_empty() || report.failed.is_some() => {
            let all: Vec<&String> = report
                .done
                .iter()
                .chain(&report.failed)
                .chain(&report.not_attempted)
                .collect();
            assert_eq!(all.len(), plan.steps.len(), "{case}: {report:?}");
            assert!(
                format!("{error:#}").contains(report.failed.as_deref().unwrap()),
                "{case}: {error:#}"
            );
        }
        // It failed while it looked at what is live, before the first write
        Err(_) => assert_eq!(live, live_before, "{case}"),
    }
    for step in plan
        .steps
        .iter()
        .filter(|step| report.done.contains(&step.title()))
    {
        if let Step::AddRoute { pattern, .. } = step {
            assert!(
                routes(&live).contains(pattern),
                "{case}: `{pattern}` is reported as done"
            );
        }
    }
    let (_, again) = rig.deploy(wanted).await;
    again.unwrap_or_else(|error| panic!("{case}: the second run failed: {error:#}"));
    assert!(
        rig.plan(wanted).await.is_empty(),
        "{case}: the second run left something"
    );
}

fn routes(observed: &Observed) -> BTreeSet<String> {
    let ours = observed
        .routes
        .iter()
        .filter(|route| route.script.as_deref() == Some("glow-broadcast-staging"));
    ours.map(|route| route.pattern.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_survives_every_fault_at_every_call() {
    every_fault(None, Wanted::release("one")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redeployment_survives_every_fault_at_every_call() {
    every_fault(Some(Wanted::release("one")), Wanted::release("two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_survives_every_fault_at_every_call() {
    let rollout = "50,100".parse().unwrap();
    every_fault(
        Some(Wanted::release("one")),
        Wanted {
            rollout,
            ..Wanted::release("two")
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deployments_at_once_one_wins_and_the_other_says_so() {
    for first in [true, false] {
        for round in 0..5 {
            let rig = Rig::new().await;
            if !first {
                rig.deploy(&Wanted::release("zero")).await.1.unwrap();
            }
            let (one, two) = (Wanted::release("one"), Wanted::release("two"));
            let ((_, a), (_, b)) = tokio::join!(rig.deploy(&one), rig.deploy(&two));
            let said: Vec<String> = [&a, &b]
                .iter()
                .filter_map(|result| result.as_ref().err())
                .map(|error| format!("{error:#}"))
                .collect();
            assert_eq!(said.len(), 1, "round {round}: {said:?}");
            assert!(said[0].contains("plan again"), "round {round}: {said:?}");
            let observed = rig.observed().await;
            let code = |script: &str| {
                observed
                    .scripts
                    .get(script)
                    .and_then(|live| live.active.code.clone())
            };
            let live = (
                code("glow-broadcast-staging"),
                code("glow-broadcast-staging-room"),
            );
            let of = |wanted: &Wanted, worker| Some(wanted.bundle(worker).tag().to_owned());
            let winner = if a.is_ok() { &one } else { &two };
            assert_eq!(
                live,
                (of(winner, Worker::Gateway), of(winner, Worker::Room)),
                "round {round}: what is live is not the winner's"
            );
            rig.stop().await;
        }
    }
}
