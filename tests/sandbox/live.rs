//! The sandbox's answers beside those that were recorded from the live API (`tests/fixtures/live/*.jsonl`): the same members at every
//! place, null where live has null. A line that is added there is compared too.
//!
//! A line is `{m, p, status, headers, body}`, and may have `sent`, the JSON body of the call. The script of the recordings is `S`.

use std::path::Path;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{ROOM, World};

/// Where the sandbox may differ, as `method path: place`, and why. Nowhere.
const ALLOWED: [(&str, &str); 0] = [];

/// The account of the recordings.
const RECORDED: &str = "0123456789abcdef0123456789abcdef";

struct Recorded {
    method: String,
    path: String,
    line: Value,
}

fn recordings() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let lines = lines.iter().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            Recorded {
                method: line["m"].as_str().unwrap().to_owned(),
                path: line["p"].as_str().unwrap().to_owned(),
                line,
            }
        })
        .collect()
}

/// Every place at which two bodies differ in their members or in the kind of a value.
fn differences(live: &Value, ours: &Value, place: &str, found: &mut Vec<String>) {
    match (live, ours) {
        (Value::Object(live), Value::Object(ours)) => {
            for (key, value) in live {
                match ours.get(key) {
                    Some(other) => differences(value, other, &format!("{place}/{key}"), found),
                    None => found.push(format!("{place}/{key} is missing")),
                }
            }
            let more = ours.keys().filter(|key| !live.contains_key(*key));
            found.extend(more.map(|key| format!("{place}/{key} is not there on live")));
        }
        // A list has items of one kind; how many there are is the state's matter
        (Value::Array(live), Value::Array(ours)) => {
            for other in ours.iter().take(live.len().min(1)) {
                differences(&live[0], other, &format!("{place}/0"), found);
            }
            if !live.is_empty() && ours.is_empty() {
                found.push(format!("{place} is empty"));
            }
        }
        (live, ours) => {
            if std::mem::discriminant(live) != std::mem::discriminant(ours) {
                found.push(format!("{place} is {ours}, on live {live}"));
            }
        }
    }
}

/// `"default";r=1199;t=1` without its numbers; a policy with them.
fn header(headers: &HeaderMap, name: &str) -> String {
    let value = headers
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned());
    let value = value.unwrap_or_default();
    match name {
        "Ratelimit" => value
            .chars()
            .filter(|character| !character.is_ascii_digit())
            .collect(),
        _ => value,
    }
}

async fn upload(world: &World, path: &str, observed: bool) -> reqwest::Response {
    let mut metadata =
        json!({"main_module": "index.js", "compatibility_date": "2026-09-01", "bindings": []});
    if observed {
        metadata["observability"] = json!({"enabled": true});
    }
    let code = "export default { fetch() { return new Response() } }";
    world.uploaded(Method::PUT, path, code, metadata).await
}

#[tokio::test]
async fn every_recorded_body_has_the_members_and_the_nulls_of_the_sandboxs_answer() {
    let world = World::new().await;
    let (mut compared, mut wrong) = (Vec::new(), Vec::new());
    for (number, recorded) in recordings().into_iter().enumerate() {
        // Each in an account of its own, in which nothing but the script of the recording has happened
        let account = format!("{number:032x}");
        // A script has a lower-case name
        let path = recorded
            .path
            .replace(RECORDED, &account)
            .replace("/scripts/S", "/scripts/s");
        let call = format!(
            "{} {}",
            recorded.method,
            recorded.path.replace(RECORDED, "A")
        );
        let script = format!("/accounts/{account}/workers/scripts/s");
        let answer = if recorded.method == "PUT" && path == script {
            let observed = recorded.line["body"]["result"]
                .get("observability")
                .is_some();
            upload(&world, &path, observed).await
        } else {
            assert_eq!(upload(&world, &script, false).await.status(), 200);
            let sent = recorded.line.get("sent").cloned().unwrap_or_default();
            world.sent(&recorded.method, &path, sent).await
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body: Value = answer.json().await.unwrap();
        // A call that the sandbox does not have at all
        if body["errors"][1]["code"] == 7000 || body["errors"][0]["code"] == 10405 {
            continue;
        }
        let mut found = Vec::new();
        if recorded.line["status"] != status {
            found.push(format!(" status is {status}"));
        }
        for (name, value) in recorded.line["headers"].as_object().into_iter().flatten() {
            let live = HeaderMap::try_from(&std::collections::HashMap::from([(
                name.clone(),
                value.as_str().unwrap().to_owned(),
            )]))
            .unwrap();
            if header(&headers, name) != header(&live, name) {
                found.push(format!(" `{name}` is `{}`", header(&headers, name)));
            }
        }
        differences(&recorded.line["body"], &body, "", &mut found);
        found.retain(|found| {
            !ALLOWED
                .iter()
                .any(|(place, _)| *place == format!("{call}: {found}"))
        });
        wrong.extend(found.into_iter().map(|found| format!("{call}:{found}")));
        compared.push(call);
    }
    assert_eq!(wrong, [""; 0]);
    for call in [
        "GET /accounts/A/workers/scripts/S/versions",
        "GET /accounts/A/workers/scripts/S/deployments",
        "PUT /accounts/A/workers/scripts/S",
        "GET /accounts/A/workers/scripts/S/settings",
        "GET /accounts/A/workers/scripts",
    ] {
        assert!(
            compared.iter().any(|known| known == call),
            "{call}: {compared:?}"
        );
    }
    world.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn the_deployment_of_an_upload_says_so_unless_the_upload_has_a_message() {
    let world = World::new().await;
    let account = "0".repeat(32);
    for (script, annotations, told) in [
        ("plain", json!({}), "Automatic deployment on upload."),
        ("told", json!({"workers/message": "release 7"}), "release 7"),
    ] {
        let path = format!("/accounts/{account}/workers/scripts/{script}");
        let mut metadata = super::room();
        metadata["annotations"] = annotations;
        let answer = world.uploaded(Method::PUT, &path, ROOM, metadata).await;
        assert_eq!(answer.status(), 200);
        let deployments = world
            .ok("GET", &format!("{path}/deployments"), Value::Null)
            .await;
        let annotations = &deployments["deployments"][0]["annotations"];
        assert_eq!(annotations["workers/message"], told);
        assert_eq!(annotations["workers/triggered_by"], "upload");
    }
    world.sandbox.stop().await.unwrap();
}

#[test]
fn a_difference_is_named_by_its_place() {
    let live = json!({"a": null, "b": [{"c": 1, "d": true}], "e": {}});
    let ours = json!({"a": [], "b": [{"c": "1"}], "e": {"f": 1}});
    let mut found = Vec::new();
    differences(&live, &ours, "", &mut found);
    assert_eq!(
        found,
        [
            "/a is [], on live null",
            "/b/0/c is \"1\", on live 1",
            "/b/0/d is missing",
            "/e/f is not there on live"
        ]
    );
}
