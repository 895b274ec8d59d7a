//! The sandbox's API as a test calls it directly: what another tool, or another person, would do.

use serde_json::{Value, json};

use super::{Sandbox, cryptography};

/// A script of another project.
const FOREIGN: &str =
    "export class Theirs {} export default { fetch() { return new Response('foreign') } }";

/// A call below `/client/v4`; the whole answer.
pub(crate) async fn call(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Value {
    cryptography();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", sandbox.api);
    let mut request = client
        .request(method.parse().unwrap(), url)
        .bearer_auth(&sandbox.token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let text = request.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asks the account's data points; the status and the answer, which has no envelope.
pub(crate) async fn sql(sandbox: &Sandbox, statement: &str) -> (u16, String) {
    cryptography();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let path = of_account(sandbox, "analytics_engine/sql");
    let request = client.post(format!("{}{path}", sandbox.api));
    let request = request.bearer_auth(&sandbox.token);
    let answer = request.body(statement.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Makes the next matching calls of the API go wrong.
pub(crate) async fn fault(sandbox: &Sandbox, fault: Value) {
    let answer = call(sandbox, "POST", "/sandbox/faults", Some(fault)).await;
    assert_eq!(answer["success"], true, "{answer}");
}

/// The path of something of the account.
pub(crate) fn of_account(sandbox: &Sandbox, rest: &str) -> String {
    format!("/accounts/{}/{rest}", sandbox.account_id)
}

/// The id of the zone of the manifests: one per account.
pub(crate) async fn zone(sandbox: &Sandbox) -> String {
    let path = format!("/zones?name=glow.trade&account.id={}", sandbox.account_id);
    let zones = call(sandbox, "GET", &path, None).await;
    zones["result"][0]["id"].as_str().unwrap().to_owned()
}

/// The calls since the last time that were no GETs, as `METHOD path?query`; those of Workers' things by the path below `workers/`.
pub(crate) async fn writes(sandbox: &Sandbox) -> Vec<String> {
    let calls = call(sandbox, "GET", "/sandbox/requests", None).await["result"].take();
    call(sandbox, "DELETE", "/sandbox/requests", None).await;
    let writes = calls.as_array().unwrap().iter();
    let writes = writes.filter(|call| call["method"] != "GET");
    let shown = writes.map(|call| {
        let text = |key: &str| call[key].as_str().unwrap();
        let path = text("path").rsplit("/workers/").next().unwrap();
        let gap = if text("query").is_empty() { "" } else { "?" };
        format!("{} {path}{gap}{}", text("method"), text("query"))
    });
    shown.collect()
}

/// Leads the hosts and paths of `pattern`, in the zone of the manifests, to a script; with the DNS record without which Cloudflare
/// would not. The route's path.
pub(crate) async fn route(sandbox: &Sandbox, pattern: &str, script: &str) -> String {
    record(sandbox, pattern.split('/').next().unwrap()).await;
    add_route(sandbox, pattern, Some(script)).await
}

/// Adds a route of somebody else's, or one that switches Workers off, and gives its path.
pub(crate) async fn add_route(sandbox: &Sandbox, pattern: &str, script: Option<&str>) -> String {
    let path = format!("/zones/{}/workers/routes", zone(sandbox).await);
    let route = json!({ "pattern": pattern, "script": script });
    let added = call(sandbox, "POST", &path, Some(route)).await;
    assert_eq!(added["success"], true, "{added}");
    format!("{path}/{}", added["result"]["id"].as_str().unwrap())
}

/// Makes a script of somebody else with these tags, as wrangler does it for another project.
pub(crate) async fn tagged_script(sandbox: &Sandbox, script: &str, tags: &[&str]) {
    foreign_script(sandbox, script).await;
    tag(sandbox, script, tags).await;
}

/// Gives a script these tags, and takes all others away.
pub(crate) async fn tag(sandbox: &Sandbox, script: &str, tags: &[&str]) {
    let path = of_account(
        sandbox,
        &format!("workers/scripts/{script}/script-settings"),
    );
    let set = call(sandbox, "PATCH", &path, Some(json!({ "tags": tags }))).await;
    assert_eq!(set["success"], true, "{set}");
}

/// Gives a host a proxied DNS record.
pub(crate) async fn record(sandbox: &Sandbox, host: &str) {
    let record = json!({ "type": "A", "name": host, "content": "192.0.2.1", "proxied": true });
    let path = format!("/zones/{}/dns_records", zone(sandbox).await);
    let answer = call(sandbox, "POST", &path, Some(record)).await;
    // One that is there will do
    let there = answer["errors"][0]["code"] == 81058;
    assert!(answer["success"] == true || there, "{answer}");
}

/// Takes every DNS record of a host away, as its owner would.
pub(crate) async fn remove_records(sandbox: &Sandbox, host: &str) {
    let path = format!("/zones/{}/dns_records", zone(sandbox).await);
    let named = format!("{path}?name={host}");
    let records = call(sandbox, "GET", &named, None).await["result"].clone();
    for record in records.as_array().unwrap() {
        let own = format!("{path}/{}", record["id"].as_str().unwrap());
        let answer = call(sandbox, "DELETE", &own, None).await;
        assert_eq!(answer["success"], true, "{answer}");
    }
}

/// The result of a GET of something of the account.
pub(crate) async fn read(sandbox: &Sandbox, rest: &str) -> Value {
    call(sandbox, "GET", &of_account(sandbox, rest), None).await["result"].clone()
}

/// A split of a script's traffic, given by somebody else.
pub(crate) async fn split(sandbox: &Sandbox, script: &str, shares: &[(&str, u8)]) {
    let versions: Vec<Value> = shares
        .iter()
        .map(|(id, percentage)| json!({ "version_id": id, "percentage": percentage }))
        .collect();
    let path = of_account(sandbox, &format!("workers/scripts/{script}/deployments"));
    let answer = call(
        sandbox,
        "POST",
        &path,
        Some(json!({ "strategy": "percentage", "versions": versions })),
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
}

/// The shares of the newest deployment, as `id: percentage`.
pub(crate) async fn shares(sandbox: &Sandbox, script: &str) -> Vec<(String, f64)> {
    shares_of(&deployments(sandbox, script).await[0])
}

/// The deployments of a script, the newest first.
pub(crate) async fn deployments(sandbox: &Sandbox, script: &str) -> Vec<Value> {
    let list = read(sandbox, &format!("workers/scripts/{script}/deployments")).await;
    list["deployments"].as_array().unwrap().clone()
}

/// Version ids and percentages.
pub(crate) fn shares_of(deployment: &Value) -> Vec<(String, f64)> {
    let versions = deployment["versions"].as_array().unwrap().iter();
    versions
        .map(|share| {
            (
                share["version_id"].as_str().unwrap().to_owned(),
                share["percentage"].as_f64().unwrap(),
            )
        })
        .collect()
}

/// Uploads a version of a small script, as another tool would, and returns its id. It gets no traffic.
pub(crate) async fn foreign_version(sandbox: &Sandbox, script: &str) -> String {
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [], "keep_bindings": ["secret_text"] });
    let answer = upload(
        sandbox,
        "POST",
        &format!("workers/scripts/{script}/versions"),
        &metadata,
        FOREIGN,
    )
    .await;
    answer["result"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// Uploads a version of a small script that has no secret, and returns its id. It gets no traffic.
pub(crate) async fn version_without_secrets(sandbox: &Sandbox, script: &str) -> String {
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [], "keep_bindings": [] });
    let rest = format!("workers/scripts/{script}/versions");
    let answer = upload(sandbox, "POST", &rest, &metadata, FOREIGN).await;
    answer["result"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// Makes a small script of another project.
pub(crate) async fn foreign_script(sandbox: &Sandbox, script: &str) {
    let metadata =
        json!({ "main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [] });
    let answer = upload(
        sandbox,
        "PUT",
        &format!("workers/scripts/{script}"),
        &metadata,
        FOREIGN,
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
}

/// Makes a script of another project that defines the Durable Object class `Theirs` in the migration `their-1`.
pub(crate) async fn foreign_class(sandbox: &Sandbox, script: &str) {
    let metadata = json!({
        "main_module": "index.js",
        "compatibility_date": "2026-10-01",
        "bindings": [],
        "migrations": { "new_tag": "their-1", "steps": [{ "new_sqlite_classes": ["Theirs"] }] },
    });
    let answer = upload(
        sandbox,
        "PUT",
        &format!("workers/scripts/{script}"),
        &metadata,
        FOREIGN,
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
}

/// Uploads a script of one module; the whole answer.
pub(crate) async fn upload(
    sandbox: &Sandbox,
    method: &str,
    rest: &str,
    metadata: &Value,
    module: &'static str,
) -> Value {
    let module = (
        "index.js",
        "application/javascript+module",
        module.as_bytes().to_vec(),
    );
    upload_modules(sandbox, method, rest, metadata, [module]).await
}

/// Uploads a script of several modules, each with its name and content type; the whole answer.
pub(crate) async fn upload_modules<const N: usize>(
    sandbox: &Sandbox,
    method: &str,
    rest: &str,
    metadata: &Value,
    modules: [(&str, &str, Vec<u8>); N],
) -> Value {
    cryptography();
    let mut form = reqwest::multipart::Form::new().text("metadata", metadata.to_string());
    for (name, content_type, bytes) in modules {
        let part = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
        form = form.part(name.to_owned(), part.mime_str(content_type).unwrap());
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{}", sandbox.api, of_account(sandbox, rest));
    let request = client
        .request(method.parse().unwrap(), url)
        .bearer_auth(&sandbox.token)
        .multipart(form);
    let text = request.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
