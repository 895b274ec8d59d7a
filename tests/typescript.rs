//! The generated TypeScript: under the strict compiler, and running against the deployed system.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::npm;
use crate::support::{Project, Run, manifest, repository};
use crate::workers::{Deployed, HOST, SECRET};

#[test]
fn the_generated_handler_and_client_pass_the_strict_typescript_compiler() {
    for environment in ["local", "staging", "production"] {
        let folder = tempfile::tempdir().unwrap();
        let sst = repository().join(format!("generated/{environment}/sst"));
        for file in ["heliusPrice.ts", "client.ts", "secrets.ts"] {
            std::fs::copy(sst.join(file), folder.path().join(file)).unwrap();
        }
        // What SST declares for its configuration, as far as the snippet uses it
        let declared = "declare namespace sst { class Secret { constructor(name: string, placeholder?: string); value: string } }\n";
        std::fs::write(folder.path().join("sst.d.ts"), declared).unwrap();
        std::os::unix::fs::symlink(npm::modules(), folder.path().join("node_modules")).unwrap();
        compile(
            folder.path(),
            &["--noEmit"],
            &["heliusPrice.ts", "client.ts", "secrets.ts", "sst.d.ts"],
        );
    }
}

/// Runs the strict compiler on `files` of `folder`.
#[track_caller]
fn compile(folder: &Path, options: &[&str], files: &[&str]) {
    let output = Command::new("node")
        .arg(npm::modules().join("typescript/bin/tsc"))
        .args(["--strict", "--noUnusedLocals", "--skipLibCheck"])
        .args(["--target", "es2022", "--module", "esnext"])
        .args(["--moduleResolution", "bundler", "--lib", "es2022,dom"])
        .args(["--types", "node"])
        .args(options)
        .args(files)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{files:?}:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What staging's manifest, with `changes`, makes of `file`: compiled, as `name` of `folder`.
fn generated(folder: &Path, name: &str, file: &str, changes: &[(&str, &str)]) {
    let mut text = manifest("staging");
    for (from, to) in changes {
        assert!(
            text.contains(from),
            "the manifest of staging has no `{from}`"
        );
        text = text.replacen(from, to, 1);
    }
    let project = Project::new();
    project.write("environments/staging.toml", &text);
    Run::new(["generate"]).inside(&project).succeeds();
    let made = project.path().join("generated/staging/sst").join(file);
    std::fs::copy(made, folder.join(format!("{name}.ts"))).unwrap();
}

/// A folder whose scripts are modules and find the test's packages.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("package.json"),
        r#"{ "type": "module" }"#,
    )
    .unwrap();
    std::os::unix::fs::symlink(npm::modules(), folder.path().join("node_modules")).unwrap();
    // No name server knows the deployed hosts: on this machine they are the sandbox's
    std::fs::write(
        folder.path().join("hosts.cjs"),
        "require('dns').lookup = (host, options, done) => (done ?? options)(null, options?.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);",
    )
    .unwrap();
    folder
}

fn node(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("node");
    command
        .args([
            "--require",
            "./hosts.cjs",
            "--input-type=module",
            "--eval",
            script,
        ])
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Publishes `price` for the room `token` with the publisher `name`; how often SQS was used, and whether it failed.
fn publish(
    folder: &Path,
    deployed: &Deployed,
    name: &str,
    token: &str,
    environment: &[(&str, &str)],
) -> Value {
    let script = format!(
        "import {{ publishPrice }} from './{name}.js'; let sqs = 0; let failed = false; \
         console.warn = () => {{}}; \
         try {{ await publishPrice({{ type: 'PRICE_UPDATE', token: '{token}', price: 125.45, timestamp: 1 }}, async () => {{ sqs++ }}) }} \
         catch {{ failed = true }} \
         console.log(JSON.stringify({{ sqs, failed }}))"
    );
    let port = deployed.sandbox.ingress.port();
    let mut command = node(folder, &script);
    command
        .env("USE_EDGE_BROADCAST", "true")
        .env("EDGE_BROADCAST_URL", format!("http://{HOST}:{port}"))
        .env("EDGE_BROADCAST_SECRET", SECRET)
        .envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

const MIGRATION: &str = "{ mode = \"percent\", percent = 10 }";

#[tokio::test(flavor = "multi_thread")]
async fn the_generated_handler_publishes_as_its_mode_of_migration_says() {
    let folder = folder();
    let modes = [
        ("sqs", "{ mode = \"sqs\" }"),
        ("none", "{ mode = \"percent\", percent = 0 }"),
        ("all", "{ mode = \"percent\", percent = 100 }"),
        ("dual", "{ mode = \"dual\" }"),
        ("edge", "{ mode = \"edge\" }"),
    ];
    for (name, mode) in modes {
        generated(folder.path(), name, "heliusPrice.ts", &[(MIGRATION, mode)]);
    }
    let files: Vec<String> = modes.iter().map(|(name, _)| format!("{name}.ts")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    compile(folder.path(), &[], &files);
    let deployed = Deployed::new();
    let wrong = (
        "EDGE_BROADCAST_SECRET",
        "another-secret-than-the-deployed-one",
    );
    let off = ("USE_EDGE_BROADCAST", "false");
    for (name, environment, sqs, failed, edge) in [
        ("sqs", vec![], 1, false, 0),
        ("none", vec![], 1, false, 0),
        ("all", vec![], 0, false, 1),
        ("dual", vec![], 1, false, 1),
        ("dual", vec![wrong], 1, false, 0),
        ("edge", vec![], 0, false, 1),
        ("edge", vec![wrong], 0, true, 0),
        ("edge", vec![off], 1, false, 0),
    ] {
        let token = format!("{name}-{}", environment.len());
        let token = environment
            .first()
            .map_or(token.clone(), |(key, _)| format!("{token}-{key}"));
        let said = publish(folder.path(), &deployed, name, &token, &environment);
        assert_eq!(said, json!({ "sqs": sqs, "failed": failed }), "{token}");
        let snapshot = deployed
            .get(&format!("/snapshot/{token}"), &[])
            .await
            .json();
        assert_eq!(snapshot["seq"], edge, "{token}: {snapshot}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generated_handler_signs_where_signatures_are_required() {
    let signed = ("require_signature = false", "require_signature = true");
    let folder = folder();
    let mode = (MIGRATION, "{ mode = \"edge\" }");
    generated(folder.path(), "signed", "heliusPrice.ts", &[signed, mode]);
    generated(folder.path(), "plain", "heliusPrice.ts", &[mode]);
    compile(folder.path(), &[], &["signed.ts", "plain.ts"]);
    let deployed = Deployed::with(&[signed]);
    let mut client = deployed.client("/ws/SOL", &[]).await;
    let publish = |name| publish(folder.path(), &deployed, name, "SOL", &[]);
    assert_eq!(publish("signed"), json!({ "sqs": 0, "failed": false }));
    assert_eq!(client.frame().await["price"], 125.45);
    assert_eq!(publish("plain"), json!({ "sqs": 0, "failed": true }));
}

/// A client in JavaScript that prints what it gets.
struct Subscriber {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Subscriber {
    fn start(folder: &Path, token: &str) -> Self {
        // Browsers have WebSocket; the client must not need more than that
        let script = format!(
            "import WebSocket from 'ws'; globalThis.WebSocket = WebSocket; \
             const {{ subscribe }} = await import('./client.js'); \
             subscribe('{token}', (update) => console.log(JSON.stringify(update)))"
        );
        let mut child = node(folder, &script)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generated_client_gets_every_update_once_across_a_restart_of_the_room() {
    let folder = folder();
    generated(folder.path(), "client", "client.ts", &[]);
    let deployed = Deployed::with(&[
        ("conflate = \"latest\"", "conflate = \"all\""),
        ("max_message_bytes = 16384", "max_message_bytes = 262144"),
    ]);
    // The sandbox has no certificate
    let port = deployed.sandbox.ingress.port();
    let path = folder.path().join("client.ts");
    let text = std::fs::read_to_string(&path).unwrap();
    let here = text.replace(&format!("wss://{HOST}"), &format!("ws://{HOST}:{port}"));
    assert_ne!(here, text);
    std::fs::write(&path, here).unwrap();
    compile(folder.path(), &[], &["client.ts"]);
    let mut subscriber = Subscriber::start(folder.path(), "SOL");
    deployed
        .until("/rooms/SOL", |room| room["sockets"] == 1)
        .await;
    let mut seen = Vec::new();
    for n in 1..=3 {
        deployed
            .publish("SOL", json!({ "type": "PRICE_UPDATE", "n": n }))
            .await;
    }
    for _ in 1..=3 {
        seen.push(subscriber.next()["n"].clone());
    }
    // What is kept is written within about a second, after the frames have left
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    deployed.restart().await;
    for n in 4..=6 {
        deployed
            .publish("SOL", json!({ "type": "PRICE_UPDATE", "n": n }))
            .await;
    }
    for _ in 4..=6 {
        seen.push(subscriber.next()["n"].clone());
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    // More than a client is sent that does not say how far it is
    let text = "x".repeat(200_000);
    for n in 7..=61 {
        deployed
            .publish(
                "SOL",
                json!({ "type": "PRICE_UPDATE", "n": n, "text": text }),
            )
            .await;
        assert_eq!(subscriber.next()["n"], n);
    }
    let counters = &deployed.inspect("/rooms/SOL").await["root"]["counters"];
    assert_eq!(
        (&counters["slow"], &counters["loud"]),
        (&json!(0), &json!(0)),
        "{counters:#}"
    );
    let messages = counters["month"]["messages"].as_u64().unwrap();
    assert!((20..40).contains(&messages), "{messages} acknowledgements");
}

/// A server that refuses: first for three seconds, then for good.
const REFUSING: &str = r#"
    import WebSocket, { WebSocketServer } from 'ws';
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((listening) => server.on('listening', listening));
    globalThis.WebSocket = class extends WebSocket {
      constructor(url, protocols) {
        super(url.replace(/^wss:..[^/]*/, `ws://127.0.0.1:${server.address().port}`), protocols);
      }
    };
    const seen = [];
    server.on('connection', (socket, request) => {
      seen.push({ path: request.url, at: performance.now() });
      if (seen.length === 1) return socket.close(4029, 'connect_rate;retry=3');
      socket.close(4000, 'invalid_token');
      server.close();
    });
    process.on('exit', () => {
      const [one, two, ...more] = seen;
      const waited = two.at - one.at > 2_900;
      console.log(JSON.stringify({ paths: [one.path, two.path], waited, more }));
    });
    console.error = (text) => console.log(JSON.stringify(text));
    const { subscribe } = await import('./client.js');
    subscribe('a:b', () => {});
"#;

#[test]
fn the_generated_client_comes_back_when_it_is_told_to_and_not_at_all_where_that_is_useless() {
    let folder = folder();
    generated(folder.path(), "client", "client.ts", &[]);
    compile(folder.path(), &[], &["client.ts"]);
    // It ends by itself: whatever went on trying would keep it
    let output = node(folder.path(), REFUSING).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let wanted = concat!(
        "\"updates of a:b end: invalid_token\"\n",
        r#"{"paths":["/ws/a%3Ab?errors=close","/ws/a%3Ab?errors=close"],"waited":true,"more":[]}"#,
        "\n"
    );
    assert_eq!(
        printed,
        wanted,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
