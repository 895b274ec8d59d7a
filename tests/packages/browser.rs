//! The generated client in a real browser: the page below `page/`, in Debian's Chromium without a window, against the deployed system.
//!
//! A script below `browser/` plays one story and prints what was seen. It takes the place of Cloudflare's certificates and of the network:
//! the page is at `https://app.glow.trade`, its gateway at the manifest's own host, and nothing leaves this machine.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, Weak, mpsc};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Package, client};
use crate::connector::certificate;
use crate::npm;
use crate::support::repository;
use crate::workers::{Deployed, HOST};

/// No update is replaced by a newer one before it is sent.
const ALL: (&str, &str) = ("conflate = \"latest\"", "conflate = \"all\"");
const CONNECT_RATE: &str = "connect_rate = { limit = 1000, period = 60 }";

/// A script takes a minute, and several on a machine that is busy: this is for one that hangs.
const WITHIN: Duration = Duration::from_secs(600);

/// The client, compiled, and the page that uses it, in one folder.
struct Page {
    package: Package,
}

impl Page {
    /// Made once for the tests that run at the same time.
    fn shared() -> Arc<Self> {
        static MADE: Mutex<Weak<Page>> = Mutex::new(Weak::new());
        let mut made = MADE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        made.upgrade().unwrap_or_else(|| {
            let page = Arc::new(Self::made());
            *made = Arc::downgrade(&page);
            page
        })
    }

    fn made() -> Self {
        let package = Package::generated("client", &[]);
        package.compile();
        scripts(&package);
        for name in ["page", "client"] {
            copy(name, &package);
        }
        let page = Self { package };
        page.node("typescript/bin/tsc", &["--project", "page"]);
        let site = page.site();
        for name in ["index.html", "page.css"] {
            std::fs::create_dir_all(&site).unwrap();
            std::fs::copy(page.package.folder.join("page").join(name), site.join(name)).unwrap();
        }
        let bundle = format!("--outfile={}", site.join("page.js").display());
        page.node(
            "esbuild/bin/esbuild",
            &[
                "page/page.ts",
                "--bundle",
                "--format=esm",
                "--log-level=warning",
                &bundle,
            ],
        );
        page
    }

    fn site(&self) -> PathBuf {
        self.package.folder.join("site")
    }

    /// Runs a program of an npm package in the folder.
    #[track_caller]
    fn node(&self, program: &str, args: &[&str]) {
        let output = Command::new("node")
            .arg(npm::modules().join(program))
            .args(args)
            .current_dir(&self.package.folder)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    }
}

/// The scripts of `browser/` in the package's folder.
pub(super) fn scripts(package: &Package) {
    copy("browser", package);
}

fn copy(name: &str, package: &Package) {
    let to = package.folder.join(name);
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(repository().join("tests/packages").join(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A process with all that it has started; none of it outlives this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let all = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &all])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

/// Plays a script of `browser/` against the deployed system; what it has seen.
#[track_caller]
fn played(name: &str, deployed: &Deployed) -> Value {
    let page = Page::shared();
    let profile = tempfile::tempdir().unwrap();
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut command = client::script(&page.package, &format!("browser/{name}.mjs"), deployed);
    command
        .env("SITE", page.site())
        .env("PROFILE", profile.path())
        .env("SCREENSHOTS", screenshots)
        .env(
            "CERTIFICATE",
            certificate(&[HOST, "app.glow.trade", "elsewhere.example"]).to_string(),
        );
    answered(name, command)
}

/// Runs a script in a group of its own; what it has answered.
#[track_caller]
pub(super) fn answered(name: &str, mut command: Command) -> Value {
    LazyLock::force(&CHROMIUM);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let group = Group(child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let _ = stdout.read_to_string(&mut said);
        let _ = tell.send(said);
    });
    // What goes wrong in it is on standard error, which is this process's
    let said = told.recv_timeout(WITHIN);
    drop(group);
    let said = said.unwrap_or_else(|_| panic!("{name} said nothing within {WITHIN:?}"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{name} said `{said}`: {error}"))
}

/// Debian's Chromium, installed where it is not.
pub(super) static CHROMIUM: LazyLock<()> = LazyLock::new(|| {
    let there = || {
        Command::new("chromium")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
    };
    for args in [
        &["update"][..],
        &["install", "--yes", "--no-install-recommends", "chromium"],
    ] {
        if !there() {
            let _ = Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .output();
        }
    }
    assert!(
        there(),
        "there is no Chromium, and it could not be installed: install Debian's package `chromium`"
    );
});

#[test]
fn the_page_shows_prices_states_gaps_and_counters_at_any_width_and_under_a_strict_policy() {
    let deployed = Deployed::with(&[
        ALL,
        (CONNECT_RATE, "connect_rate = { limit = 100, period = 60 }"),
    ]);
    let seen = played("states", &deployed);
    assert_eq!(
        seen,
        json!({
            "live": {
                "rows": [
                    ["SOL", "$147.10", "+0.53 %", "2", "0", "Live", ""],
                    ["BONK", "$0.00002301", "−1.71 %", "2", "0", "Live", ""],
                    ["JUP", "$0.4127", "0.00 %", "2", "0", "Live", ""],
                    ["WIF", "$1,204.50", "0.00 %", "1", "0", "Live", ""],
                ],
                "summary": "All tokens live from broadcast-staging.glow.trade",
                "made": "WebSocket 4 Polling 0 Old system 0",
            },
            "missed": {
                "row": ["SOL", "$219.00", "+49.67 %", "66", "1", "Live", ""],
                "gaps": "TIME SOL away for longer than the room remembers: updates are missing",
            },
            "waiting": {
                "rows": [
                    ["SOL", "–", "", "0", "0", "Waiting", "too many connections in a short time (4029), next try in SOME s"],
                    ["BONK", "$0.00002301", "0.00 %", "1", "0", "Live", ""],
                    ["no/token", "–", "", "0", "0", "Ended", "there can be no such token (4000)"],
                ],
                "spoken": "SOL: Waiting, too many connections in a short time (4029). no/token: Ended, there can be no such token (4000)",
                "waits": true,
            },
            "ended": {
                "rows": [
                    ["JUP", "–", "", "0", "0", "Ended", "this site may not connect (4003)"],
                    ["WIF", "–", "", "0", "0", "Ended", "this site may not connect (4003)"],
                ],
                "summary": "0 of 2 tokens live from broadcast-staging.glow.trade",
                "handshakes": 1,
            },
            "wider_than_the_window": [],
            "problems": [],
            "outside": [],
        })
    );
}

#[test]
fn a_link_that_dies_without_a_close_is_left_and_one_that_slept_is_kept() {
    let seen = played("link", &Deployed::new());
    assert_eq!(
        seen,
        json!({
            "quiet": { "pings": true, "handshakes": 1 },
            "dead": { "noticed": true, "state": "Live" },
            "slept": { "state": "Live", "handshakes": 0 },
            "back": { "pings": 1, "noticed": true, "state": "Live" },
            "problems": [],
            "outside": [],
        })
    );
}

#[test]
fn a_tab_that_nobody_sees_keeps_its_socket_though_its_timers_do_not_come() {
    let seen = played("hidden", &Deployed::new());
    assert_eq!(
        seen,
        json!({
            "hidden": { "handshakes": 1, "prices": [1, 2] },
            "back": { "handshakes": 1, "prices": [1, 2, 3], "gaps": [], "lifecycle": ["hidden", "visible"] },
            "frozen": {
                "prices": [1, 2, 3, 4],
                "gaps": [],
                "lifecycle": ["hidden", "visible", "hidden", "freeze", "resume", "visible"],
            },
            "problems": [],
            "outside": [],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_thousand_cuts_the_page_shows_every_update_once_and_in_order_or_a_gap() {
    let deployed = Deployed::wrapped(&[
        ALL,
        // More of what was missed can be caught up with
        ("history = 64", "history = 256"),
        (
            CONNECT_RATE,
            "connect_rate = { limit = 100000, period = 60 }",
        ),
        (
            "broadcast_rate = { limit = 1000, period = 60 }",
            "broadcast_rate = { limit = 100000, period = 60 }",
        ),
    ])
    .await;
    assert_eq!(
        played("cuts", &deployed),
        json!({ "wrong": [], "states": ["Live"], "resumed": true, "problems": [], "outside": [] })
    );
}

#[test]
fn where_sockets_are_blocked_prices_come_by_polling_until_one_comes_through() {
    let seen = played("polling", &Deployed::with(&[ALL]));
    assert_eq!(
        seen,
        json!({
            "blocked": {
                "rows": [["SOL", "$147.10", "+0.53 %", "2", "1", "Live by polling", ""]],
                "made": "WebSocket 0 Polling 1 Old system 0",
                "gaps": "TIME SOL from now on only the newest values come, by polling",
            },
            "after": {
                "rows": [["SOL", "$148.00", "+1.15 %", "3", "1", "Live", ""]],
                "made": "WebSocket 1 Polling 1 Old system 0",
            },
            "problems": [],
            "outside": [],
        })
    );
}
