//! A run that goes on until it is interrupted: what it writes is read as it comes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Run, interrupt};

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with the test.
pub(crate) struct Going {
    child: Child,
    written: Receiver<String>,
    said: Receiver<String>,
}

impl Going {
    pub(crate) fn start(run: Run) -> Self {
        let mut child = run
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let written = lines(child.stdout.take().unwrap());
        let said = lines(child.stderr.take().unwrap());
        Self {
            child,
            written,
            said,
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its answer.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.line_within(PATIENCE)
    }

    /// The next line of its answer, which is JSON.
    #[track_caller]
    pub(crate) fn event(&self) -> Value {
        self.event_within(PATIENCE)
    }

    /// The same where it may take longer.
    #[track_caller]
    pub(crate) fn event_within(&self, patience: Duration) -> Value {
        serde_json::from_str(&self.line_within(patience)).unwrap()
    }

    #[track_caller]
    fn line_within(&self, patience: Duration) -> String {
        let line = self.written.recv_timeout(patience);
        line.unwrap_or_else(|_| {
            panic!(
                "no line; it said {:?}",
                self.said.try_iter().collect::<Vec<_>>()
            )
        })
    }

    /// The next line of its answer that fits, and those before it.
    #[track_caller]
    pub(crate) fn until(&self, mut fits: impl FnMut(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if fits(&lines[lines.len() - 1]) {
                return lines;
            }
        }
    }

    /// Waits until it says a text on standard error.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        let mut said = Vec::new();
        while let Ok(line) = self
            .said
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line.contains(text) {
                return;
            }
            said.push(line);
        }
        panic!("it did not say `{text}`, but {said:?}");
    }

    /// As Ctrl-C; its exit code and the rest of what it wrote and said.
    pub(crate) fn interrupted(mut self) -> (Option<i32>, Vec<String>) {
        interrupt(&self.child);
        let code = self.child.wait().unwrap().code();
        let rest = self.written.iter().chain(self.said.iter());
        (code, rest.collect())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
