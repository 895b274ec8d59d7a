//! The secret values of one deployment: which of them can be had is known before anything is done, each is read when it is needed.

use std::io::IsTerminal;
use std::path::Path;

use crate::environment::Environment;
use crate::secret::{self, Source, Value};

/// What happens when a source has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenMissing {
    Fail,
    /// A rehearsal needs no real secret.
    MakeUp,
}

/// The sources of an environment's secrets, which begin in `folder`.
pub struct Values<'a> {
    pub environment: &'a Environment,
    pub folder: &'a Path,
    pub when_missing: WhenMissing,
}

impl Values<'_> {
    /// Refuses when reading `name` is certain to fail. Runs no command and asks nobody.
    pub fn expect(&self, name: &str) -> anyhow::Result<()> {
        let source = &self.environment.secrets[name].source;
        if self.when_missing == WhenMissing::MakeUp {
            return Ok(());
        }
        match source {
            // Costs nothing: what is wrong with the value shows too
            Source::Env(_) => {
                let value = secret::read(name, source, self.folder)?;
                secret::policy::check(name, &value)
            }
            source if self.is_missing(source) => secret::read(name, source, self.folder).map(drop),
            _ => Ok(()),
        }
    }

    /// Reads a value that is good enough to be deployed; `tell` hears when it had to be made up.
    pub fn read(&self, name: &str, tell: impl Fn(&str)) -> anyhow::Result<Value> {
        let source = &self.environment.secrets[name].source;
        if self.when_missing == WhenMissing::MakeUp && self.is_missing(source) {
            tell(&format!(
                "the source `{source}` of `{name}` has no value here: the rehearsal uses a random one"
            ));
            return Ok(Value::generate());
        }
        let value = secret::read(name, source, self.folder)?;
        secret::policy::check(name, &value)?;
        Ok(value)
    }

    /// Whether there is nothing to read from. A source that is there and gives nothing is a mistake, not this.
    fn is_missing(&self, source: &Source) -> bool {
        match source {
            Source::Env(variable) => std::env::var_os(variable).is_none(),
            Source::File { path, .. } => !self.folder.join(path).exists(),
            Source::Prompt => !std::io::stdin().is_terminal() || std::env::var_os("CI").is_some(),
            Source::Command { .. } => false,
        }
    }
}
