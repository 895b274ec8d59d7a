//! One run of `workerd`: started, ready, stopped. No other file starts a process.
//!
//! Readiness is reported, not guessed: with `--control-fd=1` workerd writes one JSON line per listening socket to its standard
//! output. A worker cannot forge one, since structured logging wraps its own output in lines of another form.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::runtime::config::Config;
use crate::runtime::log::Log;
use crate::store::replace;

/// How long a start may take before it counts as failed.
const START: Duration = Duration::from_secs(20);
/// How long the runtime may take to leave by itself.
const LEAVE: Duration = Duration::from_millis(100);

/// A running `workerd`. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Process {
    id: Option<u32>,
    /// Port of each socket by its name.
    pub ports: BTreeMap<String, u16>,
    /// What became of it.
    pub end: End,
    /// The process is killed when this is dropped.
    leash: oneshot::Sender<()>,
}

/// Says how a process has ended (`signal 9 (SIGKILL)`, `exit code 1`), once it has; closed when nobody looks after it any more.
/// Two are of the same process when they are one channel.
pub(crate) type End = watch::Receiver<Option<String>>;

enum Line {
    Out(String),
    Err(String),
}

/// Starts the runtime in `directory` (where `modules/` and `objects/` are) and waits until every socket listens. The error is
/// what the runtime wrote about it.
pub(crate) async fn start(
    workerd: &Path,
    directory: &Path,
    file: &str,
    config: &Config,
    log: &Log,
) -> anyhow::Result<Process> {
    replace(&directory.join(file), config.text.as_bytes())?;
    let mut child = spawn(workerd, directory, file, config)?;
    let (leash, end) = (oneshot::channel(), watch::channel(None));
    let id = child.id();
    let pipes = (child.stdout.take(), child.stderr.take());
    tokio::spawn(keep(child, id.and_then(watch), leash.1, end.0));
    let process = |ports| Process {
        id,
        ports,
        end: end.1,
        leash: leash.0,
    };
    let (sender, mut lines) = mpsc::unbounded_channel();
    forward(pipes.0, sender.clone(), Line::Out);
    forward(pipes.1, sender, Line::Err);
    let ports = match timeout(START, ready(&mut lines, config, log)).await {
        Ok(ports) => ports?,
        Err(_) => bail!(
            "the runtime was not ready after {} seconds",
            START.as_secs()
        ),
    };
    let log = log.clone();
    tokio::spawn(async move {
        while let Some(Line::Out(line) | Line::Err(line)) = lines.recv().await {
            log.push(&line);
        }
    });
    Ok(process(ports))
}

/// The newest compatibility date that the runtime knows, which its version is; none where it does not say it.
pub(crate) async fn newest_date(workerd: &Path) -> Option<String> {
    let mut command = Command::new(workerd);
    command.arg("--version").env_clear().stdin(Stdio::null());
    let output = timeout(START, command.kill_on_drop(true).output()).await;
    let said = String::from_utf8(output.ok()?.ok()?.stdout).ok()?;
    let date = said.trim().strip_prefix("workerd ")?;
    is_date(date).then(|| date.to_owned())
}

fn is_date(text: &str) -> bool {
    let is_like = |(byte, like): (u8, u8)| match like {
        b'-' => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().zip(*b"0000-00-00").all(is_like)
}

fn spawn(workerd: &Path, directory: &Path, file: &str, config: &Config) -> anyhow::Result<Child> {
    let secrets = config.environment.iter();
    Command::new(workerd)
        .args(["serve", "--experimental", file, "--control-fd=1"])
        .current_dir(directory)
        .env_clear()
        .envs(secrets.map(|(name, value)| (name, value.expose())))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!(
                "starting `{}`; install it or name another file",
                workerd.display()
            )
        })
}

impl Process {
    /// Whether the process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.end.borrow().is_none()
    }

    /// Sends it a signal while it runs.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.id.and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw)
            && self.is_alive()
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// Stops it: asks first, then kills. Objects on disk survive both.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(LEAVE, self.end.wait_for(Option::is_some)).await;
        self.end().await;
    }

    /// Kills it and waits for its end.
    pub(crate) async fn end(self) {
        let Process { leash, mut end, .. } = self;
        drop(leash);
        let _ = end.wait_for(Option::is_some).await;
    }
}

/// Owns the process: waits for its end, or ends it when the leash is let go.
async fn keep(
    mut child: Child,
    mut watchdog: Option<(Child, ChildStdin)>,
    leash: oneshot::Receiver<()>,
    end: watch::Sender<Option<String>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = leash => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    // The process id is free for others now: its watchdog must not act on it any more
    if let Some((shell, _)) = &mut watchdog {
        let _ = shell.start_kill();
    }
    end.send_replace(Some(match status {
        Ok(status) => how(status),
        Err(error) => format!("an unknown end ({error})"),
    }));
}

/// The end in words.
fn how(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exit code {}", status.code().unwrap_or_default());
    };
    let name = match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL: somebody, or the kernel for want of memory)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    };
    format!("signal {signal}{name}")
}

async fn ready(
    lines: &mut mpsc::UnboundedReceiver<Line>,
    config: &Config,
    log: &Log,
) -> anyhow::Result<BTreeMap<String, u16>> {
    let mut ports = BTreeMap::new();
    let mut errors = Vec::new();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Out(line) => match listening(&line) {
                Some((socket, port)) => {
                    ports.insert(socket, port);
                    if ports.len() == config.sockets.len() {
                        return Ok(ports);
                    }
                }
                None => log.push(&line),
            },
            Line::Err(line) => {
                log.push(&line);
                errors.push(message(&line));
            }
        }
    }
    // Both pipes are closed: the process has ended
    let said = errors.join("\n");
    bail!(
        "{}",
        if said.is_empty() {
            "the runtime ended without a message"
        } else {
            &said
        }
    )
}

/// The socket and port of a control line.
fn listening(line: &str) -> Option<(String, u16)> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == "listen").then_some(())?;
    Some((
        value["socket"].as_str()?.to_owned(),
        u16::try_from(value["port"].as_u64()?).ok()?,
    ))
}

/// The text of a log line, without the name that the sandbox gave the service.
fn message(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    let text = value["message"].as_str().unwrap_or(line);
    let named = text.strip_prefix("service ");
    let rest = named.and_then(|named| named.split_once(": "));
    rest.map_or(text, |(_, rest)| rest).to_owned()
}

fn forward(
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    sender: mpsc::UnboundedSender<Line>,
    wrap: fn(String) -> Line,
) {
    let Some(pipe) = pipe else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(wrap(line)).is_err() {
                break;
            }
        }
    });
}

/// A shell that waits for the end of its input and then kills the runtime. Only a convenience: without it the runtime still
/// ends with every orderly end of the sandbox.
fn watch(runtime: u32) -> Option<(Child, ChildStdin)> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "read -r _; kill -9 \"$0\"", &runtime.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let input = shell.stdin.take()?;
    Some((shell, input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_control_line_reports_a_socket() {
        let control = r#"{"event":"listen","socket":"a/s/v","port":4711}"#;
        assert_eq!(listening(control), Some(("a/s/v".into(), 4711)));
        let forged = r#"{"timestamp":0,"level":"log","message":"{\"event\":\"listen\",\"socket\":\"a\",\"port\":1}"}"#;
        assert_eq!(listening(forged), None);
    }

    #[test]
    fn an_error_loses_the_services_name() {
        let line = r#"{"level":"error","message":"service a/s/v: Uncaught Error: boom\n  at index.js:1:7"}"#;
        assert_eq!(message(line), "Uncaught Error: boom\n  at index.js:1:7");
    }
}
