//! A command line as a value, so that a test can assert on it without running it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use super::surroundings::Purpose;

/// A program to run: everything that its result depends on, and nothing run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Invocation {
    purpose: Purpose,
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    set: BTreeMap<String, OsString>,
    unset: Vec<&'static str>,
    directory: PathBuf,
}

impl Invocation {
    /// `program` in `directory`, without arguments.
    pub fn new(
        purpose: Purpose,
        program: impl Into<PathBuf>,
        directory: impl Into<PathBuf>,
    ) -> Self {
        let program = program.into();
        let name = program.file_name().unwrap_or_default();
        Self {
            purpose,
            name: name.to_string_lossy().into_owned(),
            program,
            arguments: Vec::new(),
            set: BTreeMap::new(),
            unset: Vec::new(),
            directory: directory.into(),
        }
    }

    /// The program and the arguments of a command line that a manifest names, which people know it by. There is at least one word.
    pub fn of_words(purpose: Purpose, words: &[String], directory: impl Into<PathBuf>) -> Self {
        let name = words[0].clone();
        Self {
            name: name.clone(),
            ..Self::new(purpose, name, directory).args(&words[1..])
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.set.insert(name.to_owned(), value.as_ref().to_owned());
        self
    }

    /// Takes variables of the user's environment away, because they would change the result.
    pub fn without(mut self, names: &[&'static str]) -> Self {
        self.unset.extend_from_slice(names);
        self
    }

    /// The program's name, for messages about it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The form that the operating system runs, with what its purpose lets through of this process's environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.purpose.share(std::env::vars_os()));
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(&self.set);
        command
    }
}

/// A line that a person can paste into a shell.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "cd {} &&", quoted(self.directory.as_os_str()))?;
        if !self.unset.is_empty() {
            write!(f, " env")?;
        }
        for name in &self.unset {
            write!(f, " -u {name}")?;
        }
        for (name, value) in &self.set {
            write!(f, " {name}={}", quoted(value))?;
        }
        write!(f, " {}", quoted(self.program.as_os_str()))?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_a_line_for_a_shell() {
        let invocation = Invocation::new(Purpose::Build, "cargo", "/pro ject")
            .args(["build", "--config", "a=['b']"])
            .env("TARGET", "/t")
            .without(&["RUSTFLAGS"]);
        assert_eq!(
            invocation.to_string(),
            r"cd '/pro ject' && env -u RUSTFLAGS TARGET=/t cargo build --config 'a=['\''b'\'']'"
        );
    }
}
