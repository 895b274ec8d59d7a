//! The old and the new value are searched for in everything that a rotation shows, writes, sends elsewhere or starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ADMIN, World, staging};
use crate::support::{Sandbox, api};

const MARKER: &str = "whsec_bWFya2VyLW9mLXRoZS1zZWNyZWN5LXRlc3QtNWY4Yw==";

/// Reads every process's arguments, over and over.
struct Arguments {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeSet<String>>,
}

impl Arguments {
    fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::SeqCst) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    let arguments =
                        std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                    seen.insert(String::from_utf8_lossy(&arguments).replace('\0', " "));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Self { stop, thread }
    }

    fn seen(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

async fn everything_that_the_sandbox_kept(sandbox: &Sandbox) -> String {
    let mut kept = String::new();
    for path in ["/sandbox/requests", "/sandbox/logs", "/sandbox/analytics"] {
        let answer = api::call(sandbox, "GET", path, None).await;
        assert_eq!(answer["success"], true, "{answer}");
        kept += &answer.to_string();
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_is_seen_anywhere_during_a_rotation() {
    // A sender that repeats what it got, and fails at first
    let telling = r#"{ kind = "command", command = "sh -c 'cat > key; cat key; echo got $(cat key) >&2; sleep 0.1; test -e repaired'" }"#;
    let manifest = staging(telling).replace("env:WEBHOOK_SECRET", "env:MARKED");
    super::built();
    let project = super::Project::new();
    project.write(
        "environments/staging.toml",
        &manifest.replace("[worker]\n", "[worker]\ndebug = true\n"),
    );
    project.write("key", MARKER);
    let world = World {
        sandbox: Sandbox::start(),
        project,
    };
    let run = |args: &[&str]| world.run(args).env("MARKED", MARKER);
    let arguments = Arguments::watch();
    let mut shown = String::new();
    let mut show = |printed: crate::support::Printed| {
        shown += &(printed.stdout + &printed.stderr);
    };
    show(run(&["deploy", "staging"]).succeeds());
    show(run(&["secrets", "rotate", "staging"]).fails());
    let first = world.key();
    world.project.write("repaired", "");
    for args in [
        vec!["secrets", "rotate", "staging", "--status"],
        vec!["secrets", "rotate", "staging", "--json", "--finish"],
        vec!["secrets", "list", "staging"],
        vec!["secrets", "list", "staging", "--json"],
        vec!["secrets", "rotate", "staging", "--compromised"],
        vec!["secrets", "set", "staging", "WEBHOOK_SECRET", "--json"],
        vec!["plan", "staging", "--json"],
        vec!["status", "staging"],
        vec!["generate"],
    ] {
        show(run(&args).succeeds());
    }
    let last = world.key();
    shown += &everything_that_the_sandbox_kept(&world.sandbox).await;
    shown += &world.mark().await.unwrap_or_default();
    let arguments = arguments.seen();
    assert!(
        arguments
            .iter()
            .any(|line| line.contains("secrets rotate staging")),
        "nothing was sampled"
    );
    for value in [MARKER, ADMIN, &first, &last] {
        let bare = value.trim_start_matches("whsec_");
        assert!(bare.len() > 20);
        assert!(!shown.contains(bare), "{shown}");
        assert!(
            !arguments.iter().any(|line| line.contains(bare)),
            "{arguments:?}"
        );
        let found = std::process::Command::new("grep")
            .args(["-rl", bare, "generated", "environments"])
            .current_dir(world.project.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    }
    assert_ne!(first, MARKER);
    assert_ne!(last, first);
}
