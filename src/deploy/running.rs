//! The report of a running deployment or rollback, told when it stops before its end: by an error, or by Ctrl-C.
//!
//! It is printed by `Drop`: Ctrl-C drops the whole command wherever it waits, and nothing else of it runs then.

use std::fmt;

use crate::cloudflare::error::ApiError;
use crate::deploy::apply::Report;
use crate::terminal::output;

/// The report of a running command. Dropped before [`Running::finish`], it tells what is half done.
pub(crate) struct Running {
    /// `deployment`, and the command that goes on with it: `deploy`.
    operation: [&'static str; 2],
    environment: String,
    pub(crate) report: Report,
    is_finished: bool,
}

impl Running {
    /// An operation of which nothing is done yet, and the command that goes on with it.
    pub(crate) fn new(operation: [&'static str; 2], environment: &str) -> Self {
        Self {
            operation,
            environment: environment.to_owned(),
            report: Report::default(),
            is_finished: false,
        }
    }

    /// The error of a run that `cause` has ended.
    pub(crate) fn stopped_by(&self, cause: anyhow::Error) -> anyhow::Error {
        let [_, command] = self.operation;
        let refused = cause.downcast_ref().is_some_and(ApiError::is_final);
        let next = match refused {
            // As it is it would be refused again
            true => format!("`{command}` goes on from here once the cause is mended"),
            false => format!("run `{command}` again to go on from here"),
        };
        cause.context(format!("{self}\n{next}\ncause"))
    }

    /// Ends the run: from here on the caller tells how it went.
    pub(crate) fn finish(mut self) -> Report {
        self.is_finished = true;
        std::mem::take(&mut self.report)
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [what, _] = self.operation;
        write!(f, "the {what} of `{}` stopped", self.environment)?;
        let Report {
            done,
            failed,
            not_attempted,
            returned,
            not_returned,
            moved_back,
            not_moved_back,
            unverified,
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
        for host in moved_back {
            write!(
                f,
                "\n  taken back:     `{host}` leads to the script before again"
            )?;
        }
        for (host, why) in not_moved_back {
            write!(f, "\n  not taken back: `{host}`: {why}")?;
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
        for script in unverified {
            write!(
                f,
                "\n  live and unverified: `{script}`, as far as it is known"
            )?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_finished {
            let under_way = &self.report.failed;
            let [_, command] = self.operation;
            output::tell(&format!("{self}\nrun `{command}` again to go on from here"));
            if under_way.is_some() {
                output::tell(
                    "the failed step was interrupted: it may have been carried out all the same",
                );
            }
        }
    }
}
