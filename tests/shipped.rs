//! What the release build leaves out, which the tests' own build has.

use serde_json::{Value, json};

use crate::pace::release;
use crate::support::{Run, Sandbox, api};

#[tokio::test]
async fn a_shipped_sandbox_knows_no_call_that_makes_it_fail() {
    let sandbox = Sandbox::run(Run::by(release(), ["sandbox"]));
    let calls = [
        ("POST", "/sandbox/faults", json!({"kind": "reset"})),
        ("GET", "/sandbox/requests", Value::Null),
        ("PUT", "/sandbox/limits", json!({"calls": 1, "seconds": 1})),
        ("GET", "/sandbox/whatever", Value::Null),
    ];
    for (method, path, body) in calls {
        let answer = api::call(&sandbox, method, path, Some(body)).await;
        let codes = [&answer["errors"][0]["code"], &answer["errors"][1]["code"]];
        assert_eq!(codes, [7003, 7000], "{method} {path}: {answer}");
    }
    let logs = api::call(&sandbox, "GET", "/sandbox/logs", None).await;
    assert_eq!(logs["success"], true, "{logs}");
}
