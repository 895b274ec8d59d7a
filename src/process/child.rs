//! A tool run to its end: its output shown as progress and kept for the error, its whole process group ended on Ctrl-C.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::interrupt;
use crate::process::invocation::Invocation;
use crate::terminal::progress::Step;

/// How much of a tool's output an error shows.
const KEPT_LINES: usize = 40;
const POLL: Duration = Duration::from_millis(50);
/// After the tool ended, how long to wait for output that something it left behind keeps open.
const DRAIN: Duration = Duration::from_millis(500);
/// Between the polite signal and the final one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a tool and waits for it; an error shows the end of its output.
pub fn run(invocation: &Invocation, step: &Step) -> Result<()> {
    interrupt::watch();
    let mut child = invocation
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{}`", invocation.name()))?;
    let lines = lines_of(&mut child);
    let mut tail = VecDeque::with_capacity(KEPT_LINES);
    let status = loop {
        if interrupt::requested() {
            end(&mut child)?;
            bail!("interrupted while `{}` ran", invocation.name());
        }
        listen(&lines, POLL, &mut tail, step);
        if let Some(status) = child.try_wait().context("cannot wait for a tool")? {
            break status;
        }
    };
    let deadline = Instant::now() + DRAIN;
    while Instant::now() < deadline && listen(&lines, DRAIN, &mut tail, step) {}
    if status.success() {
        Ok(())
    } else {
        Err(failure(invocation, status, &tail))
    }
}

/// Takes the lines that arrive within `patience`; false when there will be no more.
fn listen(
    lines: &Receiver<String>,
    patience: Duration,
    tail: &mut VecDeque<String>,
    step: &Step,
) -> bool {
    let mut next = lines.recv_timeout(patience);
    while let Ok(line) = next {
        step.detail(&line);
        if tail.len() == KEPT_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
        next = lines.try_recv().map_err(|_| RecvTimeoutError::Timeout);
    }
    next != Err(RecvTimeoutError::Disconnected)
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    receiver
}

fn forward(output: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !line.is_empty() && lines.send(line).is_err() {
                return;
            }
        }
    });
}

/// Ends the tool and all that it started.
fn end(child: &mut Child) -> Result<()> {
    end_group(Pid::from_child(child), child)
}

/// Ends a process group, and waits for the tool in it.
pub(crate) fn end_group(group: Pid, child: &mut Child) -> Result<()> {
    // A group that is already gone is what we want.
    kill_process_group(group, Signal::TERM).ok();
    let deadline = Instant::now() + PATIENCE;
    while child
        .try_wait()
        .context("cannot wait for a tool")?
        .is_none()
    {
        if Instant::now() > deadline {
            break;
        }
        std::thread::sleep(POLL);
    }
    kill_process_group(group, Signal::KILL).ok();
    child.wait().context("cannot wait for a tool")?;
    Ok(())
}

fn failure(invocation: &Invocation, status: ExitStatus, tail: &VecDeque<String>) -> anyhow::Error {
    let mut message = format!("`{}` failed ({status})", invocation.name());
    if tail.len() == KEPT_LINES {
        message.push_str("\n  …");
    }
    for line in tail {
        message.push_str("\n  ");
        message.push_str(line);
    }
    anyhow!(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::progress::Progress;

    fn shell(script: &str) -> Result<()> {
        run(
            &Invocation::new("sh", "/").args(["-c", script]),
            &Progress::hidden().start("testing"),
        )
    }

    #[test]
    fn a_failing_tool_is_reported_with_what_it_said_on_both_streams() {
        let error = shell("echo one; echo two >&2; exit 3").unwrap_err();
        let mut lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        // The two streams are read by two threads.
        lines[1..].sort();
        assert_eq!(lines, ["`sh` failed (exit status: 3)", "  one", "  two"]);
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let error = shell("seq 100; exit 1").unwrap_err().to_string();
        let shown: Vec<_> = error.lines().skip(1).take(2).collect();
        assert_eq!(shown, ["  …", "  61"]);
    }

    #[test]
    fn a_tool_that_leaves_a_process_behind_does_not_hold_the_command_up() {
        let started = Instant::now();
        shell("sleep 30 & exit 0").unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_missing_program_is_named() {
        let missing = Invocation::new("no-such-program", "/");
        let error = run(&missing, &Progress::hidden().start("testing")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`");
    }
}
