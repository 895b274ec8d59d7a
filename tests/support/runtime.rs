//! The runtime of a sandbox, which is a process of its own.

use std::time::{Duration, Instant};

/// Its process id; empty while there is none.
pub(crate) fn runtime_of(sandbox: u32) -> String {
    let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
    let found = processes.find(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let mut rest = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let (state, parent) = (rest.next(), rest.next());
        stat.contains("(workerd)") && state != Some("Z") && parent == Some(&sandbox.to_string())
    });
    found.map_or(String::new(), |process| {
        process.file_name().into_string().unwrap()
    })
}

/// Waits until a process has ended: what is killed goes on for as long as the kernel takes to come to it.
#[track_caller]
pub(crate) fn ends(process: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    let stat = || std::fs::read_to_string(format!("/proc/{process}/stat"));
    while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < until, "`{process}` is still running");
        std::thread::sleep(Duration::from_millis(10));
    }
}
