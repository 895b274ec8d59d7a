//! A program that gives or takes a value: no shell, a time limit, the value only through its standard input or output.

use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use super::guard::Guard;
use crate::process::{child, interrupt};

const POLL: Duration = Duration::from_millis(20);
/// After the program ended, how long to wait for output that something it left behind keeps open.
const DRAIN: Duration = Duration::from_secs(1);
/// What every pipe takes at once without a reader (POSIX: `_POSIX_PIPE_BUF` is less, Linux and macOS have at least this).
const AT_ONCE: usize = 4096;

/// What a program printed. Its standard output may hold a value: it is never shown.
pub struct Output {
    pub stdout: Zeroizing<Vec<u8>>,
}

/// Runs `words` in `folder` with this process's terminal, so that it can ask there. Its standard error is the terminal too.
pub fn ask(words: &[String], folder: &Path, limit: Duration) -> anyhow::Result<Output> {
    let (name, mut command) = command(words, folder)?;
    // In this process's own group: a program of another one is stopped when it reads from the terminal
    let child = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn();
    let mut child = child.with_context(|| format!("cannot start `{name}`"))?;
    let stdout = reading(&mut child);
    let ended = ended(&mut child, name, limit);
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    ended?;
    printed(name, stdout)
}

/// Runs `words` in `folder` with `input`, with all that it starts in a process group of its own. The group ends when the program is
/// late, and when this process ends before it, however that ends. `hear` gets every line of its standard error as it comes.
pub fn run(
    words: &[String],
    folder: &Path,
    input: &[u8],
    limit: Duration,
    hear: impl Fn(&str) + Send + 'static,
) -> anyhow::Result<Output> {
    interrupt::watch();
    let (name, mut command) = command(words, folder)?;
    let guard = Guard::start()?;
    let (now, later) = input.split_at(input.len().min(AT_ONCE));
    let (stdin, mut feed) = pipe().context("making a pipe")?;
    // Before the program starts: were this process killed in between, an empty input would be taken for the value
    feed.write_all(now).context("filling a pipe")?;
    let child = command
        .stdin(stdin)
        .stderr(Stdio::piped())
        .process_group(guard.group().as_raw_nonzero().get())
        .spawn();
    // It holds the other end of the pipe
    drop(command);
    let mut child = child.with_context(|| format!("cannot start `{name}`"))?;
    let (stdout, stderr) = (reading(&mut child), hearing(&mut child, hear));
    // A program that does not want its input, or ends before it read all, is not an error by itself: its exit status tells
    let _ = feed.write_all(later);
    drop(feed);
    let ended = ended(&mut child, name, limit);
    if ended.is_err() && child.try_wait().is_ok_and(|status| status.is_none()) {
        child::end_group(guard.group(), &mut child)?;
    }
    guard.over();
    wait(&stderr);
    ended?;
    printed(name, stdout)
}

fn command<'a>(words: &'a [String], folder: &Path) -> anyhow::Result<(&'a str, Command)> {
    let (name, arguments) = words.split_first().context("there is no program to run")?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped());
    Ok((name, command))
}

/// Waits for a program that must end well and in time.
fn ended(child: &mut Child, name: &str, limit: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + limit;
    loop {
        match child.try_wait().context("cannot wait for a program")? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{name}` failed ({status})"),
            None if interrupt::requested() => bail!("interrupted while `{name}` ran"),
            None if Instant::now() > until => bail!(
                "`{name}` was still running after {} and was ended",
                humantime::format_duration(limit)
            ),
            None => std::thread::sleep(POLL),
        }
    }
}

fn printed(name: &str, stdout: JoinHandle<Zeroizing<Vec<u8>>>) -> anyhow::Result<Output> {
    wait(&stdout);
    if !stdout.is_finished() {
        bail!("`{name}` left a process behind that keeps its output open");
    }
    let stdout = stdout.join().unwrap_or_default();
    Ok(Output { stdout })
}

fn reading(child: &mut Child) -> JoinHandle<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
        if let Some(mut stdout) = stdout {
            let _ = stdout.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn hearing(child: &mut Child, hear: impl Fn(&str) + Send + 'static) -> JoinHandle<()> {
    let stderr = child.stderr.take();
    std::thread::spawn(move || {
        let Some(stderr) = stderr else { return };
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            hear(String::from_utf8_lossy(&line).trim_end());
        }
    })
}

fn wait<T>(thread: &JoinHandle<T>) {
    let until = Instant::now() + DRAIN;
    while !thread.is_finished() && Instant::now() < until {
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> anyhow::Result<Output> {
        let words = ["sh", "-c", script].map(str::to_owned);
        run(&words, Path::new("/"), b"the input", limit, |_| {})
    }

    #[test]
    fn a_program_gets_its_input_and_gives_its_output() {
        let output = shell("cat", Duration::from_secs(10)).unwrap();
        assert_eq!(output.stdout.as_slice(), b"the input");
    }

    #[test]
    fn an_input_of_more_than_a_pipe_takes_arrives_whole() {
        let words = ["wc", "-c"].map(str::to_owned);
        let input = vec![b'x'; 200_000];
        let output = run(
            &words,
            Path::new("/"),
            &input,
            Duration::from_secs(10),
            |_| {},
        )
        .unwrap();
        assert_eq!(output.stdout.trim_ascii(), b"200000");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let began = Instant::now();
        let error = shell("sleep 60 & sleep 60", Duration::from_millis(200))
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "`sh` was still running after 200ms and was ended"
        );
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_a_program_says_on_its_standard_error_is_heard() {
        let (sender, heard) = std::sync::mpsc::channel();
        let words = ["sh", "-c", "echo one >&2; echo two >&2; exit 4"].map(str::to_owned);
        let error = run(
            &words,
            Path::new("/"),
            b"",
            Duration::from_secs(10),
            move |line| {
                sender.send(line.to_owned()).unwrap();
            },
        )
        .err()
        .unwrap();
        assert_eq!(error.to_string(), "`sh` failed (exit status: 4)");
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["one", "two"]);
    }
}
