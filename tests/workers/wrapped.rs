//! The deployed room behind a small module of the test's own, which makes it fail on demand and records what it does.

use serde_json::{Value, json};

use super::Deployed;
use crate::support::{Sandbox, api, repository};

const WRAPPER: &str = include_str!("wrapped.js");
const SCRIPT: &str = "glow-broadcast-staging-room";
/// Leads to the wrapper itself.
const HOST: &str = "room.glow.trade";

/// Uploads the built `worker` once more as `script`, without the bindings `missing`, behind the module `wrapper`, which
/// imports it as `./WORKER.js` and gets the requests for `host`.
pub(crate) async fn wrap(
    sandbox: &Sandbox,
    (worker, script): (&str, &str),
    missing: &[&str],
    wrapper: &str,
    host: &str,
) {
    let settings = api::read(sandbox, &format!("workers/scripts/{script}/settings")).await;
    let bindings: Vec<&Value> = settings["bindings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|binding| binding["type"] != "secret_text")
        .filter(|binding| !missing.iter().any(|name| binding["name"] == *name))
        .collect();
    let metadata = json!({
        "main_module": "main.js",
        "compatibility_date": settings["compatibility_date"],
        "bindings": bindings,
        "keep_bindings": ["secret_text"],
    });
    let build = repository().join("worker").join(worker).join("build");
    let built = |name: &str| std::fs::read(build.join(name)).unwrap();
    let kind = "application/javascript+module";
    let module = format!("{worker}.js");
    let modules = [
        ("main.js", kind, wrapper.as_bytes().to_vec()),
        (module.as_str(), kind, built("index.js")),
        (
            "./index_bg.wasm",
            "application/wasm",
            built("index_bg.wasm"),
        ),
    ];
    let path = format!("workers/scripts/{script}");
    let answer = api::upload_modules(sandbox, "PUT", &path, &metadata, modules).await;
    assert_eq!(answer["success"], true, "{answer}");
    api::route(sandbox, &format!("{host}/*"), script).await;
}

impl Deployed {
    /// The environment with changes, its room wrapped.
    pub(crate) async fn wrapped(changes: &[(&str, &str)]) -> Self {
        let deployed = Self::with(changes);
        wrap(&deployed.sandbox, ("room", SCRIPT), &[], WRAPPER, HOST).await;
        deployed
    }

    /// From now on these faults happen, and no others; what was recorded is forgotten.
    pub(crate) async fn faults(&self, faults: Value) {
        let answer = self
            .send("PUT", "/", &[("host", HOST)], faults.to_string())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What the room's objects have done since: `sent` frames in order, and `stubs` of other objects.
    pub(crate) async fn seen(&self) -> Value {
        self.get("/", &[("host", HOST)]).await.json()
    }

    /// The frames of updates that were sent since, in order, as `object` or `id`.
    pub(crate) async fn senders(&self, key: &str) -> Vec<String> {
        let seen = self.seen().await;
        let sent = seen["sent"].as_array().unwrap().iter();
        sent.filter(|sent| sent["frame"]["type"] != "connected")
            .map(|sent| sent[key].as_str().unwrap().to_owned())
            .collect()
    }

    /// The object dies, and with it what it had in memory and its sockets.
    pub(crate) async fn abort_root(&self, token: &str) {
        self.faults(json!([{ "what": "abort", "object": token, "call": "snapshot", "times": 1 }]))
            .await;
        let answer = self.get(&format!("/snapshot/{token}"), &[]).await;
        assert_eq!(answer.status, 503, "{answer:?}");
    }
}
