//! Rollouts by evidence: real releases, some of them with a fault that only clients meet, under real traffic.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use edge_broadcast::build::{Module, module};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Printed, Project, Run, Sandbox, api, built, changed, cryptography, manifest};
use crate::workers::{Deployed, HOST, SECRET};

const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";
/// Rooms that clients publish to: a share of them must run a new version of the room.
const ROOMS: usize = 120;
/// What a release is judged by here: as much as some seconds of traffic give.
const ROLLOUT: &str = "
[rollout]
steps = [10, 25, 100]
min_samples = 30
max_refusal_delta = 0.02
max_p99_ratio = 2.0
on_inconclusive = \"hold\"
";

/// What is wrong with a release, for clients but not for the checks of the tool, unless it loses what it accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The gateway fails so many publishes of a hundred.
    Refuses(u8),
    /// The gateway takes so many milliseconds longer.
    Slower(u16),
    /// The gateway loses so many publishes of a hundred that it answers as accepted.
    Loses(u8),
    /// The room does not send so many frames of a hundred, and says that it did.
    RoomLoses(u8),
}

/// The project with both workers as they were built, but for what a release changes: its number, and what a fault is in. Release 0 is
/// what was built.
fn release(number: usize, fault: Fault) -> Project {
    let project = Project::new();
    let text = changed(
        manifest("staging"),
        &[
            (
                "broadcast_rate = { limit = 1000,",
                "broadcast_rate = { limit = 1000000,",
            ),
            ("\n[analytics]", &format!("{ROLLOUT}\n[analytics]")),
        ],
    );
    project.write("environments/staging.toml", &text);
    let worker = project.with_own_workers();
    let changed: &[&str] = match (number, fault) {
        (0, _) => &[],
        (_, Fault::None) => &["room", "gateway"],
        (_, Fault::RoomLoses(_)) => &["room"],
        _ => &["gateway"],
    };
    for name in changed {
        rebuild(&worker.join(name).join("build"), number, fault);
    }
    project
}

/// Changes a built worker, and the record of what it consists of.
fn rebuild(output: &Path, number: usize, fault: Fault) {
    let script = std::fs::read_to_string(output.join("index.js")).unwrap();
    let script = format!("{}\n// release {number}\n", flawed(&script, fault));
    std::fs::write(output.join("index.js"), script).unwrap();
    let record = output.join("bundle.json");
    let mut told: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let modules: Vec<Module> = module::read_all(output).unwrap();
    told["hash"] = json!(module::hash(&modules));
    std::fs::write(record, told.to_string()).unwrap();
}

/// The worker's script with a fault.
fn flawed(script: &str, fault: Fault) -> String {
    let chance = |share: u8| f64::from(share) / 100.0;
    match fault {
        Fault::None => script.to_owned(),
        Fault::Refuses(share) => asking(
            script,
            chance(share),
            "if (hit && is_client) throw new Error('refused');",
        ),
        Fault::Slower(ms) => {
            let body =
                format!("if (is_client) await new Promise((done) => setTimeout(done, {ms}));");
            asking(script, 1.0, &body)
        }
        Fault::Loses(share) => asking(
            script,
            chance(share),
            "if (hit && last) return new Response(last, { headers: { 'content-type': 'application/json' } });",
        ),
        Fault::RoomLoses(share) => {
            let sent = format!("try{{if(Math.random()>={})for(let ", chance(share));
            once(script, "try{for(let ", &sent)
        }
    }
}

/// The gateway whose publishes to a room go through `body` first: each is a `hit` with this chance; `last` is the receipt before.
fn asking(script: &str, chance: f64, body: &str) -> String {
    let asked = ".fetch(\"https://room/\",";
    let (before, _) = script.split_once(asked).unwrap();
    let name = before.rsplit("return ").next().unwrap();
    let from = format!("return {name}{asked}");
    let script = once(
        script,
        &from,
        &format!("return flawed({name},\"https://room/\","),
    );
    let function = format!(
        "let last;
async function flawed(room, url, init) {{
  const call = Object.values(init.headers)[0];
  if (!call.includes('\"publish\"')) return room.fetch(url, init);
  const hit = Math.random() < {chance};
  const is_client = !call.includes('edge-broadcast-verify');
  {body}
  const answer = await room.fetch(url, init);
  if (answer.ok) last = await answer.clone().text();
  return answer;
}}"
    );
    format!("{script}\n{function}")
}

#[track_caller]
fn once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}`");
    text.replace(from, to)
}

fn deploy(sandbox: &Sandbox, project: &Project, more: &[&str]) -> Run {
    let run = Run::new(["deploy", "staging"])
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET);
    more.iter().fold(run, |run, argument| run.arg(argument))
}

/// Rolls a release out while clients publish. The command blocks, and clients go on meanwhile.
async fn rolled_out(sandbox: &Sandbox, project: &Project, pause: &str) -> Printed {
    let run = deploy(sandbox, project, &["--rollout", "--pause", pause, "--json"]);
    tokio::task::spawn_blocking(move || run.printed())
        .await
        .unwrap()
}

/// Publishers, until it is dropped.
struct Traffic {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl Traffic {
    fn start(sandbox: &Sandbox) -> Self {
        let mut tasks = JoinSet::new();
        let (stop, accepted) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        for publisher in 0..8 {
            let (http, stop, accepted) = (http.clone(), stop.clone(), accepted.clone());
            let ingress = sandbox.ingress;
            tasks.spawn(async move {
                let mut number = publisher;
                while !stop.load(Ordering::Relaxed) {
                    number += 8;
                    let url = format!("http://{ingress}/broadcast/T{}", number % ROOMS);
                    let request = http.post(url).header("host", HOST).bearer_auth(SECRET);
                    let update = json!({ "type": "A", "price": number }).to_string();
                    let request = request.header("content-type", "application/json");
                    // While a version changes a connection may break: what counts is what the workers count
                    let Ok(answer) = request.body(update).send().await else {
                        continue;
                    };
                    if answer.status().is_success() {
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        Self {
            tasks,
            stop,
            accepted,
        }
    }

    async fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.accepted.load(Ordering::Relaxed)
    }
}

/// The greatest share of the traffic that `version` of a script had.
async fn greatest_share(sandbox: &Sandbox, script: &str, version: &str) -> f64 {
    let deployments = api::deployments(sandbox, script).await;
    let shares = deployments.iter().flat_map(api::shares_of);
    let of = shares.filter(|(id, _)| id == version);
    of.map(|(_, share)| share).fold(0.0, f64::max)
}

/// What became of a release.
#[derive(Debug)]
struct Outcome {
    /// The greatest share that it had.
    share: f64,
    /// Whether the version before it has all traffic again.
    is_back: bool,
    answer: Value,
}

async fn tried(sandbox: &Sandbox, number: usize, fault: Fault, pause: &str) -> Outcome {
    let script = match fault {
        Fault::RoomLoses(_) => ROOM,
        _ => GATEWAY,
    };
    let before = api::shares(sandbox, script).await;
    let printed = rolled_out(sandbox, &release(number, fault), pause).await;
    let answer = printed.json();
    let version = answer["applied"]["versions"][script].as_str();
    let version = version.unwrap_or_else(|| panic!("{}\n{}", printed.stdout, printed.stderr));
    Outcome {
        share: greatest_share(sandbox, script, version).await,
        is_back: api::shares(sandbox, script).await == before,
        answer,
    }
}

fn begun() -> Sandbox {
    built();
    cryptography();
    let sandbox = Sandbox::start();
    deploy(&sandbox, &release(0, Fault::None), &[]).succeeds();
    sandbox
}

/// Why a bad release went back must be what is wrong with it.
#[track_caller]
fn assert_reason(fault: Fault, answer: &Value) {
    let failure = answer["failure"].as_str().unwrap();
    let measure = match fault {
        Fault::Refuses(_) => "refused",
        Fault::Slower(_) => "publish_p99",
        _ => {
            assert!(failure.contains("no frame came within"), "{failure}");
            return;
        }
    };
    let told = "is worse than the version before it";
    assert!(failure.contains(told), "{failure}");
    let evidence = &answer["evidence"][0];
    assert_eq!(evidence["verdict"], "worse", "{evidence:#}");
    let compared = evidence["compared"].as_array().unwrap().iter();
    let worse = compared.filter(|it| it["worse"] == true);
    let worse: Vec<_> = worse.map(|it| it["measure"].as_str().unwrap()).collect();
    assert_eq!(worse, [measure], "{evidence:#}");
}

/// With `RELEASES=50` so many of each kind (half an hour), of which three bad ones may reach 25 %.
#[tokio::test(flavor = "multi_thread")]
async fn releases_with_faults_that_only_clients_meet_are_stopped_before_25_percent_and_good_ones_are_not()
 {
    let many = std::env::var("RELEASES").ok();
    let many: Option<u8> = many.map(|count| count.parse().unwrap());
    let sandbox = begun();
    let traffic = Traffic::start(&sandbox);
    let mut stopped = 0;
    let bad = many.unwrap_or(4);
    for number in 0..bad {
        let fault = match number % 4 {
            0 => Fault::Refuses(40 - number % 5 * 5),
            1 => Fault::Slower(400 - u16::from(number % 3) * 50),
            2 => Fault::Loses(40 - number % 5 * 5),
            _ => Fault::RoomLoses(40),
        };
        let outcome = tried(&sandbox, 1 + usize::from(number), fault, "3s").await;
        eprintln!(
            "{fault:?}: {} %: {}",
            outcome.share, outcome.answer["failure"]
        );
        assert!(outcome.is_back, "{fault:?}: {outcome:#?}");
        assert_reason(fault, &outcome.answer);
        stopped += usize::from(outcome.share < 25.0);
    }
    println!("{stopped} of {bad} bad releases were stopped before 25 %");
    assert!(stopped * 50 >= usize::from(bad) * 47);
    for number in 0..many.unwrap_or(1) {
        let good = tried(&sandbox, 100 + usize::from(number), Fault::None, "3s").await;
        assert_eq!(good.answer["failure"], Value::Null, "{good:#?}");
        assert_eq!(good.share, 100.0);
        let evidence = good.answer["evidence"].as_array().unwrap().iter();
        let said =
            evidence.map(|it| format!("{} {} {}", it["script"], it["percent"], it["verdict"]));
        let shares = |script| [10, 25].map(|share| format!("\"{script}\" {share} \"no_worse\""));
        assert_eq!(
            said.collect::<Vec<_>>(),
            [shares(ROOM), shares(GATEWAY)].concat()
        );
        eprintln!("good: {}", good.answer["evidence"]);
    }
    assert!(traffic.stop().await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_of_which_too_little_is_known_stays_at_its_share_and_goes_on_when_more_is() {
    let sandbox = begun();
    let old = api::shares(&sandbox, GATEWAY).await[0].0.clone();
    // Of the gateway alone, and without a fault
    let project = release(1, Fault::Refuses(0));
    let held = deploy(&sandbox, &project, &["--rollout", "--pause", "0s"]).fails();
    let new = api::deployments(&sandbox, GATEWAY).await;
    let new = api::shares_of(&new[0])[0].0.clone();
    for told in [
        "`glow-broadcast-staging` at 10 %: 0 events (before: 0)\n",
        "  done:           give 10 % of the traffic of `glow-broadcast-staging` to the new version, and check it\n  not attempted:",
        "the check at 10 % of `glow-broadcast-staging` found too little: the rollout stays at that share: too little was counted to judge by: 0 events of the new version and 0 of the one before, where the manifest wants 30\n",
        "help: run `edge-broadcast deploy staging --rollout` again when more was counted, or `edge-broadcast rollback staging` to end it\n",
    ] {
        assert!(held.stderr.contains(told), "no `{told}` in {}", held.stderr);
    }
    assert!(!held.stderr.contains("unverified"), "{}", held.stderr);
    assert_eq!(
        api::shares(&sandbox, GATEWAY).await,
        [(new.clone(), 10.0), (old, 90.0)]
    );
    let traffic = Traffic::start(&sandbox);
    let printed = rolled_out(&sandbox, &project, "4s").await;
    traffic.stop().await;
    assert_eq!(printed.code, 0, "{}\n{}", printed.stdout, printed.stderr);
    assert_eq!(api::shares(&sandbox, GATEWAY).await, [(new, 100.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_may_say_to_continue_and_a_token_that_may_not_ask_is_found_out_first() {
    let deployed = Deployed::new();
    let sandbox = &deployed.sandbox;
    let project = |size: &str| {
        let text = changed(
            manifest("staging"),
            &[
                ("max_message_bytes = 16384", size),
                (
                    "\n[analytics]",
                    "\n[rollout]\non_inconclusive = \"continue\"\n\n[analytics]",
                ),
            ],
        );
        let project = Project::new();
        project.write("environments/staging.toml", &text);
        project
    };
    let project = project("max_message_bytes = 8192");
    let before = api::shares(sandbox, GATEWAY).await;
    api::fault(sandbox, json!({ "method": "POST", "path": "/analytics_engine/sql", "nth": 1, "kind": "status", "status": 403 })).await;
    let refused = deploy(sandbox, &project, &["--rollout", "--pause", "0s"]).fails();
    assert!(
        refused.stderr.contains("error: asking what the workers counted, by which `[rollout]` of the manifest wants a release to be judged: `POST "),
        "{}",
        refused.stderr
    );
    assert_eq!(api::shares(sandbox, GATEWAY).await, before);
    let versions = api::read(sandbox, &format!("workers/scripts/{GATEWAY}/versions")).await;
    assert_eq!(versions["items"][0]["id"], json!(before[0].0));
    let printed = deploy(sandbox, &project, &["--rollout", "--pause", "0s"]).succeeds();
    let told = "that is too little to judge by, and the manifest says to continue\n";
    assert_eq!(
        printed.stderr.matches(told).count(),
        2,
        "{}",
        printed.stderr
    );
}

#[test]
fn a_rollout_without_shares_needs_those_of_the_manifest_and_what_is_counted() {
    let printed = Run::new(["plan", "staging", "--rollout"])
        .env("CLOUDFLARE_API_TOKEN", "t")
        .env("CLOUDFLARE_ACCOUNT_ID", "0123456789abcdef0123456789abcdef")
        .env("CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:9")
        .fails();
    assert_eq!(
        printed.stderr,
        "error: the manifest of `staging` has no `[rollout]`, and `--rollout` names no shares\nhelp: write `--rollout 5,25,100`, or add `[rollout]` to the manifest\n"
    );
    let project = Project::with_staging(
        "[analytics]\ndataset = \"edge_broadcast_staging\"",
        "[rollout]\nsteps = [5, 100]",
    );
    let printed = Run::new(["check", "staging"]).inside(&project).fails();
    assert!(
        printed
            .stderr
            .contains("a rollout goes by what the workers count, and they count nothing"),
        "{}",
        printed.stderr
    );
}
