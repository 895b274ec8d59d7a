//! The program as a process of its own, because it listens to signals: this test binary, started again for one test, which then is
//! the program.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::account::{Account, ZONE};
use crate::live;
use crate::support::{Printed, interrupt};

/// Set in a process that is `./test live`: its arguments, as a JSON list.
const ARGUMENTS: &str = "EDGE_BROADCAST_LIVE_ARGUMENTS";

/// Goes on as the program where this process was started as one: the first line of every test that starts it.
pub(crate) fn be_the_program() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        let arguments: Vec<String> = serde_json::from_str(&arguments).unwrap();
        let all = std::iter::once("live".to_owned()).chain(arguments);
        // It has a runtime of its own, which cannot begin inside a test's
        let program = std::thread::spawn(move || live::main(all.map(Into::into)));
        std::process::exit(program.join().expect("the program ends").into());
    }
}

/// The program, run by the test `name` of this folder.
pub(crate) fn program(name: &str, account: &Account, arguments: &[&str]) -> Command {
    let mut all = vec!["--sandbox", &account.api];
    all.extend(arguments);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("smoke::{name}"), "--nocapture"])
        .env(ARGUMENTS, json!(all).to_string())
        .env("CLOUDFLARE_API_TOKEN", &account.sandbox.token)
        .env("CLOUDFLARE_ACCOUNT_ID", &account.sandbox.account_id)
        .env("EDGE_BROADCAST_LIVE_ZONE", ZONE)
        .env_remove("CLOUDFLARE_API_BASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The program at work. It is stopped, and cleans up, where a test ends before it.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(mut program: Command) -> Self {
        Self(Some(program.spawn().unwrap()))
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.0.as_ref().into_iter().for_each(interrupt);
    }

    /// Ends it so that it can do nothing more.
    pub(crate) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end: what it printed, and its exit code. The runtime of the test needs a second thread to answer it.
    pub(crate) fn printed(mut self) -> Printed {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            interrupt(child);
            let _ = child.wait();
        }
    }
}

/// The report and its summary, from where the program says they are; they are removed.
pub(crate) fn report(stdout: &str) -> (String, String) {
    let line = stdout
        .lines()
        .find(|line| line.starts_with("for an issue"))
        .unwrap_or_else(|| panic!("no report in:\n{stdout}"));
    let paths: Vec<PathBuf> = line
        .split('`')
        .skip(1)
        .step_by(2)
        .map(PathBuf::from)
        .collect();
    let [summary, shapes] = paths.as_slice() else {
        panic!("{line}");
    };
    let read = |path| std::fs::read_to_string(path).unwrap();
    let (summary, shapes) = (read(summary), read(shapes));
    std::fs::remove_dir_all(paths[0].parent().unwrap()).unwrap();
    (shapes, summary)
}
