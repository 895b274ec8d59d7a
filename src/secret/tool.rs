//! A program that gives or takes a value: no shell, a time limit, the value only through its standard input or output.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::{child, interrupt};

const POLL: Duration = Duration::from_millis(20);
/// After the program ended, how long to wait for output that something it left behind keeps open.
const DRAIN: Duration = Duration::from_secs(1);

/// What a program printed. Its standard output may hold a value: it is never shown.
pub struct Output {
    pub stdout: Zeroizing<Vec<u8>>,
}

/// Runs `words` in `folder` with `input`; `hear` gets every line of its standard error as it comes.
pub fn run(
    words: &[String],
    folder: &Path,
    input: &[u8],
    limit: Duration,
    hear: impl Fn(&str) + Send + 'static,
) -> anyhow::Result<Output> {
    interrupt::watch();
    let (name, arguments) = words.split_first().context("there is no program to run")?;
    let mut child = Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let (stdout, stderr) = (reading(&mut child), hearing(&mut child, hear));
    feed(&mut child, input);
    let until = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for a program")? {
            break status;
        }
        if interrupt::requested() {
            child::end(&mut child)?;
            bail!("interrupted while `{name}` ran");
        }
        if Instant::now() > until {
            child::end(&mut child)?;
            bail!(
                "`{name}` was still running after {} and was ended",
                humantime::format_duration(limit)
            );
        }
        std::thread::sleep(POLL);
    };
    wait(&stderr);
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    wait(&stdout);
    if !stdout.is_finished() {
        bail!("`{name}` left a process behind that keeps its output open");
    }
    let stdout = stdout.join().unwrap_or_default();
    Ok(Output { stdout })
}

/// A program that does not want its input, or ends before it read all, is not an error by itself: its exit status tells.
fn feed(child: &mut Child, input: &[u8]) {
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
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
