//! `tail`: what it shows, that it goes on, and that nothing is left of it.

use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::npm;
use crate::support::going::Going;
use crate::support::{Project, Run, Sandbox, api, interrupt, manifest};
use crate::workers::Deployed;

const GATEWAY: &str = "glow-broadcast-staging";
const ROOM: &str = "glow-broadcast-staging-room";
/// What no tail may show.
const HIDDEN: &str = "hunter2";

fn tail(sandbox: &Sandbox, project: &Project, args: &[&str]) -> Going {
    let words = ["tail", "staging"].iter().chain(args).copied();
    let going = Going::start(Run::new(words).inside(project).against(sandbox));
    let scripts = match args.contains(&"--script") {
        true => 1,
        false => 2,
    };
    for _ in 0..scripts {
        going.says("following `");
    }
    going
}

/// Waits until these scripts are tailed, each as often as it is named.
async fn tailed(sandbox: &Sandbox, wanted: &[&str]) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let tails = api::call(sandbox, "GET", "/sandbox/tails", None).await["result"].take();
        let mut tails: Vec<String> = serde_json::from_value(tails).unwrap();
        tails.sort();
        if tails == wanted {
            return;
        }
        assert!(Instant::now() < until, "{tails:?} and not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A line without its time and its durations.
fn words(line: &str) -> String {
    let words = line
        .split("  ")
        .skip(1)
        .filter(|word| !word.ends_with(" ms"));
    words
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" | ")
}

/// One deployment for all: it takes longer than the tails.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_what_is_wanted_goes_on_when_it_ends_or_breaks_and_leaves_nothing_behind() {
    let deployed = Deployed::new();
    let sandbox = &deployed.sandbox;
    let project = Project::new();
    project.write("environments/staging.toml", &manifest("staging"));

    let everything = tail(sandbox, &project, &[]);
    let of_room = tail(sandbox, &project, &["--json", "--token", "SOL"]);
    let refused = [
        "--json", "--script", "gateway", "--method", "post", "--ip", "self", "--status", "ok",
    ];
    let posts = tail(sandbox, &project, &refused);
    let failures = tail(
        sandbox,
        &project,
        &["--status", "error", "--sampling", "0.999"],
    );
    let both = [GATEWAY, GATEWAY, GATEWAY, GATEWAY, ROOM, ROOM, ROOM];
    tailed(sandbox, &both).await;

    deployed.publish("BONK", json!({ "type": "A" })).await;
    let path = format!("/broadcast/S%4FL?key={HIDDEN}");
    let wrong = [
        ("authorization", "Bearer hunter2"),
        ("webhook-signature", "v1,hunter2"),
        ("x-anything", HIDDEN),
    ];
    let answer = deployed.post(&path, &wrong, "{}").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    deployed.publish("SOL", json!({ "type": "A" })).await;

    // The object ends before the gateway that asked it, or after
    let mut shown: Vec<String> = (0..6).map(|_| everything.line()).collect();
    shown.retain(|line| !line.contains("  uses  "));
    let mut shown: Vec<String> = shown.iter().map(|line| words(line)).collect();
    shown.sort();
    shown.retain(|line| line.contains("POST") || line.contains("publish"));
    insta::assert_snapshot!(shown.join("\n"), @r"
    gateway | POST /broadcast/BONK | 200 | ok
    gateway | POST /broadcast/S%4FL?key=REDACTED | 401 | ok
    gateway | POST /broadcast/SOL | 200 | ok
    room | publish BONK | 200 | ok
    room | publish SOL | 200 | ok
    ");
    // An event comes when its request is over, which is not the order of their beginnings
    let mut missing = vec![json!(200), json!(401)];
    let lines = of_room.until(|line| {
        let event = event(line);
        missing.retain(|status| event["kind"] != "request" || event["status"] != *status);
        missing.is_empty()
    });
    for line in &lines {
        let event = event(line);
        assert_eq!(event["token"], "SOL", "{event}");
        assert!(!line.contains(HIDDEN), "{line}");
    }
    let refused = lines
        .iter()
        .map(|line| event(line))
        .find(|event| event["status"] == 401);
    let headers = refused.unwrap()["event"]["request"]["headers"].clone();
    assert_eq!(headers["webhook-signature"], "REDACTED", "{headers}");
    assert_eq!(headers["content-type"], "application/json", "{headers}");
    let versions = api::shares(sandbox, GATEWAY).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let event = event(&posts.line());
        assert_eq!(event["script"], GATEWAY);
        assert_eq!(event["version"], versions[0].0);
        statuses.push(event["status"].as_u64().unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 401]);
    for going in [of_room, failures] {
        let (code, rest) = going.interrupted();
        assert_eq!(code, Some(130));
        let rest: Vec<_> = rest.iter().filter(|line| !line.starts_with('{')).collect();
        assert!(rest.is_empty(), "{rest:?}");
    }
    tailed(sandbox, &[GATEWAY, GATEWAY, ROOM]).await;

    // Tails that last three seconds; what happens is told once, whichever tail gives it
    let life = json!({ "seconds": 3 });
    api::call(sandbox, "PUT", "/sandbox/tails", Some(life)).await;
    let version = versions[0].0.clone();
    let short = ["--json", "--script", "gateway", "--version", &version];
    let short = tail(sandbox, &project, &short);
    let began = Instant::now();
    let mut sent = Vec::new();
    while began.elapsed() < Duration::from_millis(3500) {
        let path = format!("/health?probe={}", sent.len());
        deployed.get(&path, &[]).await;
        sent.push(format!("GET {path}"));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let told = sent.iter().map(|_| event(&short.line())["what"].clone());
    let mut told: Vec<String> = told.map(|what| what.as_str().unwrap().to_owned()).collect();
    told.sort();
    sent.sort();
    assert_eq!(told, sent);
    tailed(sandbox, &[GATEWAY, GATEWAY, GATEWAY, ROOM]).await;

    // A socket that breaks
    api::call(
        sandbox,
        "PUT",
        "/sandbox/tails",
        Some(json!({ "seconds": 600 })),
    )
    .await;
    api::call(sandbox, "DELETE", "/sandbox/tails/sockets", None).await;
    short.says(
        "broke: its socket was closed with 1000: the tail was closed; it is opened again at once",
    );
    short.says("is open again");
    deployed.get("/health?probe=7", &[]).await;
    assert_eq!(event(&short.line())["what"], "GET /health?probe=7");

    // Ctrl-C while a tail is being opened, which answers after it
    let slow = ["tail", "staging", "--script", "room"];
    let slow = Going::start(Run::new(slow).inside(&project).against(sandbox));
    let (code, _) = slow.interrupted();
    assert!(code == Some(130) || code.is_none(), "{code:?}");
    for going in [everything, posts, short] {
        assert_eq!(going.interrupted().0, Some(130));
    }
    tailed(sandbox, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_what_is_not_deployed_is_refused_and_a_failed_one_leaves_none() {
    let deployed = Deployed::new();
    let sandbox = &deployed.sandbox;
    let run = |args: &[&str]| Run::new(args.iter().copied()).against(sandbox);
    let absent = run(&["tail", "production", "--script", "room"]).fails();
    let account = &sandbox.account_id;
    assert_eq!(
        absent.stderr.replace(account, "ACCOUNT"),
        "error: `glow-broadcast-production-room` is not deployed: `POST /accounts/ACCOUNT/workers/scripts/glow-broadcast-production-room/tails` in the account `ACCOUNT` was answered with 404: This Worker does not exist on your account: `glow-broadcast-production-room` (code 10007)
help: `edge-broadcast deploy production`
"
    );
    // One of the two is refused
    let fault =
        json!({ "method": "POST", "path": "staging-room/tails", "kind": "status", "status": 403 });
    api::fault(sandbox, fault).await;
    let refused = run(&["tail", "staging"]).fails().stderr;
    assert!(refused.contains("was answered with 403"), "{refused}");
    tailed(sandbox, &[]).await;
    // And one whose reader goes away ends by itself
    let mut head = std::process::Command::new("sh");
    let binary = crate::support::binary().display();
    head.args([
        "-c",
        &format!("'{binary}' tail staging --json --script gateway | head -1"),
    ]);
    let run = run(&[]).command();
    for (name, value) in run.get_envs() {
        if let Some(value) = value {
            head.env(name, value);
        }
    }
    let mut head = head
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tailed(sandbox, &[GATEWAY]).await;
    let until = Instant::now() + Duration::from_secs(20);
    while head.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it goes on without a reader");
        deployed.get("/health", &[]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tailed(sandbox, &[]).await;
    // An API that does not answer holds nobody up
    let hang = json!({ "method": "DELETE", "path": "/tails/", "kind": "hang" });
    api::fault(sandbox, hang).await;
    let args = ["tail", "staging", "--script", "gateway"];
    let held = Going::start(Run::new(args).against(sandbox));
    held.says("following `");
    let (code, said) = held.interrupted();
    assert_eq!(code, Some(130));
    assert_eq!(
        said,
        [format!(
            "closing a tail of `{GATEWAY}` was not over at the end"
        )]
    );
}

/// The real `wrangler tail` of a script. It ends with the test.
struct Theirs {
    child: Child,
    events: Receiver<Value>,
}

impl Theirs {
    fn start(sandbox: &Sandbox, project: &Project, script: &str) -> Self {
        let mut command = npm::wrangler_22();
        let mut child = command
            .args(["tail", script, "--format", "json"])
            .current_dir(project.path())
            .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
            .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
            .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let written = child.stdout.take().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let values = serde_json::Deserializer::from_reader(written).into_iter::<Value>();
            for value in values.map_while(Result::ok) {
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, events }
    }

    /// What it has printed from the event that begins to the one that ends.
    #[track_caller]
    fn between(&self, first: &str, last: &str) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(20)).unwrap();
            let event = by_wrangler(&event);
            let is_last = event["event"].to_string().contains(last);
            if !found.is_empty() || event["event"].to_string().contains(first) {
                found.push(event);
            }
            if is_last {
                return found;
            }
        }
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        interrupt(&self.child);
        let until = Instant::now() + Duration::from_secs(10);
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > until {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The words of a line that was logged, as one text.
fn logged(parts: &Value) -> Value {
    let parts = parts.as_array().unwrap().iter();
    let words: Vec<&str> = parts.map(|part| part.as_str().unwrap()).collect();
    words.join(" ").into()
}

/// What both tools tell of an event, as wrangler prints it.
fn by_wrangler(event: &Value) -> Value {
    let logs = event["logs"].as_array().unwrap().iter();
    let logs = logs.map(|log| json!([log["level"], logged(&log["message"])]));
    told(event, &logs.collect())
}

/// The same, as this tool prints it.
fn by_tail(event: &Value) -> Value {
    let logs = event["logs"].as_array().unwrap().iter();
    let logs = logs.map(|log| json!([log["level"], log["message"]]));
    let told = told(event, &logs.collect());
    assert_eq!(event["status"], told["event"]["status"], "{event}");
    told
}

fn told(event: &Value, logs: &Value) -> Value {
    let of = &event["event"];
    let (request, socket) = (&of["request"], &of["getWebSocketEvent"]);
    json!({
        "event": {
            "method": request["method"],
            "url": request["url"],
            "call": request["headers"]["x-edge-call"],
            "status": of["response"]["status"],
            "socket": socket,
        },
        "outcome": event["outcome"],
        "logs": logs,
        "exceptions": event["exceptions"].as_array().unwrap().len(),
    })
}

/// Both follow one script at the same time, while the same things are done to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_event_by_event_what_the_real_wrangler_tells() {
    let debug = [(
        "name = \"glow-broadcast\"",
        "name = \"glow-broadcast\"\ndebug = true",
    )];
    let deployed = Deployed::with(&debug);
    let sandbox = &deployed.sandbox;
    let project = Project::new();
    project.write("environments/staging.toml", &manifest("staging"));
    let ours = [
        tail(sandbox, &project, &["--json", "--script", "gateway"]),
        tail(sandbox, &project, &["--json", "--script", "room"]),
    ];
    let theirs = [GATEWAY, ROOM].map(|script| Theirs::start(sandbox, &project, script));
    tailed(sandbox, &[GATEWAY, GATEWAY, ROOM, ROOM]).await;
    // A tail that is opened gets events once its socket is: until then wrangler prints nothing
    for script in &theirs {
        let until = Instant::now() + Duration::from_secs(20);
        while script.events.try_recv().is_err() {
            assert!(Instant::now() < until, "wrangler prints nothing");
            deployed.publish("READY", json!({ "type": "A" })).await;
        }
    }

    deployed.publish("FIRST", json!({ "type": "A" })).await;
    let client = deployed.client("/ws/SOL", &[]).await;
    deployed.publish("SOL", json!({ "type": "A" })).await;
    let wrong = [
        ("authorization", "Bearer hunter2"),
        ("webhook-signature", "v1,hunter2"),
    ];
    let refused = deployed.post("/broadcast/SOL", &wrong, "{}").await;
    assert_eq!(refused.status, 401, "{refused:?}");
    for path in ["/snapshot/SOL?since=1", "/health", "/nothing/here"] {
        deployed.get(path, &[]).await;
    }
    drop(client);
    // The end of the socket is an event of the room
    while deployed.inspect("/rooms/SOL").await["sockets"] != 0 {}
    deployed.publish("LAST", json!({ "type": "A" })).await;

    for (ours, theirs) in ours.iter().zip(&theirs) {
        let lines = ours.until(|line| by_tail(&event(line))["event"].to_string().contains("LAST"));
        let ours = lines.iter().map(|line| by_tail(&event(line)));
        let first = |event: &Value| !event["event"].to_string().contains("FIRST");
        let ours: Vec<Value> = ours.skip_while(first).collect();
        let theirs = theirs.between("FIRST", "LAST");
        assert!(ours.len() >= 4, "{ours:?}");
        assert_eq!(ours, theirs);
    }
    for going in ours {
        assert_eq!(going.interrupted().0, Some(130));
    }
    tailed(sandbox, &[GATEWAY, ROOM]).await;
}
