//! `deploy --sandbox`: however it ends, nothing of it is left.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Project, Run, built, interrupt};

/// Processes of this machine that have `TMPDIR` set to `folder`, or work below it, as the runtime does: it gets no environment.
fn processes(folder: &Path) -> Vec<(u32, String)> {
    let mark = format!("TMPDIR={}\0", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        let text = |file| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let below = std::fs::read_link(entry.path().join("cwd"));
        let below = below.is_ok_and(|place| place.starts_with(folder));
        // A zombie has neither
        if below || text("environ").contains(&mark) {
            found.push((id, text("cmdline").replace('\0', " ")));
        }
    }
    found
}

#[track_caller]
fn leaves_nothing(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = processes(folder);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "still running: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
    assert!(files.is_empty(), "{files:?}");
}

fn rehearsal(project: &Project, folder: &Path) -> Run {
    built();
    Run::new(["deploy", "staging", "--sandbox"])
        .inside(project)
        .env("TMPDIR", folder.to_str().unwrap())
}

fn staging() -> Project {
    Project::with_staging("history = 64", "history = 64")
}

#[test]
fn a_rehearsal_that_succeeds_leaves_no_process_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    rehearsal(&staging(), folder.path()).succeeds();
    leaves_nothing(folder.path());
}

#[test]
fn a_rehearsal_that_fails_leaves_no_process_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    // The verification's own message is larger
    let project = Project::with_staging("max_message_bytes = 16384", "max_message_bytes = 64");
    let printed = rehearsal(&project, folder.path()).fails();
    assert!(
        printed.stderr.contains("does not work as it must"),
        "{}",
        printed.stderr
    );
    leaves_nothing(folder.path());
}

#[test]
fn an_interrupted_rehearsal_leaves_no_process_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let project = staging();
    let mut child = rehearsal(&project, folder.path())
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    // The runtime with the deployed scripts, and not the short-lived one that only tries an upload
    let serves = |(_, line): &(u32, String)| line.contains(" config.capnp");
    while !processes(folder.path()).iter().any(serves) {
        assert!(Instant::now() < until, "the runtime did not start");
        assert!(
            child.try_wait().unwrap().is_none(),
            "the command ended before it could be interrupted"
        );
    }
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    leaves_nothing(folder.path());
}
