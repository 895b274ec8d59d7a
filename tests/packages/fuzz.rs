//! The gateway against `schemathesis`, which reads `openapi.json`, asks whatever that allows and what it does not, and looks at each
//! answer.

use std::process::Command;

use crate::sdk::python_with;
use crate::support::repository;
use crate::workers::{ADMIN, Deployed, HOST, SECRET};

const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Not here: that what fits the document is accepted, since whether it is depends on more (a key that came with another body, a `token`
/// that is not the path's); and that what does not fit is refused where items are refused one by one, with `207`.
const SETTINGS: &str = r#"
headers = { Host = "HOST" }

[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/broadcast"
headers = { Authorization = "Bearer SECRET" }

[[operations]]
include-path = "/broadcast"
headers = { Authorization = "Bearer SECRET" }
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/(rooms|secrets)"
headers = { Authorization = "Bearer ADMIN" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_is_answered_as_the_document_says() {
    let deployed = Deployed::with(&[]);
    let folder = tempfile::tempdir().unwrap();
    let settings = SETTINGS
        .replace("HOST", HOST)
        .replace("SECRET", SECRET)
        .replace("ADMIN", ADMIN);
    std::fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
    let output = Command::new(python_with(SCHEMATHESIS).with_file_name("schemathesis"))
        .arg("run")
        .arg(repository().join("docs/openapi.json"))
        .args(["--url", &format!("http://{}", deployed.sandbox.ingress)])
        // The same requests each time; a handshake is no request that it could make
        .args(["--seed", "1", "--exclude-path", "/ws/{token}"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "5"])
        .args(["--continue-on-failure", "--no-color"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Tested: 11"), "{said}");
}
