//! Other people's tools, unmodified, against the sandbox: whatever they ask, they get an answer that they can read. What each of
//! their operations reaches is the table in the sandbox's README.

mod alchemy;
mod readme;
mod sdk;
mod table;
mod wrangler;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Project, Sandbox, api};

/// What one operation of one client reached.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Name and version.
    client: &'static str,
    /// As its users write it.
    name: String,
    /// Method and path, once each.
    calls: BTreeSet<String>,
    /// Cloudflare's code, when it is refused there too.
    code: Option<u64>,
}

/// A line of a program in `tests/conformance`.
#[derive(Deserialize)]
struct Line {
    operation: String,
    calls: Vec<Call>,
    #[serde(default)]
    code: Option<u64>,
}

#[derive(Deserialize)]
struct Call {
    method: String,
    path: String,
}

impl Operation {
    fn of(client: &'static str, line: Line) -> Self {
        let shown = |call: &Call| format!("{} {}", call.method, table::pattern(&call.path));
        Self {
            client,
            name: line.operation,
            calls: line.calls.iter().map(shown).collect(),
            code: line.code,
        }
    }
}

/// Where one client works: a sandbox with the zone `glow.trade`, and a folder.
struct Place {
    project: Project,
    sandbox: Sandbox,
}

impl Place {
    fn new() -> Self {
        let project = Project::with_all();
        let sandbox = Sandbox::start_in(&project);
        Self { project, sandbox }
    }

    /// A command in the folder with the variables that lead the client to the sandbox and nowhere else.
    fn lead(&self, mut command: Command) -> Command {
        let Sandbox {
            api,
            token,
            account_id,
            ingress,
            ..
        } = &self.sandbox;
        command
            .current_dir(self.project.path())
            .env("CLOUDFLARE_API_BASE_URL", api)
            .env("CLOUDFLARE_BASE_URL", api)
            .env("CLOUDFLARE_API_TOKEN", token)
            .env("CLOUDFLARE_ACCOUNT_ID", account_id)
            .env("INGRESS", format!("http://{ingress}"))
            .env("NO_PROXY", "127.0.0.1")
            .env("NO_COLOR", "1")
            .env("CI", "true")
            .env("DO_NOT_TRACK", "1");
        command
    }

    /// The calls since the last time.
    async fn calls(&self) -> Vec<Call> {
        let calls = api::call(&self.sandbox, "GET", "/sandbox/requests", None).await;
        api::call(&self.sandbox, "DELETE", "/sandbox/requests", None).await;
        serde_json::from_value(calls["result"].clone()).unwrap()
    }

    /// The answer of a deployed Worker, once there is one.
    async fn visit(&self, host: &str, path: &str) -> String {
        crate::support::cryptography();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}{path}", self.sandbox.ingress);
        let answer = client.get(url).header("host", host).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// A DNS record, as a zone route needs one.
    async fn point(&self, host: &str) {
        let zones = api::call(&self.sandbox, "GET", "/zones?name=glow.trade", None).await;
        let path = format!(
            "/zones/{}/dns_records",
            zones["result"][0]["id"].as_str().unwrap()
        );
        let record =
            json!({"type": "AAAA", "name": host, "content": "100::", "proxied": true, "ttl": 1});
        let answer = api::call(&self.sandbox, "POST", &path, Some(record)).await;
        assert_eq!(answer["success"], true, "{answer}");
    }
}

/// Runs a command, which must succeed.
fn succeeded(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        command
            .get_args()
            .map(|argument| argument.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" "),
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    );
    output
}

/// The operations that a program printed, one JSON line each.
fn printed(client: &'static str, output: &Output) -> Vec<Operation> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| -> Operation {
        let line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Operation::of(client, line)
    };
    text.lines().map(line).collect()
}

/// Every client has a sandbox and a thread of its own; each is a few programs that wait for one another.
#[test]
fn other_peoples_tools_work_unmodified_and_reach_what_the_table_says() {
    let clients: [fn() -> Vec<Operation>; 5] = [
        || wrangler::operations(&wrangler::OLDER),
        || wrangler::operations(&wrangler::NEWER),
        sdk::javascript,
        sdk::python,
        alchemy::operations,
    ];
    let running = clients.map(std::thread::spawn);
    // All are waited for, so that none is left behind by another's failure
    let ended = running.map(std::thread::JoinHandle::join);
    let mut operations = Vec::new();
    for client in ended {
        operations.extend(client.expect("the client's own message stands above"));
    }
    table::assert_is_in_the_readme(&operations);
}

/// Runs what is asynchronous within a client's thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The first JSON values of a text that may go on.
fn values(text: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .map_while(Result::ok)
        .collect()
}
