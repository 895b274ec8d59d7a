//! A process group that ends when this process ends, however it ends: a program that was to take a value must not go on, slowly,
//! after its run was killed, and overwrite what the next run gave.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

/// Waits for a line; the end of its input without one is the end of the process that was to write it. No value and nothing that a
/// user wrote gets into this shell.
const WATCHDOG: &str = "read -r over || kill -s KILL 0";
/// Between the polite signal and the final one.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// A process group, and the process in it that watches this one. Dropping it ends the group.
pub(super) struct Group {
    watchdog: Child,
}

impl Group {
    pub(super) fn start() -> anyhow::Result<Self> {
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG])
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start `/bin/sh`")?;
        Ok(Self { watchdog })
    }

    /// Starts `command` in the group.
    pub(super) fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        command
            .process_group(self.id().as_raw_nonzero().get())
            .spawn()
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.watchdog)
    }

    /// Ends everything in the group, and waits for `child`, which is in it: asks first, then kills.
    pub(super) fn end(&self, child: &mut Child) {
        // A group that is already gone is what we want
        let _ = kill_process_group(self.id(), Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < until {
            std::thread::sleep(POLL);
        }
        let _ = kill_process_group(self.id(), Signal::KILL);
        let _ = child.wait();
    }

    /// Leaves what is still in the group alone.
    pub(super) fn leave(mut self) {
        if let Some(stdin) = &mut self.watchdog.stdin {
            let _ = stdin.write_all(b"over\n");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process_group;

    fn with_sleeper() -> (Group, Child) {
        let group = Group::start().unwrap();
        let sleeper = group.spawn(Command::new("sleep").arg("60")).unwrap();
        (group, sleeper)
    }

    #[test]
    fn the_group_ends_with_the_process_that_did_not_say_that_it_is_over() {
        let (group, mut sleeper) = with_sleeper();
        let began = Instant::now();
        // What the system does with the pipe of a process that is killed
        drop(group);
        assert!(!sleeper.wait().unwrap().success());
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_a_program_left_running_stays_when_it_is_over() {
        let (group, mut sleeper) = with_sleeper();
        let id = group.id();
        group.leave();
        assert!(sleeper.try_wait().unwrap().is_none());
        test_kill_process_group(id).unwrap();
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}
