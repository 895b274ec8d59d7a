//! A client that runs: what it prints, line by line, and what it reads.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

/// After which a line does not come any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// It is ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (line, lines) = channel();
        std::thread::spawn(move || {
            let read = output.lines().map_while(Result::ok);
            read.take_while(|text| line.send(text.clone()).is_ok())
                .count()
        });
        let input = child.stdin.take().unwrap();
        Self {
            child,
            input,
            lines,
        }
    }

    /// That the next lines are these values, as JSON.
    #[track_caller]
    pub(crate) fn says(&mut self, wanted: &[Value]) {
        for wanted in wanted {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("instead of {wanted}: {error}"));
            let said: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(said, *wanted);
        }
    }

    pub(crate) fn reads(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// That it says nothing more, and ends by itself: nothing is left that would keep it.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        let more = self.lines.recv_timeout(PATIENCE);
        assert_eq!(more, Err(RecvTimeoutError::Disconnected));
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
