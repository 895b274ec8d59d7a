//! A run on a terminal, with somebody who answers or only looks. `script` of util-linux makes the terminal.

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
        let mut left = Some(answer);
        let printed = self.on_screen("", |shown| {
            left.take_if(|_| shown.contains(prompt)).map(str::as_bytes)
        });
        let stdout = &printed.stdout;
        assert!(left.is_none(), "`{prompt}` was not asked:\n{stdout}");
        printed
    }

    /// Runs on a terminal of so many columns. Everything that the terminal showed is `stdout`.
    pub(crate) fn on_terminal(self, columns: u16) -> Printed {
        self.on_screen(&format!("stty cols {columns} rows 24; exec "), |_| None)
    }

    /// Runs on a terminal, after the shell's words `before`. `answer` says what is typed when so much was shown.
    fn on_screen<'a>(
        self,
        before: &str,
        mut answer: impl FnMut(&str) -> Option<&'a [u8]>,
    ) -> Printed {
        let run = self.command();
        let words = [run.get_program()].into_iter().chain(run.get_args());
        let line: Vec<String> = words
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let mut command = std::process::Command::new("script");
        command
            .args(["-qefc", &format!("{before}{}", line.join(" ")), "/dev/null"])
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
        let mut part = [0; 4096];
        loop {
            // The end of a terminal is an error to some kernels
            let count = screen.read(&mut part).unwrap_or(0);
            if count == 0 {
                break;
            }
            shown.extend_from_slice(&part[..count]);
            if let Some(answer) = answer(&String::from_utf8_lossy(&shown)) {
                keyboard.write_all(answer).unwrap();
                keyboard.flush().unwrap();
            }
        }
        Printed {
            code: typed.0.wait().unwrap().code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&shown).replace('\r', ""),
            stderr: String::new(),
        }
    }
}
