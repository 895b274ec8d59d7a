//! The secrets of an environment as one command reads them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::{Source, Value, policy, read};
use crate::process::surroundings::Withheld;
use crate::terminal::advice::Advice;

/// Reads each source at most once, when its value is first needed.
pub struct Secrets<'a> {
    secrets: BTreeMap<&'a str, Secret<'a>>,
    folder: &'a Path,
    withheld: Withheld,
    /// Hears of a value that is made up where its source has none. Without it that is an error.
    made_up: Option<&'a dyn Fn(&str)>,
}

struct Secret<'a> {
    source: &'a Source,
    /// What came of reading it.
    read: OnceLock<Result<Value, Advice>>,
}

impl<'a> Secrets<'a> {
    /// Secrets by their names. Relative paths and commands of sources begin in `folder`; no command gets the variables `withheld`.
    /// Nothing is read yet.
    pub fn new(
        sources: impl IntoIterator<Item = (&'a str, &'a Source)>,
        folder: &'a Path,
        withheld: Withheld,
    ) -> Self {
        let unread = |source| Secret {
            source,
            read: OnceLock::new(),
        };
        Self {
            secrets: sources
                .into_iter()
                .map(|(name, source)| (name, unread(source)))
                .collect(),
            folder,
            withheld,
            made_up: None,
        }
    }

    /// With a random value for each source that has none here, as a rehearsal needs no real ones; `tell` hears of each.
    #[must_use]
    pub fn or_made_up(mut self, tell: &'a dyn Fn(&str)) -> Self {
        self.made_up = Some(tell);
        self
    }

    /// The variables that no program gets which reads or takes a value.
    pub(crate) fn withheld(&self) -> &Withheld {
        &self.withheld
    }

    /// Whether `name` is one of the secrets.
    pub fn has(&self, name: &str) -> bool {
        self.secrets.contains_key(name)
    }

    /// The value of `name`, which is one of the secrets, whatever it is.
    pub fn value(&self, name: &str) -> anyhow::Result<&Value> {
        let Secret { source, read } = &self.secrets[name];
        read.get_or_init(|| match self.made_up {
            Some(tell) if self.is_missing(source) => {
                tell(&format!(
                    "the source `{source}` of `{name}` has no value here: the rehearsal uses a random one"
                ));
                Ok(Value::generate())
            }
            _ => read::read(name, source, self.folder, &self.withheld)
                .map_err(|error| Advice::of(&error)),
        })
        .as_ref()
        .map_err(|error| error.clone().into())
    }

    /// The value of `name`, which is good enough to be deployed.
    pub fn good(&self, name: &str) -> anyhow::Result<&Value> {
        let value = self.value(name)?;
        policy::check(name, value)?;
        Ok(value)
    }

    /// Refuses when [`Self::good`] is certain to fail. Runs no command and asks nobody.
    pub fn expect(&self, name: &str) -> anyhow::Result<()> {
        if self.tells_at_once(name) {
            self.good(name)?;
        }
        Ok(())
    }

    /// Why `name` is certain to have no value here, without running a command or asking anybody.
    pub fn lacks(&self, name: &str) -> Option<Advice> {
        let value = self.tells_at_once(name).then(|| self.value(name));
        value?.err().map(|error| Advice::of(&error))
    }

    /// Whether reading `name` runs no command and asks nobody, and its value is not made up where there is none. An environment variable
    /// costs nothing, so that what is wrong with its value shows too.
    fn tells_at_once(&self, name: &str) -> bool {
        let source = self.secrets[name].source;
        let is_cheap = matches!(source, Source::Env(_)) || self.is_missing(source);
        self.made_up.is_none() && is_cheap
    }

    /// Whether there is nothing to read from. A source that is there and gives nothing is a mistake, not this.
    fn is_missing(&self, source: &Source) -> bool {
        match source {
            Source::Env(variable) => std::env::var_os(variable).is_none(),
            Source::File { path, .. } => !self.folder.join(path).exists(),
            Source::Prompt => !read::can_ask(),
            Source::Command { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn source(text: &str) -> Source {
        Source::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_source_is_read_once_whoever_asks_and_whatever_comes_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let good = source("command:sh -c 'echo A >> ran; echo 3b1f8a6e9c2d4057a1e6f3b8'");
        let weak = source("command:sh -c 'echo B >> ran; echo hunter2'");
        let none = source("command:sh -c 'echo C >> ran; exit 5'");
        let secrets = Secrets::new(
            [("A", &good), ("B", &weak), ("C", &none)],
            folder.path(),
            Withheld::default(),
        );
        let ran = || std::fs::read_to_string(folder.path().join("ran")).unwrap_or_default();
        for name in ["A", "B", "C"] {
            secrets.expect(name).unwrap();
        }
        assert_eq!(ran(), "");
        for _ in 0..2 {
            let value = secrets.value("A").unwrap();
            assert_eq!(value.expose(), "3b1f8a6e9c2d4057a1e6f3b8");
            assert!(std::ptr::eq(value, secrets.good("A").unwrap()));
            assert_eq!(secrets.value("B").unwrap().expose(), "hunter2");
            assert_eq!(
                secrets.good("B").unwrap_err().to_string(),
                "the value of the secret `B` has 7 characters, fewer than 24"
            );
            for error in [secrets.value("C"), secrets.good("C")] {
                assert_eq!(
                    error.unwrap_err().to_string(),
                    "the secret `C` has no value: its source `command:sh -c 'echo C >> ran; exit 5'`: `sh` failed (exit status: 5)"
                );
            }
        }
        assert_eq!(ran(), "A\nB\nC\n");
    }

    #[test]
    fn a_rehearsal_makes_up_what_is_missing_once_and_says_so_but_not_what_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("all.json"), "{}").unwrap();
        let (missing, broken) = (source("file:none.env"), source("file:all.json"));
        let told = RefCell::new(Vec::new());
        let tell = |line: &str| told.borrow_mut().push(line.to_owned());
        let secrets = || {
            Secrets::new(
                [("A", &missing), ("B", &broken)],
                folder.path(),
                Withheld::default(),
            )
        };
        let error = secrets().expect("A").unwrap_err().to_string();
        assert!(error.starts_with("the secret `A` has no value"), "{error}");
        let secrets = secrets().or_made_up(&tell);
        secrets.expect("A").unwrap();
        assert!(std::ptr::eq(
            secrets.good("A").unwrap(),
            secrets.good("A").unwrap()
        ));
        assert_eq!(
            secrets.good("B").unwrap_err().to_string(),
            "the secret `B` has no value: its source `file:all.json`: the file has no key `B`"
        );
        assert_eq!(
            *told.borrow(),
            [
                "the source `file:none.env` of `A` has no value here: the rehearsal uses a random one"
            ]
        );
    }
}
