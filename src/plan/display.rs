//! A plan for people.

use std::fmt;

use serde_json::Value;

use super::counts::counts;
use super::step::{Change, Lane, Step, Upload};
use super::{Plan, SocketImpact};
use crate::terminal::escape;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.fmt_with(f, "")
    }
}

impl Plan {
    /// Writes the plan for people, with `notes` before its last line, the counts. Each note begins with a line break.
    pub(crate) fn fmt_with(&self, f: &mut fmt::Formatter, notes: &str) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "{}: nothing to change{notes}", self.environment);
        }
        let steps = match self.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        write!(f, "{}: {steps}", self.environment)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n\n{}. {}", number + 1, step.title())?;
            if let Step::Upload(Upload { lane, .. }) = step {
                match lane {
                    Lane::Lifecycle { why, .. } => {
                        write!(f, "\n   lane: lifecycle, because {why}")?;
                    }
                    Lane::Code { .. } => write!(f, "\n   lane: code")?,
                }
            }
            for change in step.changes() {
                write!(f, "\n   {change}")?;
            }
        }
        match (self.socket_impact, self.rooms_change_within_seconds) {
            (SocketImpact::None, _) => write!(f, "\n\nsocket impact: none")?,
            (SocketImpact::Reconnect, None | Some(0)) => write!(
                f,
                "\n\nsocket impact: reconnect (a new version of the room restarts its objects)"
            )?,
            (SocketImpact::Reconnect, Some(seconds)) => write!(
                f,
                "\n\nsocket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within {seconds} s)"
            )?,
        }
        write!(f, "{notes}\n\n{}", counts(self))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let short = |value: &Value| match value {
            Value::String(text) => escape::line(text).into_owned(),
            value => value.to_string(),
        };
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "+ {}: {}", self.what, short(after)),
            (Some(before), None) => write!(f, "- {}: {}", self.what, short(before)),
            (Some(before), Some(after)) => {
                write!(f, "~ {}: {} -> {}", self.what, short(before), short(after))
            }
            (None, None) => write!(f, "  {}", self.what),
        }
    }
}
