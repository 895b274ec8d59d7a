//! A run on a terminal, with somebody who answers. `script` of util-linux makes the terminal.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use super::{Printed, Run};

/// Ends with the test, and its terminal with it.
struct Typed(Child);

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    /// Runs on a terminal; when `prompt` was shown, `answer` is typed. Everything that the terminal showed is `stdout`.
    pub(crate) fn asked(self, prompt: &str, answer: &str) -> Printed {
        let run = self.command();
        let words = [run.get_program()].into_iter().chain(run.get_args());
        let line: Vec<String> = words
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let mut command = std::process::Command::new("script");
        command
            .args(["-qefc", &line.join(" "), "/dev/null"])
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env_remove("CI");
        if let Some(folder) = run.get_current_dir() {
            command.current_dir(folder);
        }
        let mut typed = Typed(command.spawn().expect("`script` starts"));
        let mut keyboard = typed.0.stdin.take().unwrap();
        let mut screen = typed.0.stdout.take().unwrap();
        let mut shown = Vec::new();
        let mut answered = false;
        let mut part = [0; 4096];
        loop {
            // The end of a terminal is an error to some kernels
            let count = screen.read(&mut part).unwrap_or(0);
            if count == 0 {
                break;
            }
            shown.extend_from_slice(&part[..count]);
            if !answered && String::from_utf8_lossy(&shown).contains(prompt) {
                keyboard.write_all(answer.as_bytes()).unwrap();
                keyboard.flush().unwrap();
                answered = true;
            }
        }
        let stdout = String::from_utf8_lossy(&shown).replace('\r', "");
        assert!(answered, "`{prompt}` was not asked:\n{stdout}");
        Printed {
            code: typed.0.wait().unwrap().code().unwrap_or(-1),
            stdout,
            stderr: String::new(),
        }
    }
}
