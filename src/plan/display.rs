//! A plan for people.

use std::fmt;

use serde_json::Value;

use super::counts::Counts;
use super::step::{Change, Lane, Step, Upload};
use super::{Plan, SocketImpact};
use crate::terminal::escape;

/// A plan and what else is to be told of it.
pub struct Annotated<'a, T> {
    plan: &'a Plan,
    notes: T,
}

impl Plan {
    /// The plan for people, with `notes` before its last line, the counts. Each note begins with a line break.
    pub fn with<T: fmt::Display>(&self, notes: T) -> Annotated<'_, T> {
        Annotated { plan: self, notes }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.with("").fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Annotated<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { plan, notes } = self;
        if plan.is_empty() {
            return write!(f, "{}: nothing to change{notes}", plan.environment);
        }
        let steps = match plan.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        write!(f, "{}: {steps}", plan.environment)?;
        for (number, step) in plan.steps.iter().enumerate() {
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
        match (plan.socket_impact, plan.rooms_change_within_seconds) {
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
        write!(f, "{notes}\n\n{}", Counts::of(plan))
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
