//! Runs a program to its end. No other file starts one.
//!
//! No shell between, and a value only through standard input or output. Without a terminal it is in a process group of its own, which
//! ends when its time is up, on Ctrl-C, and with this process, however that ends.

use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use zeroize::Zeroizing;

use super::group::Group;
use super::interrupt;
use super::invocation::Invocation;
use crate::terminal::progress::{Progress, Step};

const POLL: Duration = Duration::from_millis(20);
/// After the program ended, how long to wait for output that something it left behind keeps open.
const DRAIN: Duration = Duration::from_secs(1);
/// What every pipe takes at once without a reader (POSIX: `_POSIX_PIPE_BUF` is less, Linux and macOS have at least this).
const AT_ONCE: usize = 4096;

/// What a program printed. It may hold a value: it is never shown.
pub type Output = Zeroizing<Vec<u8>>;

/// How a program is run.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub input: Input<'a>,
    pub output: Printed,
    /// How long it may take.
    pub limit: Option<Duration>,
    /// How many of the lines that are heard an error repeats, the last ones.
    pub kept: usize,
}

/// What a program finds on its standard input.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Somebody, who sees its standard error and can be asked.
    Terminal,
    Bytes(&'a [u8]),
}

/// What becomes of standard output. Standard error is always heard, but on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    Heard,
    Returned,
}

enum Said {
    Line(String),
    Whole(Output),
}

/// Runs the tools of builds and of the sandbox. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Runner {
    pub progress: Progress,
}

impl Runner {
    /// Says nothing.
    pub fn hidden() -> Self {
        Self {
            progress: Progress::hidden(),
        }
    }

    /// Runs a tool and waits for it; its output is shown beside `step`, and the end of it in the error.
    pub fn run(&self, invocation: &Invocation, step: &Step) -> anyhow::Result<()> {
        let terms = Terms {
            input: Input::Bytes(b""),
            output: Printed::Heard,
            limit: None,
            kept: 40,
        };
        run(invocation, terms, |line| step.detail(line)).map(drop)
    }
}

/// Runs a program and waits for it. `hear` gets each line that it says as it comes, but an empty one.
pub fn run(
    invocation: &Invocation,
    terms: Terms,
    mut hear: impl FnMut(&str),
) -> anyhow::Result<Output> {
    interrupt::watch();
    let name = invocation.name();
    let Started {
        mut child,
        group,
        said,
    } = start(invocation.command(), name, terms)?;
    let (began, mut lines, mut output) = (Instant::now(), Vec::new(), None);
    // False when there will be no more
    let mut listen = || match said.recv_timeout(POLL) {
        Ok(Said::Line(line)) => {
            hear(&line);
            lines.push(line);
            true
        }
        Ok(Said::Whole(bytes)) => {
            output = Some(bytes);
            true
        }
        Err(error) => error == RecvTimeoutError::Timeout,
    };
    let ended = loop {
        if !listen() {
            std::thread::sleep(POLL);
        }
        let status = child.try_wait().context("cannot wait for a program")?;
        match (status, terms.limit) {
            (Some(status), _) if status.success() => break Ok(()),
            (Some(status), _) => break Err(format!("`{name}` failed ({status})")),
            (None, _) if interrupt::requested() => {
                break Err(format!("interrupted while `{name}` ran"));
            }
            (None, Some(limit)) if began.elapsed() > limit => {
                let limit = humantime::format_duration(limit);
                break Err(format!(
                    "`{name}` was still running after {limit} and was ended"
                ));
            }
            (None, _) => {}
        }
    };
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        match &group {
            Some(group) => group.end(&mut child),
            None => drop(child.kill().and_then(|()| child.wait())),
        }
    }
    let until = Instant::now() + DRAIN;
    while Instant::now() < until && listen() {}
    // What a program that ended by itself left running stays
    if let Some(group) = group {
        group.leave();
    }
    match (ended, output) {
        (Err(why), _) => Err(anyhow!("{why}{}", tail(&lines, terms.kept))),
        (Ok(()), None) if terms.output == Printed::Returned => {
            bail!("`{name}` left a process behind that keeps its output open")
        }
        (Ok(()), output) => Ok(output.unwrap_or_default()),
    }
}

/// Asks a program something that it answers at once.
pub fn answer(invocation: &Invocation) -> std::io::Result<std::process::Output> {
    invocation.command().stdin(Stdio::null()).output()
}

struct Started {
    child: Child,
    /// None where it has the terminal: a program of another group is stopped when it reads from there.
    group: Option<Group>,
    said: Receiver<Said>,
}

fn start(mut command: Command, name: &str, terms: Terms) -> anyhow::Result<Started> {
    command.stdout(Stdio::piped());
    let (group, feed) = match terms.input {
        Input::Terminal => (None, None),
        Input::Bytes(input) => {
            let (now, later) = input.split_at(input.len().min(AT_ONCE));
            let (stdin, mut feed) = pipe().context("making a pipe")?;
            // Before the program starts: were this process killed in between, an empty input would be taken for the value
            feed.write_all(now).context("filling a pipe")?;
            command.stdin(stdin).stderr(Stdio::piped());
            (Some(Group::start()?), Some((feed, later)))
        }
    };
    let child = match &group {
        Some(group) => group.spawn(&mut command),
        None => command.spawn(),
    };
    // It holds the other end of the pipe
    drop(command);
    let mut child = child.with_context(|| format!("cannot start `{name}`"))?;
    let (sender, said) = channel();
    match (child.stdout.take(), terms.output) {
        (Some(stdout), Printed::Heard) => forward(stdout, sender.clone(), send_lines),
        (Some(stdout), Printed::Returned) => forward(stdout, sender.clone(), send_whole),
        (None, _) => {}
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender, send_lines);
    }
    if let Some((mut feed, later)) = feed {
        // A program that does not want its input, or ends before it read all, is not an error by itself: its exit status tells
        let _ = feed.write_all(later);
    }
    Ok(Started { child, group, said })
}

/// The last lines, for the end of an error.
fn tail(lines: &[String], kept: usize) -> String {
    let cut = lines.len().saturating_sub(kept);
    let mark = (cut > 0 && kept > 0).then_some("…");
    let shown = mark
        .into_iter()
        .chain(lines[cut..].iter().map(String::as_str));
    shown.map(|line| format!("\n  {line}")).collect()
}

fn forward<R: Read + Send + 'static>(from: R, to: Sender<Said>, send: fn(R, &Sender<Said>)) {
    std::thread::spawn(move || send(from, &to));
}

fn send_lines(from: impl Read, to: &Sender<Said>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !line.is_empty() && to.send(Said::Line(line)).is_err() {
            return;
        }
    }
}

fn send_whole(mut from: impl Read, to: &Sender<Said>) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
    let _ = from.read_to_end(&mut bytes);
    let _ = to.send(Said::Whole(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::surroundings::Purpose;

    fn shell(script: &str) -> Invocation {
        Invocation::new(Purpose::Build, "sh", "/").args(["-c", script])
    }

    fn tool(script: &str) -> anyhow::Result<()> {
        let step = Progress::hidden().start("testing");
        Runner::hidden().run(&shell(script), &step)
    }

    fn terms(input: &[u8]) -> Terms<'_> {
        Terms {
            input: Input::Bytes(input),
            output: Printed::Returned,
            limit: Some(Duration::from_secs(10)),
            kept: 0,
        }
    }

    #[test]
    fn a_failing_tool_is_reported_with_what_it_said_on_both_streams() {
        let error = tool("echo one; echo two >&2; exit 3").unwrap_err();
        let mut lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        // The two streams are read by two threads.
        lines[1..].sort();
        assert_eq!(lines, ["`sh` failed (exit status: 3)", "  one", "  two"]);
    }

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let error = tool("seq 100; exit 1").unwrap_err().to_string();
        let shown: Vec<_> = error.lines().skip(1).take(2).collect();
        assert_eq!(shown, ["  …", "  61"]);
    }

    #[test]
    fn a_tool_that_leaves_a_process_behind_does_not_hold_the_command_up() {
        let started = Instant::now();
        tool("sleep 30 & exit 0").unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_missing_program_is_named() {
        let missing = Invocation::new(Purpose::Build, "no-such-program", "/");
        let step = Progress::hidden().start("testing");
        let error = Runner::hidden().run(&missing, &step).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`");
    }

    #[test]
    fn a_program_gets_what_its_command_line_sets_and_nothing_that_its_purpose_keeps_back() {
        // Cargo sets the first for every test
        let script = "echo ${CARGO_PKG_NAME-none} ${SET-none} ${PATH:+there} >&2; exit 1";
        let step = Progress::hidden().start("testing");
        let error = Runner::hidden().run(&shell(script).env("SET", "ours"), &step);
        assert_eq!(
            error.unwrap_err().to_string(),
            "`sh` failed (exit status: 1)\n  none ours there"
        );
    }

    #[test]
    fn a_program_gets_its_input_and_gives_its_output() {
        let output = run(&shell("cat"), terms(b"the input"), |_| {}).unwrap();
        assert_eq!(output.as_slice(), b"the input");
    }

    #[test]
    fn an_input_of_more_than_a_pipe_takes_arrives_whole() {
        let input = vec![b'x'; 200_000];
        let output = run(&shell("wc -c"), terms(&input), |_| {}).unwrap();
        assert_eq!(output.trim_ascii(), b"200000");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let began = Instant::now();
        let limit = Some(Duration::from_millis(200));
        let terms = Terms {
            limit,
            ..terms(b"")
        };
        let error = run(&shell("sleep 60 & sleep 60"), terms, |_| {}).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh` was still running after 200ms and was ended"
        );
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_a_program_says_on_its_standard_error_is_heard_and_repeated_as_far_as_wanted() {
        for (kept, repeated) in [(0, ""), (1, "\n  …\n  two"), (2, "\n  one\n  two")] {
            let mut heard = Vec::new();
            let script = shell("echo one >&2; echo two >&2; exit 4");
            let terms = Terms { kept, ..terms(b"") };
            let error = run(&script, terms, |line| heard.push(line.to_owned())).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`sh` failed (exit status: 4){repeated}")
            );
            assert_eq!(heard, ["one", "two"]);
        }
    }
}
