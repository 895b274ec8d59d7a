//! The page at `/console` in a real browser: against `dev`, whose sandbox helps it, and against a gateway that stands alone.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Package, browser};
use crate::connector::certificate;
use crate::support::going::Going;
use crate::support::{Project, Run, built, cryptography};
use crate::workers::{Deployed, HOST};

/// Plays a script of `browser/` with the console at `url`; what it has seen.
#[track_caller]
fn played(name: &str, url: &str) -> Value {
    let package = Package::generated("client", &[]);
    browser::scripts(&package);
    let profile = tempfile::tempdir().unwrap();
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut command = Command::new("node");
    command
        .arg(format!("browser/{name}.mjs"))
        .current_dir(&package.folder)
        .env("CONSOLE", url)
        .env("PROFILE", profile.path())
        .env("SCREENSHOTS", screenshots)
        .env("CERTIFICATE", certificate(&[HOST]).to_string());
    browser::answered(name, command)
}

#[test]
fn two_tokens_are_watched_published_and_looked_into_and_come_back_from_both_faults_without_a_gap() {
    built();
    cryptography();
    let project = Project::with_all();
    let dev = Going::start(Run::new(["dev", "--json"]).inside(&project));
    let ready = dev.event();
    let deployed = dev.event();
    assert_eq!(deployed["event"], "deployed", "{deployed}");
    let seen = played("console", ready["console"].as_str().unwrap());
    assert_eq!(
        seen,
        json!({
            "subscribed": "2 of 2 subscriptions live",
            "published": {
                "receipts": ["SOL 200 1 1", "SOL 200 2 1", "BONK 200 1 1"],
                "cards": [
                    { "price": "148", "state": "Live", "seq": "2", "updates": "2", "reconnects": "0", "resumed": "0", "gaps": "0" },
                    { "price": "0.00002301", "state": "Live", "seq": "1", "updates": "1", "reconnects": "0", "resumed": "0", "gaps": "0" },
                ],
                "sparkline": "SOL: the last 2 prices, from 147.32 to 148",
                "latency": "3 arrivals by milliseconds: half within TIME, 99 of 100 within TIME, at most TIME",
                "bars": true,
                "frame": "as text",
                "markup": 0,
            },
            "room": "SOL1 socket, 2 updates, 1 wake-uproot1 socketawake since TIME, woken by connect, held by nothing",
            "killed": {
                "told": "runtime killed: all 2 clients recovered after TIME; nothing was missed",
                "receipt": "SOL 200 SEQ 1",
                "price": "149",
                "reconnects": "1",
                "gaps": ["0", "0"],
            },
            "evicted": {
                "told": "room SOL evicted: the one client recovered after TIME; nothing was missed",
                "receipt": "SOL 200 SEQ 1",
                "price": "150",
                "reconnects": ["2", "1"],
                "gaps": ["0", "0"],
            },
            "paused": true,
            "nameless": [],
            "wider_than_the_window": [],
            "problems": [],
            "outside": [],
        })
    );
    let (code, _) = dev.interrupted();
    assert_eq!(code, Some(130));
}

#[test]
fn where_nobody_adds_a_secret_the_console_says_what_is_needed() {
    let deployed = Deployed::with(&[("[worker]\n", "[worker]\ndebug = true\n")]);
    let url = format!("http://{HOST}:{}/console", deployed.sandbox.ingress.port());
    let start = "Start `edge-broadcast dev`, and open the address of the console that it prints.";
    assert_eq!(
        played("helpless", &url),
        json!({
            "notice": format!("What publishes, looks into rooms and makes faults from this page is not here. {start}"),
            "complaint": "`no/token` can be no token: 1 to 96 letters, digits, -, _, . or :, the first a letter or a digit.",
            "subscribed": "1 of 1 subscription live",
            "receipt": "SOL 401 – –",
            "refused": format!("Publishing needs a secret, which this page does not have and the sandbox of `dev` adds. {start}"),
            "rooms": format!("Looking at a room needs the `ADMIN_SECRET`, which the sandbox of `dev` adds. {start}"),
            "disabled": [true, true],
            "problems": [],
            "outside": [],
        })
    );
}
