//! What a deployment or a rollback has done so far, told when it stops before its end: by an error, or by Ctrl-C.

use std::fmt;

use crate::deploy::apply::Report;
use crate::terminal::output;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undertaking {
    Deployment,
    Rollback,
}

/// The report of a running command. Dropped before its end, it tells what is half done.
pub struct HalfDone {
    undertaking: Undertaking,
    environment: String,
    pub report: Report,
    running: bool,
}

impl HalfDone {
    /// Nothing done yet.
    pub fn new(undertaking: Undertaking, environment: &str) -> Self {
        Self {
            undertaking,
            environment: environment.to_owned(),
            report: Report::default(),
            running: true,
        }
    }

    /// The run is over, and somebody else tells how it went.
    pub fn over(mut self) -> Report {
        self.running = false;
        std::mem::take(&mut self.report)
    }
}

impl fmt::Display for HalfDone {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (what, command) = match self.undertaking {
            Undertaking::Deployment => ("deployment", "deploy"),
            Undertaking::Rollback => ("rollback", "rollback"),
        };
        write!(f, "the {what} of `{}` stopped", self.environment)?;
        let Report {
            done,
            failed,
            not_attempted,
            returned,
            not_returned,
            ..
        } = &self.report;
        for step in done {
            write!(f, "\n  done:           {step}")?;
        }
        if let Some(step) = failed {
            write!(f, "\n  failed:         {step}")?;
        }
        for step in not_attempted {
            write!(f, "\n  not attempted:  {step}")?;
        }
        for script in returned {
            write!(
                f,
                "\n  taken back:     `{script}` has the version before again"
            )?;
        }
        for (script, why) in not_returned {
            write!(f, "\n  not taken back: `{script}`: {why}")?;
        }
        write!(f, "\nrun `{command}` again to go on from here")
    }
}

impl Drop for HalfDone {
    fn drop(&mut self) {
        if self.running {
            let under_way = &self.report.failed;
            output::tell(&self.to_string());
            if under_way.is_some() {
                output::tell(
                    "the failed step was interrupted: it may have been carried out all the same",
                );
            }
        }
    }
}
