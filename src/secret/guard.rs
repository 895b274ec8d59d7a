//! Ends a process group when this process ends, however it ends: a program that was to take a value must not go on, slowly, after
//! its run was killed, and overwrite what the next run gave.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use rustix::process::Pid;

/// Waits for a line; the end of its input without one is the end of the process that was to write it. No value and nothing that a
/// user wrote gets into this shell.
const SCRIPT: &str = "read -r over || kill -s KILL 0";

/// A process group, and the process in it that watches this one.
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    pub(super) fn start() -> anyhow::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start `/bin/sh`")?;
        Ok(Self { shell })
    }

    pub(super) fn group(&self) -> Pid {
        Pid::from_child(&self.shell)
    }

    /// Leaves what is still in the group alone.
    pub(super) fn over(mut self) {
        if let Some(stdin) = &mut self.shell.stdin {
            let _ = stdin.write_all(b"over\n");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process_group;
    use std::time::{Duration, Instant};

    fn with_sleeper() -> (Guard, Child) {
        let guard = Guard::start().unwrap();
        let sleeper = Command::new("sleep")
            .arg("60")
            .process_group(guard.group().as_raw_nonzero().get())
            .spawn()
            .unwrap();
        (guard, sleeper)
    }

    #[test]
    fn the_group_ends_with_the_process_that_did_not_say_that_it_is_over() {
        let (guard, mut sleeper) = with_sleeper();
        let began = Instant::now();
        // What the system does with the pipe of a process that is killed
        drop(guard);
        assert!(!sleeper.wait().unwrap().success());
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_a_program_left_running_stays_when_it_is_over() {
        let (guard, mut sleeper) = with_sleeper();
        let group = guard.group();
        guard.over();
        assert!(sleeper.try_wait().unwrap().is_none());
        test_kill_process_group(group).unwrap();
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}
