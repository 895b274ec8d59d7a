//! The publishers in Rust and Python: the same calls of both, against the deployed system and a queue, and with either down or slow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use self::publisher::Publisher;
use self::publisher::credentials::{Credentials, signature};
use super::moto::Moto;
use crate::npm;
use crate::sdk::python_for;
use crate::support::{cryptography, repository};
use crate::workers::{Deployed, HOST, SECRET};

/// As a crate has it that depends on the generated folder.
#[path = "../../generated/staging/publisher/rust/publisher.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is a crate's root, for others"
)]
mod publisher;

/// One call of either publisher.
#[derive(Clone)]
struct Call {
    mode: &'static str,
    credentials: &'static str,
    environment: BTreeMap<&'static str, String>,
    /// `none`, `well`, `down`, `slow`, or the address of one of SQS.
    queue: String,
    deadline_ms: u64,
    updates: Value,
}

/// A call that uses the edge at this address.
fn call(mode: &'static str, edge: &str, queue: &str, updates: Value) -> Call {
    let environment = [
        ("USE_EDGE_BROADCAST", "true"),
        ("EDGE_BROADCAST_URL", edge),
        ("EDGE_BROADCAST_SECRET", SECRET),
    ];
    Call {
        mode,
        credentials: "bearer",
        environment: environment
            .map(|(name, value)| (name, value.to_owned()))
            .into(),
        queue: queue.to_owned(),
        deadline_ms: 20_000,
        updates,
    }
}

impl Call {
    fn within(mut self, deadline_ms: u64) -> Self {
        self.deadline_ms = deadline_ms;
        self
    }

    fn with(mut self, credentials: &'static str) -> Self {
        self.credentials = credentials;
        self
    }

    fn set(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.insert(variable, value.to_owned());
        self
    }
}

/// The one in Python, in a process that publishes what it is told.
struct Python {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Python {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(packages())
            .arg("-B")
            .arg(repository().join("tests/packages/feeds/driver.py"))
            .env("PYTHONPATH", folder("python"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("NO_PROXY", "*")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn ask(&mut self, ask: &Value) -> Value {
        // JSON has no word for it, and Python takes it all the same
        let ask = ask.to_string().replace("\"NaN\"", "NaN");
        writeln!(self.child.stdin.as_ref().unwrap(), "{ask}").unwrap();
        let line = self.lines.next().expect("it answers").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn publish(&mut self, call: &Call) -> Value {
        self.ask(&json!({
            "mode": call.mode,
            "credentials": call.credentials,
            "environment": call.environment,
            "queue": call.queue,
            "deadline_ms": call.deadline_ms,
            "updates": call.updates,
        }))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python with what `pyproject.toml` names, and what proves it.
fn packages() -> PathBuf {
    let used = ["boto3==1.44.8", "httpx==0.28.1", "standardwebhooks==1.1.0"];
    let proves = ["mypy==2.4.1", "ruff==0.17.6"];
    python_for("publisher", &[used.as_slice(), &proves].concat())
}

fn folder(language: &str) -> PathBuf {
    repository()
        .join("generated/staging/publisher")
        .join(language)
}

thread_local! {
    /// What the one in Rust has logged in this test.
    static LOGGED: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// The one in Rust, with the queue that a team passes.
async fn rust(call: &Call, moto: Option<&Moto>) -> Value {
    cryptography();
    let variable = |name: &str| call.environment.get(name).cloned();
    let queue = async |updates: Vec<Value>| -> anyhow::Result<()> {
        match call.queue.as_str() {
            "well" => {}
            "down" => anyhow::bail!("it is down"),
            "slow" => tokio::time::sleep(Duration::from_secs(60)).await,
            address => {
                for update in updates {
                    let message = json!({ "QueueUrl": address, "MessageBody": update.to_string() });
                    moto.unwrap().call("SendMessage", message).await;
                }
            }
        }
        Ok(())
    };
    let queue = (call.queue != "none").then_some(queue);
    let mut publisher = match Publisher::new(call.mode, variable, queue) {
        Ok(publisher) => publisher,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    publisher.edge.http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .resolve(HOST, "127.0.0.1:0".parse().unwrap())
        .build()
        .unwrap();
    if call.credentials == "signature" {
        publisher.edge.credentials = Credentials::new("signature", SECRET).unwrap();
    }
    publisher.deadline = Duration::from_millis(call.deadline_ms);
    publisher.log = |line| LOGGED.with_borrow_mut(|lines| lines.push(line));
    let text = call.updates.to_string().replace("\"NaN\"", "null");
    let updates: Vec<Value> = serde_json::from_str(&text).unwrap();
    let published = publisher.publish(&updates).await;
    let raised = published.is_err();
    let (Ok(report) | Err(report)) = published;
    let mut said = json!({ "raised": raised, "logged": LOGGED.take() });
    for (name, count) in [
        ("accepted", report.accepted),
        ("duplicate", report.duplicate),
        ("stale", report.stale),
        ("queued", report.queued),
    ] {
        if count > 0 {
            said[name] = count.into();
        }
    }
    for (name, left_out) in [("refused", report.refused), ("failed", report.failed)] {
        let left_out = left_out
            .iter()
            .map(|(update, why)| json!([update["token"], why]));
        let left_out: Vec<Value> = left_out.collect();
        if !left_out.is_empty() {
            said[name] = left_out.into();
        }
    }
    said
}

/// What a report says, in one line and in words that both languages have: `accepted 2, failed SOL 503, raised`.
fn short(said: &Value) -> String {
    if let Some(error) = said["error"].as_str() {
        return format!("error: {error}");
    }
    let mut words = Vec::new();
    for name in ["accepted", "duplicate", "stale", "queued"] {
        if let Some(count) = said[name].as_u64() {
            words.push(format!("{name} {count}"));
        }
    }
    for name in ["refused", "failed"] {
        for left_out in said[name].as_array().into_iter().flatten() {
            let (token, why) = (
                left_out[0].as_str().unwrap_or("-"),
                left_out[1].as_str().unwrap(),
            );
            let why = match why.split_once(' ') {
                Some((status, code)) if status.parse::<u16>().is_ok_and(|status| status >= 400) => {
                    format!("{status} {code}")
                }
                Some((status, _)) if status.parse::<u16>().is_ok() => status.to_owned(),
                _ if why.starts_with("the queue: ") => "queue".to_owned(),
                _ => "unfit".to_owned(),
            };
            words.push(format!("{name} {token} {why}"));
        }
    }
    for line in said["logged"].as_array().unwrap() {
        assert_eq!(line["event"], "edge-broadcast.publish", "{line}");
        words.push(format!("dual {}", line["dual"]));
    }
    if said["raised"] == true {
        words.push("raised".to_owned());
    }
    words.join(", ")
}

/// That both publishers say this of a call.
async fn both_say(python: &mut Python, moto: Option<&Moto>, call: &Call, expected: &str) {
    let (mode, queue) = (call.mode, &call.queue);
    let said = rust(call, moto).await;
    assert_eq!(
        short(&said),
        expected,
        "Rust: {mode}, queue {queue}: {said}"
    );
    let said = tokio::task::block_in_place(|| python.publish(call));
    assert_eq!(
        short(&said),
        expected,
        "Python: {mode}, queue {queue}: {said}"
    );
}

/// An edge of this test's own, which answers as it is told and remembers what it was sent.
struct Edge {
    address: String,
    seen: Arc<Mutex<Vec<Value>>>,
}

/// A status for each item, with `retry_after` if not zero; or an answer without results.
#[derive(Clone, Copy)]
enum Step {
    Items(&'static [u16], u64),
    Whole(u16, &'static str, &'static str),
}

impl Edge {
    /// Gives the answers one after the other, and the last of them for ever.
    async fn start(steps: &'static [Step]) -> Self {
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        let answer = async move |headers: HeaderMap, body: String| {
            let items: Vec<Value> = serde_json::from_str(&body).unwrap();
            let mut seen = remembered.lock().unwrap();
            let step = steps[seen.len().min(steps.len() - 1)];
            let headers: Map<String, Value> = headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
                .collect();
            seen.push(json!({ "headers": headers, "items": items, "body": body }));
            answer(step, items.len()).into_response()
        };
        let app = axum::Router::new().route("/broadcast", axum::routing::post(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn answer(step: Step, items: usize) -> impl IntoResponse {
    let (status, retry_after, body) = match step {
        Step::Whole(status, retry_after, body) => (status, retry_after.to_owned(), body.to_owned()),
        Step::Items(statuses, retry_after) => {
            let result = |at: usize| match (statuses[at.min(statuses.len() - 1)], retry_after) {
                (200, _) => json!({ "status": 200, "seq": 1, "duplicate": false, "stale": false }),
                (status, 0) => json!({ "status": status, "error": { "code": "told" } }),
                (status, after) => {
                    json!({ "status": status, "error": { "code": "told" }, "retry_after": after })
                }
            };
            let results: Vec<Value> = (0..items).map(result).collect();
            (
                207,
                String::new(),
                json!({ "results": results }).to_string(),
            )
        }
    };
    let headers = [
        ("retry-after", retry_after),
        ("location", "/elsewhere".to_owned()),
    ];
    (StatusCode::from_u16(status).unwrap(), headers, body)
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Below and above the ten of hundred tokens that staging sends to the edge.
const RAY: &str = "RAY";
const SOL: &str = "SOL";

fn two() -> Value {
    json!([
        { "token": RAY, "type": "PRICE_UPDATE", "price": 2.5, "timestamp": 1 },
        { "token": SOL, "type": "PRICE_UPDATE", "price": 125.5, "timestamp": 1 },
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_in_rust_and_python_fare_alike_at_the_deployed_system() {
    let deployed = Deployed::new();
    let moto = Moto::start();
    let environment = moto.environment();
    let mut python = Python::start(&environment);
    let edge = format!("http://{HOST}:{}/", deployed.sandbox.ingress.port());
    // Each language its own rooms: of the same updates the other's are repeats
    let mut publish = async |mode, queue: &str, credentials, updates: &str, expected: &str| {
        let with = |tag: &str| {
            let updates = serde_json::from_str(&updates.replace("TAG", tag)).unwrap();
            call(mode, &edge, queue, updates).with(credentials)
        };
        let said = rust(&with("rust"), Some(&moto)).await;
        assert_eq!(
            short(&said).replace("rust", "TAG"),
            expected,
            "Rust: {updates}: {said}"
        );
        let said = tokio::task::block_in_place(|| python.publish(&with("python")));
        assert_eq!(
            short(&said).replace("python", "TAG"),
            expected,
            "Python: {updates}: {said}"
        );
    };
    for credentials in ["bearer", "signature"] {
        // Three prices of one transaction, then the webhook again
        let prices = |more: &str| {
            let price = |price: u32| {
                format!(r#"{{"token":"TAG-{credentials}","type":"P","price":{price}{more}}}"#)
            };
            format!("[{},{},{}]", price(1), price(2), price(2))
        };
        for more in [
            r#","signature":"5f2""#,
            r#","timestamp":1700000000"#,
            r#","slot":7"#,
        ] {
            publish("edge", "none", credentials, &prices(more), "accepted 3").await;
            publish("edge", "none", credentials, &prices(more), "duplicate 3").await;
        }
        // A price that comes back is no repeat, where nothing says when it was
        publish("edge", "none", credentials, &prices(""), "accepted 3").await;
        publish("edge", "none", credentials, &prices(""), "accepted 3").await;
    }
    publish(
        "edge",
        "none",
        "bearer",
        r#"[{"token":"TAG-slots","slot":9},{"token":"TAG-slots","slot":8}]"#,
        "accepted 1, stale 1",
    )
    .await;
    let unfit = r#"[{"token":"TAG-a","n":1,"slot":1},{"token":"no token","n":1},{"token":"TAG-b","price":"NaN"},{"n":1},{"token":"TAG-c","n":1,"id":"not visible"}]"#;
    let refused = "accepted 1, refused TAG-b unfit, refused - unfit, refused no token 400 invalid_token, refused TAG-c 400 invalid_id";
    publish("edge", "none", "bearer", unfit, refused).await;
    let many: Vec<Value> = (0..150)
        .map(|n| json!({ "token": format!("TAG-{}", n % 7), "slot": n }))
        .collect();
    publish(
        "edge",
        "none",
        "bearer",
        &json!(many).to_string(),
        "accepted 150",
    )
    .await;
    // Both ways, and what arrives in the queue
    let queue = moto.queue("prices").await;
    let dual = r#"[{"token":"TAG-dual","price":1.5,"slot":1}]"#;
    publish(
        "dual",
        &queue,
        "bearer",
        dual,
        r#"accepted 1, queued 1, dual {"both":1,"sqs_only":0}"#,
    )
    .await;
    publish(
        "sqs",
        &queue,
        "bearer",
        r#"[{"token":"TAG-sqs","price":2}]"#,
        "queued 1",
    )
    .await;
    let bodies = moto.messages(&queue).await;
    let mut bodies: Vec<Value> = bodies
        .iter()
        .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
        .collect();
    bodies.sort_by_key(|body| body["token"].to_string());
    assert_eq!(
        bodies,
        [
            json!({ "token": "python-dual", "price": 1.5, "slot": 1 }),
            json!({ "token": "python-sqs", "price": 2 }),
            json!({ "token": "rust-dual", "price": 1.5, "slot": 1 }),
            json!({ "token": "rust-sqs", "price": 2 }),
        ]
    );
    for language in ["rust", "python"] {
        let snapshot = deployed
            .get(&format!("/snapshot/{language}-dual"), &[])
            .await
            .json();
        assert_eq!(snapshot["snapshot"]["price"], 1.5, "{snapshot}");
    }
    // A FIFO queue knows a repeat by the same name as the edge
    let fifo = moto.queue("prices.fifo").await;
    let again = call(
        "sqs",
        &edge,
        &fifo,
        json!([{ "token": SOL, "slot": 1 }, { "token": SOL, "slot": 2 }]),
    );
    for _ in 0..2 {
        let said = tokio::task::block_in_place(|| python.publish(&again));
        assert_eq!(short(&said), "queued 2");
    }
    let messages = moto.messages(&fifo).await;
    let groups: Vec<&Value> = messages
        .iter()
        .map(|message| &message["Attributes"]["MessageGroupId"])
        .collect();
    assert_eq!(groups, [SOL, SOL]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_does_what_it_says_with_either_side_down_or_slow() {
    let well = Edge::start(&[Step::Items(&[200], 0)]).await.address;
    let down = nobody().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = format!("http://{}", silent.local_addr().unwrap());
    let mut python = Python::start(&[]);
    // The mode, the edge, the queue, the milliseconds, and what becomes of an update of RAY and one of SOL
    let rows: [(&str, &str, &str, u64, &str); 22] = [
        ("sqs", &down, "well", 20_000, "queued 2"),
        (
            "sqs",
            &well,
            "down",
            20_000,
            "failed RAY queue, failed SOL queue, raised",
        ),
        (
            "sqs",
            &well,
            "slow",
            200,
            "failed RAY queue, failed SOL queue, raised",
        ),
        ("percent", &well, "well", 20_000, "accepted 1, queued 1"),
        (
            "percent",
            &down,
            "well",
            300,
            "queued 1, failed RAY 0, raised",
        ),
        (
            "percent",
            &slow,
            "well",
            300,
            "queued 1, failed RAY 0, raised",
        ),
        (
            "percent",
            &well,
            "down",
            20_000,
            "accepted 1, failed SOL queue, raised",
        ),
        (
            "percent",
            &well,
            "slow",
            1_500,
            "accepted 1, failed SOL queue, raised",
        ),
        (
            "percent",
            &down,
            "down",
            300,
            "failed RAY 0, failed SOL queue, raised",
        ),
        (
            "dual",
            &well,
            "well",
            20_000,
            r#"accepted 2, queued 2, dual {"both":2,"sqs_only":0}"#,
        ),
        (
            "dual",
            &down,
            "well",
            300,
            r#"queued 2, dual {"both":0,"sqs_only":2}"#,
        ),
        (
            "dual",
            &slow,
            "well",
            300,
            r#"queued 2, dual {"both":0,"sqs_only":2}"#,
        ),
        (
            "dual",
            &well,
            "down",
            20_000,
            r#"accepted 2, dual {"edge_only":2,"neither":0}"#,
        ),
        (
            "dual",
            &well,
            "slow",
            1_500,
            r#"accepted 2, dual {"edge_only":2,"neither":0}"#,
        ),
        (
            "dual",
            &down,
            "down",
            300,
            r#"failed RAY 0, failed SOL 0, dual {"edge_only":0,"neither":2}, raised"#,
        ),
        ("edge", &well, "none", 20_000, "accepted 2"),
        (
            "edge",
            &down,
            "none",
            300,
            "failed RAY 0, failed SOL 0, raised",
        ),
        (
            "edge",
            &slow,
            "none",
            300,
            "failed RAY 0, failed SOL 0, raised",
        ),
        ("edge", &well, "well", 20_000, "accepted 2"),
        ("edge", &down, "well", 900, "queued 2"),
        ("edge", &slow, "well", 900, "queued 2"),
        (
            "edge",
            &down,
            "down",
            300,
            "failed RAY queue, failed SOL queue, raised",
        ),
    ];
    for (mode, edge, queue, ms, expected) in rows {
        both_say(
            &mut python,
            None,
            &call(mode, edge, queue, two()).within(ms),
            expected,
        )
        .await;
    }
    // Not switched on: the queue alone, whatever the mode
    for value in ["", "1", "TRUE"] {
        let off = call("edge", &down, "well", two()).set("USE_EDGE_BROADCAST", value);
        both_say(&mut python, None, &off, "queued 2").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_an_error_before_anything_is_sent_and_no_secret_is_in_what_is_said() {
    let edge = Edge::start(&[Step::Whole(
        403,
        "",
        r#"{"error":{"code":"wrong_credentials"}}"#,
    )])
    .await;
    let mut python = Python::start(&[]);
    for (mode, queue) in [("percent", "well"), ("dual", "well"), ("edge", "none")] {
        for secret in ["", " \n"] {
            let call = call(mode, &edge.address, queue, two()).set("EDGE_BROADCAST_SECRET", secret);
            let expected =
                "error: publishing to the edge needs its secret in `EDGE_BROADCAST_SECRET`";
            both_say(&mut python, None, &call, expected).await;
        }
    }
    let no_queue = call("dual", &edge.address, "none", two());
    for said in [rust(&no_queue, None).await, python.publish(&no_queue)] {
        let said = short(&said);
        assert!(
            said.starts_with("error: the mode `dual` needs a queue"),
            "{said}"
        );
    }
    assert!(edge.take().is_empty());
    // A line's end after it, as of a file
    let refused = call("edge", &edge.address, "none", two())
        .set("EDGE_BROADCAST_SECRET", &format!("{SECRET}\n"));
    let wrong = "failed RAY 403 wrong_credentials, failed SOL 403 wrong_credentials, raised";
    both_say(&mut python, None, &refused, wrong).await;
    for seen in edge.take() {
        assert_eq!(seen["headers"]["authorization"], format!("Bearer {SECRET}"));
    }
    for secret in ["two\nlines", "snö"] {
        let call = refused
            .clone()
            .set("EDGE_BROADCAST_SECRET", secret)
            .within(200);
        for said in [rust(&call, None).await, python.publish(&call)] {
            assert!(
                !said.to_string().contains(secret.get(..2).unwrap()),
                "{said}"
            );
        }
    }
}

/// The answers, the milliseconds, what is said, and the items of each request.
type Row = (&'static [Step], u64, &'static str, &'static [usize]);

#[tokio::test(flavor = "multi_thread")]
async fn only_what_may_fare_better_is_sent_again_with_the_same_ids_while_there_is_time() {
    let mut python = Python::start(&[]);
    let rows: [Row; 7] = [
        (
            &[
                Step::Items(&[200, 503], 0),
                Step::Items(&[429], 0),
                Step::Items(&[200], 0),
            ],
            20_000,
            "accepted 2",
            &[2, 1, 1],
        ),
        (
            &[Step::Items(&[401], 0), Step::Items(&[200], 0)],
            20_000,
            "accepted 2",
            &[2, 2],
        ),
        (
            &[Step::Items(&[429, 200], 1), Step::Items(&[200], 0)],
            20_000,
            "accepted 2",
            &[2, 1],
        ),
        (
            &[Step::Items(&[429, 200], 60)],
            900,
            "accepted 1, failed RAY 429 told, raised",
            &[2],
        ),
        (
            &[Step::Items(&[422, 400], 0)],
            20_000,
            "refused RAY 422 told, refused SOL 400 told",
            &[2],
        ),
        (
            &[Step::Whole(429, "60", "<html>")],
            900,
            "failed RAY 429 -, failed SOL 429 -, raised",
            &[2],
        ),
        (
            &[Step::Whole(307, "", "")],
            20_000,
            "failed RAY 307, failed SOL 307, raised",
            &[2],
        ),
    ];
    for (steps, ms, expected, requests) in rows {
        for language in ["Rust", "Python"] {
            let edge = Edge::start(steps).await;
            let call = call("edge", &edge.address, "none", two()).within(ms);
            let said = match language {
                "Rust" => rust(&call, None).await,
                _ => tokio::task::block_in_place(|| python.publish(&call)),
            };
            // The name of what Python did not understand
            let said = short(&said).replace("JSONDecodeError", "-");
            assert_eq!(said, expected, "{language}");
            let seen = edge.take();
            let items = |seen: &Value| seen["items"].as_array().unwrap().clone();
            let counts: Vec<usize> = seen.iter().map(|seen| items(seen).len()).collect();
            assert_eq!(counts, requests, "{language}: {expected}");
            for later in &seen[1..] {
                assert!(
                    items(later)
                        .iter()
                        .all(|item| items(&seen[0]).contains(item)),
                    "{language}"
                );
            }
        }
    }
    // An answer that is none of a gateway is no success
    for body in ["", "{}", "[]", r#"{"results":[]}"#] {
        let edge = Edge::start(Box::leak(Box::new([Step::Whole(200, "", body)]))).await;
        let call = call("edge", &edge.address, "none", two()).within(100);
        for said in [rust(&call, None).await, python.publish(&call)] {
            assert_eq!(said["raised"], true, "{body}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_are_those_of_standard_webhooks_and_show_no_secret() {
    // The example of its specification's own libraries
    let key = base64_of("C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let text = r#"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.{"email":"test@example.com","username":"test_user"}"#;
    assert_eq!(
        signature(&key, text),
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    );
    let edge = Edge::start(&[Step::Items(&[200], 0)]).await;
    let mut python = Python::start(&[]);
    let signed = call("edge", &edge.address, "none", two()).with("signature");
    both_say(&mut python, None, &signed, "accepted 2").await;
    let seen = edge.take();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert!(
            !seen.to_string().contains(SECRET) && seen["headers"].get("authorization").is_none()
        );
        // By the library of Standard Webhooks, which has the secret and nothing of ours
        let program = "import json, sys; from standardwebhooks import Webhook; seen = json.load(sys.stdin); Webhook(sys.argv[1]).verify(seen['body'], seen['headers'])";
        let mut verifier = Command::new(packages())
            .args(["-c", program, SECRET])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        write!(verifier.stdin.take().unwrap(), "{seen}").unwrap();
        assert!(verifier.wait().unwrap().success(), "{seen}");
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

/// Each token's place from 0 to 99: a token that took another way in another language would be shown twice, or not at all.
const PLACES: [(&str, u32); 9] = [
    ("", 0),
    (RAY, 6),
    (SOL, 88),
    ("BONK", 18),
    ("So11111111111111111111111111111111111111112", 2),
    ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 19),
    ("a:b-c.d_e", 75),
    ("ü", 52),
    ("😀", 12),
];

#[test]
fn a_token_takes_the_same_way_in_every_language() {
    let mut python = Python::start(&[]);
    for (token, place) in PLACES {
        assert_eq!(publisher::update::share(token), place, "Rust: {token}");
        assert_eq!(python.ask(&token.into()), place, "Python: {token}");
    }
    let tokens = PLACES.map(|(token, _)| token);
    let program = format!(
        "import {{ share }} from './src/modes.ts'; console.log(JSON.stringify({}.map(share)))",
        json!(tokens)
    );
    let output = npm::node_22()
        .args(["--experimental-strip-types", "--no-warnings"])
        .args(["--input-type=module", "--eval", &program])
        .current_dir(repository().join("generated/staging/publisher"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let places: Value = serde_json::from_slice(&output.stdout).expect(&errors);
    assert_eq!(places, json!(PLACES.map(|(_, place)| place)), "TypeScript");
}

#[test]
fn the_publishers_are_files_of_at_most_120_lines_that_the_checkers_of_their_languages_pass() {
    let mut looked_at = 0;
    for language in ["python", "rust"] {
        for entry in std::fs::read_dir(folder(language)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 120, "`{}` has {lines} lines", path.display());
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 3 + 6);
    let python = packages();
    let cache = python.parent().unwrap().parent().unwrap().join("mypy");
    let checks = [
        vec!["ruff", "format", "--check", "--no-cache"],
        vec!["ruff", "check", "--no-cache", "--select=E,F,W,I,UP,SIM,RUF"],
        vec!["mypy", "--strict", "--cache-dir", cache.to_str().unwrap()],
    ];
    for check in checks {
        let output = Command::new(&python)
            .arg("-m")
            .args(&check)
            .arg(".")
            .current_dir(folder("python"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{check:?}: {said}");
    }
}

#[test]
fn the_crate_names_the_dependencies_with_which_it_is_compiled_here() {
    let text = std::fs::read_to_string(folder("rust").join("Cargo.toml")).unwrap();
    let named: toml_edit::DocumentMut = text.parse().unwrap();
    let own = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let own: toml_edit::DocumentMut = own.parse().unwrap();
    let version = |item: &toml_edit::Item| {
        let text = item.as_str().or_else(|| item.get("version")?.as_str());
        text.map(ToOwned::to_owned)
    };
    for (name, item) in named["dependencies"].as_table().unwrap() {
        let tables = [
            &own["dependencies"],
            &own["dev-dependencies"],
            &own["workspace"]["dependencies"],
        ];
        let ours = tables.iter().find_map(|table| version(table.get(name)?));
        assert_eq!(version(item), ours, "{name}");
    }
}
