//! What was found of an environment, with what to do about it, and how it is shown.

use std::fmt;

use serde::Serialize;

use crate::commands::secrets::facts::Facts;
use crate::plan::finding;
use crate::terminal::advice::Advice;

/// One environment and what was found, in the order in which it is looked for.
#[derive(Serialize)]
pub(super) struct Examined {
    pub(super) environment: String,
    pub(super) findings: Vec<Finding>,
    /// As in `plan`; absent where nothing could be read.
    pub(super) secrets: Option<Facts>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// `ok`, `note` or `WRONG`, before it.
    word: &'static str,
    what: String,
    /// What to do; absent where nothing is wrong.
    mend: Option<String>,
}

impl Finding {
    pub(super) fn well(what: impl Into<String>) -> Self {
        Self {
            word: "ok",
            what: what.into(),
            mend: None,
        }
    }

    pub(super) fn note(what: impl Into<String>) -> Self {
        Self {
            word: "note",
            ..Self::well(what)
        }
    }

    pub(super) fn wrong(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            word: "WRONG",
            what: what.into(),
            mend: Some(mend.into()),
        }
    }

    /// That something could not be looked at.
    pub(super) fn failed(error: &anyhow::Error) -> Self {
        let Advice { what, fix } = Advice::of(error);
        Self::wrong(what, fix.unwrap_or("see the error".to_owned()))
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.mend.is_some()
    }
}

impl From<finding::Finding> for Finding {
    fn from(finding::Finding { what, fix }: finding::Finding) -> Self {
        match fix {
            None => Self::note(what),
            Some(fix) => Self::wrong(what, fix),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:<5}  {}", self.word, self.what)?;
        match &self.mend {
            Some(mend) => write!(f, "\n         {mend}"),
            None => Ok(()),
        }
    }
}

impl Examined {
    pub(super) fn new(environment: String) -> Self {
        Self {
            environment,
            findings: Vec::new(),
            secrets: None,
        }
    }

    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    pub(super) fn is_ill(&self) -> bool {
        self.findings.iter().any(Finding::is_wrong)
    }
}

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.environment)?;
        let mut findings = self.findings.iter();
        findings.try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}
