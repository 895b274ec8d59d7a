//! The hook of React in a real browser, in strict mode, and on a server.

use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::browser::CHROMIUM;
use super::pack::fresh;
use super::world;
use crate::npm;

#[test]
fn components_of_one_token_share_a_socket_that_outlives_a_change_of_screens_and_no_more() {
    LazyLock::force(&CHROMIUM);
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("node")
        .arg(world("hook.mjs"))
        .arg(fresh())
        .arg(folder.path())
        .env("NPM_MODULES", npm::modules())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = json!({
        "together": ["SOL"],
        "back": ["SOL"],
        "returned": ["SOL"],
        "sockets": ["SOL", "BONK"],
        // Never a value of another token
        "texts": [
            "SOL: nothing - []", "SOL: connecting - []", "SOL: open - []", "SOL: open 3 [2,3]",
            "BONK: nothing - []", "BONK: connecting - []", "BONK: open - []",
            "null: nothing - []",
        ],
        "said": [],
        "server": "<p>nothing</p>",
    });
    assert_eq!(seen, wanted);
}
