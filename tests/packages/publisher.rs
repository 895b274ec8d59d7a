//! The publisher for Lambda: its parts alone, and running against the deployed system and a queue, with either of them down or slow.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use edge_broadcast_protocol::contract::{head, signature, token};
use edge_broadcast_protocol::gateway::batch;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Package;
use super::moto::Moto;
use crate::npm;
use crate::support::repository;
use crate::workers::{Deployed, HOST, SECRET};

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = (output.stdout, output.stderr);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    assert!(output.status.success(), "{said}");
    said
}

fn test_file(name: &str) -> String {
    let path = repository().join("tests/packages/publisher").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_publisher_does_alone_what_it_says_and_is_packed_for_a_strict_project() {
    let package = Package::generated("publisher", &[]);
    package.compile();
    let folder = &package.folder;
    std::fs::write(folder.join("unit.test.mjs"), test_file("unit.test.mjs")).unwrap();
    let mut unit = Command::new("node");
    said(unit.args(["--test", "unit.test.mjs"]).current_dir(folder));
    // What `prepack` compiles is there; what it installs is the test's
    let mut pack = Command::new("npm");
    said(pack.args(["pack", "--ignore-scripts"]).current_dir(folder));
    let project = tempfile::tempdir().unwrap();
    unpack(folder, project.path());
    let manifest = std::fs::read_to_string(folder.join("package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let name = manifest["name"].as_str().unwrap();
    let use_file = test_file("use.ts").replace("PACKAGE", name);
    std::fs::write(project.path().join("use.ts"), use_file).unwrap();
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let (_, code) = readme.split_once("```ts\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    std::fs::write(project.path().join("readme.ts"), code).unwrap();
    let mut compiler = Command::new("node");
    compiler
        .arg(npm::modules().join("typescript/bin/tsc"))
        .args(["--noEmit", "--strict", "--exactOptionalPropertyTypes"])
        .args(["--target", "es2022", "--module", "nodenext"])
        .args(["--types", "node,aws-lambda", "use.ts", "readme.ts"])
        .current_dir(project.path());
    said(&mut compiler);
}

#[test]
fn the_publisher_knows_the_limits_of_the_protocol() {
    let package = Package::generated("publisher", &[]);
    let read = |name| std::fs::read_to_string(package.folder.join("src").join(name)).unwrap();
    for (name, wanted) in [
        ("edge.ts", format!("const MAX_ITEMS = {};", head::MAX_ITEMS)),
        (
            "settings.ts",
            format!("const MAX_BATCH_BYTES = {};", batch::MAX_BATCH_BYTES),
        ),
        (
            "update.ts",
            format!("{{0,{}}}$/", token::MAX_TOKEN_BYTES - 1),
        ),
        ("update.ts", format!("{{1,{}}}$/", signature::MAX_ID_BYTES)),
    ] {
        let text = read(name).replace("_048_576", "048576");
        assert!(text.contains(&wanted), "`{name}` has no `{wanted}`");
    }
}

/// Installs the packed package of a folder into a project, whose other packages are the test's.
fn unpack(folder: &Path, project: &Path) {
    let packed = std::fs::read_dir(folder).unwrap();
    let mut packed = packed.map(|entry| entry.unwrap().path());
    let packed = packed.find(|path| path.extension().is_some_and(|end| end == "tgz"));
    let modules = project.join("node_modules");
    std::fs::create_dir(&modules).unwrap();
    for entry in std::fs::read_dir(npm::modules()).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(entry.path(), modules.join(entry.file_name())).unwrap();
    }
    let manifest = std::fs::read_to_string(folder.join("package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let place = modules.join(manifest["name"].as_str().unwrap());
    std::fs::create_dir_all(&place).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("xzf").arg(packed.unwrap()).arg("-C").arg(&place);
    said(tar.arg("--strip-components=1"));
    std::fs::write(project.join("package.json"), r#"{ "type": "module" }"#).unwrap();
}

/// A generated publisher in one file, as SST's esbuild makes it of a team's function.
fn bundled(changes: &[(&str, &str)]) -> Package {
    let package = Package::generated("publisher", changes);
    let mut bundle = Command::new(npm::modules().join("esbuild/bin/esbuild"));
    bundle
        .args(["src/index.ts", "--bundle", "--platform=node"])
        .args([
            "--format=esm",
            "--packages=external",
            "--outfile=bundle.mjs",
        ])
        .current_dir(&package.folder);
    said(&mut bundle);
    std::fs::write(package.folder.join("drive.mjs"), test_file("drive.mjs")).unwrap();
    package
}

/// What a publisher's handlers answer to posts, and the lines that they say.
fn drive(package: &Package, runs: &[Value]) -> Vec<Value> {
    let mut child = Command::new("node")
        .args(["--require", "./hosts.cjs", "drive.mjs"])
        .current_dir(&package.folder)
        .env("NODE_NO_WARNINGS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(json!(runs).to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the publisher finds at the gateway's address, or in its own environment.
#[derive(Clone, Copy, Debug)]
enum Edge {
    Up,
    /// Its address ends with a slash.
    Slash,
    Down,
    /// It does what it is asked, and answers too late.
    Slow,
    WrongSecret,
    NoSecret,
    SwitchedOff,
}

/// What it finds as its queue.
#[derive(Clone, Copy, Debug)]
enum Queue {
    Up,
    Down,
    Slow,
    None,
}

/// Where everything is.
struct World {
    deployed: Deployed,
    moto: Moto,
    /// Nobody listens there.
    closed: SocketAddr,
    /// The gateway, whose answers come late.
    late: SocketAddr,
    /// Takes connections and says nothing.
    silent: SocketAddr,
}

/// Longer than any deadline of these tests.
const LATE: Duration = Duration::from_secs(20);
/// A deadline for what does not answer, and one for what does, however busy this machine is.
const SHORT_MS: u64 = 1_000;
const LONG_MS: u64 = 10_000;

impl World {
    async fn start() -> Self {
        let deployed = Deployed::with(&[("conflate = \"latest\"", "conflate = \"all\"")]);
        let ingress = deployed.sandbox.ingress;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = closed.local_addr().unwrap();
        Self {
            late: serve(move |stream| answer_late(stream, ingress)).await,
            silent: serve(|stream| async move {
                tokio::time::sleep(LATE).await;
                drop(stream);
            })
            .await,
            moto: Moto::start(),
            deployed,
            closed,
        }
    }

    fn environment(&self, edge: Edge) -> Value {
        let ingress = self.deployed.sandbox.ingress.port();
        let (port, end) = match edge {
            Edge::Down => (self.closed.port(), ""),
            Edge::Slow => (self.late.port(), ""),
            Edge::Slash => (ingress, "/"),
            _ => (ingress, ""),
        };
        let mut environment: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, value) in self.moto.environment() {
            environment.insert(name, value.into());
        }
        environment.insert("HELIUS_AUTH_HEADER", "of-the-webhook".into());
        let switch = !matches!(edge, Edge::SwitchedOff);
        environment.insert("USE_EDGE_BROADCAST", switch.to_string().into());
        let url = format!("http://{HOST}:{port}{end}");
        environment.insert("EDGE_BROADCAST_URL", url.into());
        let secret = match edge {
            Edge::WrongSecret => json!("another-secret-than-the-deployed-one"),
            Edge::NoSecret => Value::Null,
            _ => json!(SECRET),
        };
        environment.insert("EDGE_BROADCAST_SECRET", secret);
        json!(environment)
    }

    /// The URL by which a publisher is told of a queue that is there.
    fn seen(&self, queue: Queue, url: &str) -> Option<String> {
        let elsewhere = match queue {
            Queue::None => return None,
            Queue::Up => return Some(url.to_owned()),
            Queue::Down => self.closed,
            Queue::Slow => self.silent,
        };
        let path = url.strip_prefix(&self.moto.endpoint).unwrap();
        Some(format!("http://{elsewhere}{path}"))
    }

    /// Waits until this many updates were published to a token: one that was not waited for may be on its way.
    async fn reaches(&self, token: &str, seq: u64) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let path = format!("/snapshot/{token}");
            let snapshot = self.deployed.get(&path, &[]).await.json();
            if snapshot["seq"] == seq {
                return;
            }
            let waits = seq > 0 && Instant::now() < until;
            assert!(waits, "`{token}` should be at {seq}: {snapshot}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Serves every connection at an address until the test ends.
async fn serve<Served>(one: impl Fn(TcpStream) -> Served + Send + 'static) -> SocketAddr
where
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(one(stream));
        }
    });
    address
}

/// Hands a request on at once, and its answer when nobody waits for it any more.
async fn answer_late(mut stream: TcpStream, to: SocketAddr) {
    let mut upstream = TcpStream::connect(to).await.unwrap();
    let mut bytes = [0; 16_384];
    let forward = async {
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            upstream.write_all(&bytes[..count]).await.unwrap();
        }
        // The client has gone; the gateway is not told so
        tokio::time::sleep(LATE).await;
    };
    let _ = tokio::time::timeout(LATE, forward).await;
}

const MIGRATION: &str = "{ mode = \"percent\", percent = 10 }";

/// One post of one update: whether it arrives at the edge, how many messages are in the queue, what Helius is answered, and what is said.
type Row = (Edge, Queue, &'static str, u64, usize, u64, &'static str);

const NO_PROBLEM: &str = "";
const REFUSED: &str = "ECONNREFUSED";
const LATE_ANSWER: &str = "no answer in";

fn rows(name: &str) -> Vec<Row> {
    use {Edge as E, Queue as Q};
    match name {
        "sqs" => vec![
            (E::Up, Q::Up, "nowhere", 0, 1, 200, NO_PROBLEM),
            (E::Up, Q::Down, "nowhere", 0, 0, 503, REFUSED),
            (E::Up, Q::Slow, "nowhere", 0, 0, 503, LATE_ANSWER),
        ],
        "none" => vec![(E::Up, Q::Up, "nowhere", 0, 1, 200, NO_PROBLEM)],
        "all" => vec![
            (E::Up, Q::Up, "nowhere", 1, 0, 200, NO_PROBLEM),
            (E::Down, Q::Up, "nowhere", 0, 0, 503, REFUSED),
        ],
        "dual" => vec![
            (E::Up, Q::Up, "nowhere", 1, 1, 200, NO_PROBLEM),
            (E::Down, Q::Up, "nowhere", 0, 1, 200, REFUSED),
            (E::Slow, Q::Up, "nowhere", 1, 1, 200, LATE_ANSWER),
            (
                E::WrongSecret,
                Q::Up,
                "nowhere",
                0,
                1,
                200,
                "403 wrong_credentials",
            ),
            (
                E::NoSecret,
                Q::Up,
                "nowhere",
                0,
                1,
                200,
                "`EDGE_BROADCAST_SECRET` is not set",
            ),
            (E::Up, Q::Down, "nowhere", 1, 0, 200, REFUSED),
            (E::Up, Q::Slow, "nowhere", 1, 0, 200, LATE_ANSWER),
            (E::Down, Q::Down, "nowhere", 0, 0, 503, REFUSED),
            (E::SwitchedOff, Q::Up, "nowhere", 0, 1, 200, NO_PROBLEM),
        ],
        "edge" => vec![
            (E::Up, Q::None, "nowhere", 1, 0, 200, NO_PROBLEM),
            (E::Slash, Q::None, "nowhere", 1, 0, 200, NO_PROBLEM),
            (E::Down, Q::None, "nowhere", 0, 0, 503, REFUSED),
            (E::Slow, Q::None, "nowhere", 1, 0, 503, LATE_ANSWER),
            (
                E::WrongSecret,
                Q::None,
                "nowhere",
                0,
                0,
                503,
                "403 wrong_credentials",
            ),
            (
                E::NoSecret,
                Q::None,
                "nowhere",
                0,
                0,
                503,
                "`EDGE_BROADCAST_SECRET` is not set",
            ),
            (E::SwitchedOff, Q::Up, "nowhere", 0, 1, 200, NO_PROBLEM),
            (E::Up, Q::Up, "sqs", 1, 0, 200, NO_PROBLEM),
            (E::Down, Q::Up, "sqs", 0, 1, 200, REFUSED),
            (E::Slow, Q::Up, "sqs", 1, 1, 200, LATE_ANSWER),
            (
                E::WrongSecret,
                Q::Up,
                "sqs",
                0,
                1,
                200,
                "403 wrong_credentials",
            ),
            (E::Down, Q::Down, "sqs", 0, 0, 503, REFUSED),
        ],
        _ => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_publisher_does_what_its_mode_says_with_the_edge_and_the_queue_up_down_and_slow() {
    let modes = [
        ("sqs", "{ mode = \"sqs\" }"),
        ("none", "{ mode = \"percent\", percent = 0 }"),
        ("all", "{ mode = \"percent\", percent = 100 }"),
        ("dual", "{ mode = \"dual\" }"),
        ("edge", "{ mode = \"edge\" }"),
    ];
    let world = World::start().await;
    let mut published = Vec::new();
    for (name, mode) in modes {
        let (mut runs, mut queues) = (Vec::new(), Vec::new());
        for (index, (edge, queue, fallback, ..)) in rows(name).iter().enumerate() {
            let token = format!("{name}-{index}");
            let url = world.moto.queue(&token).await;
            let deadline = match (edge, queue) {
                (Edge::Slow, _) | (_, Queue::Slow) => SHORT_MS,
                _ => LONG_MS,
            };
            runs.push(json!({
                "environment": world.environment(*edge),
                "options": { "queue": world.seen(*queue, &url), "fallback": fallback, "deadlineMs": deadline },
                "posts": [[{ "signature": "5nNt", "prices": [[token, 1]] }]],
            }));
            queues.push(url);
        }
        // All modes at once: what is slow is waited for
        let results =
            tokio::task::spawn_blocking(move || drive(&bundled(&[(MIGRATION, mode)]), &runs));
        published.push((name, queues, results));
    }
    for (name, queues, results) in published {
        let results = results.await.unwrap();
        for (index, (edge, queue, fallback, at_edge, in_queue, status, why)) in
            rows(name).into_iter().enumerate()
        {
            let token = format!("{name}-{index}");
            let said = &results[index];
            let case = format!("{token}, {edge:?}, {queue:?}, {fallback}: {said:#}");
            assert_eq!(said["status"], status, "{case}");
            let problem = said["problems"][0]["why"].as_str().unwrap_or(NO_PROBLEM);
            assert!(problem.starts_with(why), "{case}");
            assert_eq!(problem.is_empty(), why.is_empty(), "{case}");
            assert_eq!(said["lost"] == 0, status == 200, "{case}");
            world.reaches(&token, at_edge).await;
            let messages = world.moto.messages(&queues[index]).await;
            assert_eq!(messages.len(), in_queue, "{case}");
            for message in messages {
                let wanted = format!(r#"{{"type":"PRICE_UPDATE","token":"{token}","n":1}}"#);
                assert_eq!(message["Body"], wanted);
            }
        }
        if name == "dual" {
            let agreed = json!({ "both": 1, "edge_only": 0, "sqs_only": 0, "neither": 0 });
            assert_eq!(results[0]["dual"], agreed);
        }
    }
}

/// A transaction of which a price of SOL is derived for each `n`.
fn transaction(signature: &str, prices: &[Value]) -> Value {
    let prices: Vec<Value> = prices.iter().map(|n| json!(["SOL", n])).collect();
    json!({ "signature": signature, "slot": 100, "timestamp": 1_673_445_241, "prices": prices })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_update_is_published_once_however_often_it_is_sent() {
    let world = World::start().await;
    let mut client = world.deployed.client("/ws/SOL", &[]).await;
    let up = world.environment(Edge::Up);
    let slow = world.environment(Edge::Slow);
    let run = |environment: &Value, posts: Vec<Value>| json!({ "environment": environment, "options": { "deadlineMs": LONG_MS }, "posts": posts });
    let three = json!([transaction("5nNt", &[json!(1), json!(2), json!(3)])]);
    let mut nameless = transaction("", &[json!(4)]);
    nameless.as_object_mut().unwrap().remove("signature");
    let mut clock = transaction("clock", &[json!(5)]);
    clock["clock"] = true.into();
    let mut old = transaction("old", &[json!(-1)]);
    old["slot"] = 99.into();
    let late = json!([transaction("late", &[json!(7)])]);
    let package = bundled(&[(MIGRATION, "{ mode = \"edge\" }")]);
    let mut late_run = run(&slow, vec![late.clone()]);
    late_run["options"]["deadlineMs"] = SHORT_MS.into();
    let said = drive(
        &package,
        &[
            run(&up, vec![three.clone(), three.clone()]),
            run(&up, vec![json!([nameless, nameless]), json!([nameless])]),
            run(&up, vec![json!([clock]), json!([clock])]),
            run(
                &up,
                vec![json!([transaction("none", &[Value::Null, json!(6)])])],
            ),
            run(&up, vec![json!([old])]),
            late_run,
            run(&up, vec![late]),
        ],
    );
    assert_eq!(client.updates(7).await, [1, 2, 3, 4, 5, 6, 7]);
    client.hears_nothing().await;
    let counts = |said: &Value| {
        let edge = &said["edge"];
        let names = ["accepted", "duplicate", "stale", "changed", "failed"];
        names.map(|name| edge[name].as_u64().unwrap())
    };
    let counted: Vec<_> = said.iter().map(counts).collect();
    assert_eq!(
        counted,
        [
            [3, 0, 0, 0, 0],
            [3, 3, 0, 0, 0],
            [2, 1, 0, 0, 0],
            [1, 1, 0, 0, 0],
            [1, 0, 0, 0, 0],
            [1, 0, 0, 1, 0],
            [1, 0, 0, 0, 0],
            [1, 0, 1, 0, 0],
            [0, 0, 0, 0, 1],
            [1, 1, 0, 0, 0],
        ]
    );
    let told = json!([{ "at": "update", "token": "SOL", "why": "`n` is NaN" }]);
    assert_eq!(
        (&said[6]["problems"], &said[6]["left_out"]),
        (&told, &json!(1))
    );
    assert_eq!(said[7]["problems"][0]["why"], "stale");

    // A share of the tokens: `0` has place 48, `A` 65
    let package = bundled(&[(MIGRATION, "{ mode = \"percent\", percent = 50 }")]);
    let queue = world.moto.queue("prices.fifo").await;
    let both = json!([{ "signature": "both", "prices": [["0", 1], ["A", 1], ["A", 2]] }]);
    let mut shared = run(&world.environment(Edge::Up), vec![both.clone(), both]);
    shared["options"]["queue"] = queue.clone().into();
    let said = drive(&package, &[shared]);
    assert_eq!(
        (&said[0]["edge"]["accepted"], &said[0]["sqs"]["accepted"]),
        (&json!(1), &json!(2))
    );
    world.reaches("0", 1).await;
    world.reaches("A", 0).await;
    let messages = world.moto.messages(&queue).await;
    let groups = messages
        .iter()
        .map(|message| &message["Attributes"]["MessageGroupId"]);
    assert_eq!(groups.collect::<Vec<_>>(), ["A", "A"]);

    // Where signatures are required it signs, and what does not is told so
    let signed = ("require_signature = false", "require_signature = true");
    let mode = (MIGRATION, "{ mode = \"edge\" }");
    Deployed::deploy(
        &world.deployed.sandbox,
        &[("conflate = \"latest\"", "conflate = \"all\""), signed],
    );
    let mut client = world.deployed.client("/ws/SOL", &[]).await;
    let post = |signature: &str| vec![json!([transaction(signature, &[json!(8), json!(9)])])];
    let said = drive(&bundled(&[mode]), &[run(&up, post("plain"))]);
    assert_eq!(
        (&said[0]["status"], &said[0]["problems"][0]["why"]),
        (&json!(503), &json!("401 signature_required"))
    );
    let said = drive(
        &bundled(&[signed, mode]),
        &[run(&up, [post("signed"), post("signed")].concat())],
    );
    assert_eq!(
        said.iter().map(counts).collect::<Vec<_>>(),
        [[2, 0, 0, 0, 0], [2, 2, 0, 0, 0]]
    );
    assert_eq!(client.updates(2).await, [8, 9]);
}
