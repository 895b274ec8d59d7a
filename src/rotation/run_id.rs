//! Who wrote the note of a rotation, and whether that run may still be at work.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, test_kill_process};
use sha2::{Digest, Sha256};

/// A run of this tool, as the note names it. A run that finds another one's note stops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct RunId {
    /// Random.
    pub id: String,
    /// When the note was written, in Unix seconds.
    pub at: u64,
    /// The machine, or the container on it: where process numbers mean the same. Empty where that cannot be told.
    pub machine: String,
    pub process: u32,
}

/// What is known of another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It runs on this machine, as this process.
    Alive(u32),
    /// It ran on this machine.
    Gone,
    /// It ran elsewhere, and wrote its note so long ago.
    Elsewhere(Duration),
}

impl RunId {
    /// This run.
    pub(crate) fn this() -> Self {
        Self {
            id: format!("{:08x}", rand::random::<u32>()),
            at: now(),
            machine: machine().unwrap_or_default(),
            process: std::process::id(),
        }
    }

    /// This run, now.
    pub(crate) fn again(&self) -> Self {
        Self {
            at: now(),
            ..self.clone()
        }
    }

    /// What this run knows of `other`.
    pub(crate) fn sees(&self, other: &Self) -> Standing {
        let here = !self.machine.is_empty() && self.machine == other.machine;
        // The number of a process that is gone may have become this one's
        let alive = other.process != self.process && is_alive(other.process);
        match (here, alive) {
            (true, true) => Standing::Alive(other.process),
            (true, false) => Standing::Gone,
            // Two machines' clocks may differ: a note of the future is one of just now
            (false, _) => Standing::Elsewhere(Duration::from_secs(now().saturating_sub(other.at))),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn is_alive(process: u32) -> bool {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw);
    // A process of another user may not be asked, and is there
    id.is_some_and(|id| test_kill_process(id) != Err(rustix::io::Errno::SRCH))
}

/// Linux's number of this boot, and of the process numbers of this container.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let processes = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(hash(&format!("{}{}", boot.trim(), processes.display())))
}

/// Eight hexadecimal digits of a SHA-256: the note is one tag, and tags are short.
pub(super) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_this_machine_is_known_to_live_or_to_be_gone_and_another_one_by_its_age() {
        let this = RunId {
            machine: "here".to_owned(),
            ..RunId::this()
        };
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let other = RunId {
            process: child.id(),
            ..this.clone()
        };
        assert_eq!(this.sees(&other), Standing::Alive(child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(this.sees(&other), Standing::Gone);
        assert_eq!(this.sees(&this), Standing::Gone);
        let elsewhere = RunId {
            machine: "there".to_owned(),
            at: now() - 90,
            ..this.clone()
        };
        let Standing::Elsewhere(age) = this.sees(&elsewhere) else {
            panic!("{:?}", this.sees(&elsewhere))
        };
        assert!((90..100).contains(&age.as_secs()), "{age:?}");
        // Where no machine can be told apart, none is this one
        let nowhere = RunId {
            machine: String::new(),
            ..this
        };
        assert_eq!(nowhere.sees(&nowhere), Standing::Elsewhere(Duration::ZERO));
    }
}
