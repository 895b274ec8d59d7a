//! Reports of runs against real accounts, which somebody pasted: `tests/fixtures/live/runs/*.jsonl`. The same run against the sandbox
//! must be answered with the same members and kinds of values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::run::call;
use crate::support::repository;

/// The places of a call's answers, each with the kinds of values that are there.
type Places = BTreeMap<String, BTreeSet<String>>;

/// How the answers of a run against the sandbox differ from those of the recorded runs, where both made a call.
pub(crate) fn differences_of_all(ours: &str) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(repository().join("tests/fixtures/live/runs")) else {
        return Vec::new();
    };
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|live| differences(&live, ours)).collect()
}

/// What a report is missing that another one has, and the other way round, in the calls of both.
fn differences(live: &str, ours: &str) -> Vec<String> {
    let (live, ours) = (places(live), places(ours));
    let mut found = Vec::new();
    for (call, live) in &live {
        let Some(ours) = ours.get(call) else { continue };
        let missing = live.difference(ours);
        found.extend(missing.map(|place| format!("{call}: {place} on live only")));
        let more = ours.difference(live);
        found.extend(more.map(|place| format!("{call}: {place} here only")));
    }
    found
}

fn places(report: &str) -> Places {
    let mut places = Places::new();
    for line in report.lines().filter(|line| !line.trim().is_empty()) {
        let body: Value = serde_json::from_str(line).unwrap();
        collect(&body["body"], "", places.entry(call(line)).or_default());
    }
    places
}

fn collect(value: &Value, place: &str, places: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    places.insert(format!("{place} is {kind}"));
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{place}/*"), places);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(value, &format!("{place}/{name}"), places);
            }
        }
        _ => {}
    }
}

#[test]
fn a_report_differs_where_a_member_or_a_kind_of_value_is_in_one_only() {
    let line = |path: &str, body: &str| {
        format!(
            "{{\"m\":\"GET\",\"p\":\"{path}\",\"status\":200,\"headers\":{{}},\"body\":{body}}}\n"
        )
    };
    let live = line(
        "/zones",
        r#"{"errors":null,"result":[{"id":"1"},{"id":"2","plan":{}}]}"#,
    ) + &line("/accounts", "{}");
    let ours = line("/zones", r#"{"errors":[],"result":[{"id":"3"}]}"#) + &line("/user", "{}");
    assert_eq!(
        differences(&live, &ours),
        [
            "GET /zones 200: /errors is null on live only",
            "GET /zones 200: /result/*/plan is an object on live only",
            "GET /zones 200: /errors is a list here only",
        ]
    );
    assert_eq!(differences(&live, &live), Vec::<String>::new());
}
