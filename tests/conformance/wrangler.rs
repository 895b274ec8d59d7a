//! Every command of wrangler that touches Workers, of the last version for node 20 and of the one from which the recorded calls are.

use std::io::{BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Line, Operation, Place, block_on, values};
use crate::npm;
use crate::support::{api, interrupt};

/// One version of it.
pub(super) struct Wrangler {
    name: &'static str,
    command: fn() -> Command,
    tail: Tail,
}

/// What becomes of a tail when wrangler is interrupted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Deleted,
    /// It starts to delete it and does not wait for the answer.
    Left,
}

pub(super) const OLDER: Wrangler = Wrangler {
    name: "wrangler 4.86.0",
    command: npm::wrangler,
    tail: Tail::Left,
};
pub(super) const NEWER: Wrangler = Wrangler {
    name: "wrangler 4.164.0",
    command: npm::wrangler_22,
    tail: Tail::Deleted,
};

const SCRIPT: &str = "conformance";
const HOST: &str = "wrangler.glow.trade";
/// How long a tail may take to show what it must.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIG: &str = r#"
name = "conformance"
main = "index.js"
compatibility_date = "2026-04-01"
workers_dev = true
routes = [
  { pattern = "wrangler.glow.trade/*", zone_name = "glow.trade" },
  { pattern = "own.glow.trade", custom_domain = true },
]
[triggers]
crons = ["*/5 * * * *"]
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"#;

const CODE: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch() { console.log("the room"); return new Response("room"); }
}
export default {
  scheduled() {},
  fetch(request, env) {
    console.log("seen", { path: new URL(request.url).pathname });
    if (request.url.endsWith("/boom")) throw new TypeError("boom");
    return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request);
  },
};
"#;

/// Runs commands one after the other and notes what each reached.
struct Session<'a> {
    wrangler: &'a Wrangler,
    place: &'a Place,
    operations: Vec<Operation>,
}

impl Session<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = (self.wrangler.command)();
        command.args(args);
        self.place.lead(command)
    }

    /// A command with an input; what it printed.
    async fn run_with(&mut self, operation: &str, args: &[&str], input: &str) -> String {
        self.place.calls().await;
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let printed =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{} {operation}:\n{printed}",
            self.wrangler.name
        );
        self.note(operation).await;
        printed.into_owned()
    }

    async fn run(&mut self, operation: &str, args: &[&str]) -> String {
        self.run_with(operation, args, "").await
    }

    async fn note(&mut self, operation: &str) {
        let calls = self.place.calls().await;
        let line = Line {
            operation: operation.to_owned(),
            calls,
            code: None,
        };
        self.operations
            .push(Operation::of(self.wrangler.name, line));
    }

    async fn newest(&self) -> String {
        let path = format!("workers/scripts/{SCRIPT}/versions?per_page=1");
        let list = api::read(&self.place.sandbox, &path).await;
        list["items"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn assert_shares(&self, expected: &[(&String, f64)]) {
        let shares = api::shares(&self.place.sandbox, SCRIPT).await;
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, share)| ((*id).clone(), *share))
            .collect();
        assert_eq!(shares, expected);
    }
}

pub(super) fn operations(wrangler: &Wrangler) -> Vec<Operation> {
    block_on(async {
        let place = Place::new();
        place.project.write("wrangler.toml", CONFIG);
        place.project.write("index.js", CODE);
        place.project.write("secrets.json", r#"{"FIRST":"0"}"#);
        place.project.write("bulk.json", r#"{"A":"1","B":"2"}"#);
        place.point(HOST).await;
        let operations = Vec::new();
        let mut session = Session {
            wrangler,
            place: &place,
            operations,
        };
        session.run("whoami", &["whoami"]).await;
        versions(&mut session).await;
        secrets(&mut session).await;
        tails(&mut session).await;
        session.run("delete", &["delete", "--force"]).await;
        let left = api::read(&place.sandbox, "workers/scripts").await;
        assert_eq!(left, Value::Array(Vec::new()));
        session.operations
    })
}

async fn versions(session: &mut Session<'_>) {
    session
        .run(
            "deploy (first)",
            &["deploy", "--secrets-file", "secrets.json"],
        )
        .await;
    let first = session.newest().await;
    assert_eq!(session.place.visit(HOST, "/").await, "room");
    assert_eq!(session.place.visit("own.glow.trade", "/").await, "room");
    session
        .run(
            "versions upload",
            &["versions", "upload", "--message", "second", "--tag", "two"],
        )
        .await;
    let second = session.newest().await;
    let (ten, ninety) = (format!("{second}@10"), format!("{first}@90"));
    session
        .run(
            "versions deploy",
            &["versions", "deploy", &ten, &ninety, "--yes"],
        )
        .await;
    session
        .assert_shares(&[(&second, 10.0), (&first, 90.0)])
        .await;
    let status = session
        .run("deployments status", &["deployments", "status"])
        .await;
    assert!(
        status.contains(&second) && status.contains(&first),
        "{status}"
    );
    let listed = session
        .run("versions list", &["versions", "list", "--json"])
        .await;
    assert!(listed.contains("second"), "{listed}");
    let viewed = session
        .run("versions view", &["versions", "view", &second])
        .await;
    assert!(viewed.contains("two"), "{viewed}");
    session.run("deploy", &["deploy"]).await;
    let third = session.newest().await;
    session.assert_shares(&[(&third, 100.0)]).await;
    session
        .run(
            "rollback",
            &["rollback", &first, "--yes", "--message", "back"],
        )
        .await;
    session.assert_shares(&[(&first, 100.0)]).await;
    let deployments = session
        .run("deployments list", &["deployments", "list"])
        .await;
    assert!(deployments.contains("back"), "{deployments}");
    session
        .run("triggers deploy", &["triggers", "deploy"])
        .await;
    let schedules = api::read(
        &session.place.sandbox,
        &format!("workers/scripts/{SCRIPT}/schedules"),
    )
    .await;
    assert_eq!(schedules["schedules"][0]["cron"], "*/5 * * * *");
}

/// First those that make versions which nobody reaches, then, with the latest deployed, those that deploy.
async fn secrets(session: &mut Session<'_>) {
    session
        .run_with(
            "versions secret put",
            &["versions", "secret", "put", "STAGED"],
            "value",
        )
        .await;
    session
        .run(
            "versions secret bulk",
            &["versions", "secret", "bulk", "bulk.json"],
        )
        .await;
    session
        .run(
            "versions secret delete",
            &["versions", "secret", "delete", "B"],
        )
        .await;
    let newest = session.newest().await;
    let everybody = format!("{newest}@100");
    session
        .run(
            "versions deploy (one)",
            &["versions", "deploy", &everybody, "--yes"],
        )
        .await;
    let listed = session
        .run("versions secret list", &["versions", "secret", "list"])
        .await;
    assert!(
        listed.contains("STAGED") && listed.contains("FIRST"),
        "{listed}"
    );
    session
        .run_with("secret put", &["secret", "put", "C"], "value")
        .await;
    session
        .run("secret bulk", &["secret", "bulk", "bulk.json"])
        .await;
    session
        .run("secret delete", &["secret", "delete", "A"])
        .await;
    let listed = session.run("secret list", &["secret", "list"]).await;
    for (name, there) in [
        ("\"A\"", false),
        ("\"B\"", true),
        ("\"C\"", true),
        ("\"FIRST\"", true),
        ("\"STAGED\"", true),
    ] {
        assert_eq!(listed.contains(name), there, "{name}: {listed}");
    }
}

/// Both formats, at a Worker with an object of which the runtime traces the events too.
async fn tails(session: &mut Session<'_>) {
    let shown = |text: &str| {
        let events = values(text);
        let request = events.iter().any(|event| {
            event["event"]["response"]["status"] == 200
                && event["executionModel"] == "stateless"
                && event["scriptName"] == SCRIPT
                && event["logs"][0]["message"][1]["path"] == "/tailed"
        });
        let object = events
            .iter()
            .any(|event| event["entrypoint"] == "Room" && event["scriptName"] == SCRIPT);
        request && object
    };
    tail(
        session,
        "tail --format json",
        &["tail", "--format", "json"],
        "/tailed",
        &shown,
    )
    .await;
    let shown = |text: &str| {
        assert!(
            !text.contains("/tailed"),
            "an event passed a filter that it does not meet: {text}"
        );
        text.contains(&format!("GET http://{HOST}/boom - Exception Thrown @"))
            && text.contains("TypeError: boom")
    };
    let args = [
        "tail", "--format", "pretty", "--status", "error", "--method", "GET", "--search", "seen",
    ];
    tail(session, "tail --format pretty", &args, "/boom", &shown).await;
}

/// Visits until the tail shows what it must, then ends it as Ctrl-C does.
async fn tail(
    session: &mut Session<'_>,
    operation: &str,
    args: &[&str],
    path: &str,
    shown: &dyn Fn(&str) -> bool,
) {
    session.place.calls().await;
    let mut command = session.command(args);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let output = followed(&mut child.0);
    let (mut text, until) = (String::new(), Instant::now() + PATIENCE);
    while !shown(&text) {
        assert!(
            Instant::now() < until,
            "{} {operation} shows:\n{text}",
            session.wrangler.name
        );
        session.place.visit(HOST, "/tailed").await;
        session.place.visit(HOST, path).await;
        while let Ok(part) = output.recv_timeout(Duration::from_millis(200)) {
            text += &part;
        }
    }
    end(session.wrangler, child, operation);
    session.note(operation).await;
    let tails = format!("workers/scripts/{SCRIPT}/tails");
    let open = api::read(&session.place.sandbox, &tails).await;
    match session.wrangler.tail {
        Tail::Deleted => assert_eq!(open, Value::Null, "the tail is closed"),
        Tail::Left => {
            let path = api::of_account(
                &session.place.sandbox,
                &format!("{tails}/{}", open["id"].as_str().unwrap()),
            );
            let answer = api::call(&session.place.sandbox, "DELETE", &path, None).await;
            assert_eq!(answer["success"], true, "{answer}");
        }
    }
}

/// As Ctrl-C does, where that has one outcome only.
fn end(wrangler: &Wrangler, mut child: Killed, operation: &str) {
    if wrangler.tail == Tail::Deleted {
        interrupt(&child.0);
        assert!(
            child.0.wait().unwrap().success(),
            "{} {operation}",
            wrangler.name
        );
    }
}

/// A child that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a child prints, as it prints it.
fn followed(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let pipes: [Box<dyn Read + Send>; 2] = [
        Box::new(child.stdout.take().unwrap()),
        Box::new(child.stderr.take().unwrap()),
    ];
    for pipe in pipes {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let (mut pipe, mut part) = (BufReader::new(pipe), [0; 8192]);
            while let Ok(length @ 1..) = pipe.read(&mut part) {
                if sender
                    .send(String::from_utf8_lossy(&part[..length]).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    receiver
}
