//! What happened, in words that can be pasted anywhere: the tool's own words, times, statuses and codes. Pure.

use std::fmt::Write;
use std::time::Duration;

use super::report::Refusal;

/// One command, as it is told to others.
pub(crate) struct Told {
    pub(crate) title: String,
    /// Why it is not what it should be; absent when it is.
    pub(crate) wrong: Option<String>,
    pub(crate) took: Duration,
    pub(crate) calls: usize,
    pub(crate) refusals: Vec<Refusal>,
    /// Names of the tool's checks that failed.
    pub(crate) checks: Vec<String>,
    /// The tool's last error, with the API's own words left in it.
    pub(crate) said: Option<String>,
}

/// A whole run.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) steps: Vec<Told>,
    /// What became of the cleaning; absent where nothing was made.
    pub(crate) cleaned: Option<Cleaned>,
    pub(crate) calls: usize,
    pub(crate) shapes: usize,
}

/// How the cleaning ended.
pub(crate) struct Cleaned {
    pub(crate) took: Duration,
    /// How many things of which kind are left, or why that cannot be told; absent when nothing is.
    pub(crate) left: Option<String>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<String>,
}

impl Summary {
    /// Whether every step was as it should be.
    pub(crate) fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.wrong.is_none())
    }

    /// Whether nothing was left.
    pub(crate) fn is_clean(&self) -> bool {
        self.cleaned
            .as_ref()
            .is_none_or(|cleaned| cleaned.left.is_none())
    }

    /// For pasting.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "edge-broadcast {} against a real account, on {} {}\n",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        for step in &self.steps {
            // Writing into a text does not fail
            let _ = writeln!(text, "{}", step.line());
            for line in step.details() {
                let _ = writeln!(text, "            {line}");
            }
        }
        if let Some(cleaned) = &self.cleaned {
            let _ = writeln!(text, "{}", cleaned.line());
            for unseen in &cleaned.unseen {
                let _ = writeln!(text, "            not looked at: {unseen}");
            }
        }
        let _ = writeln!(text, "{} calls of {} shapes", self.calls, self.shapes);
        text
    }
}

impl Told {
    /// One line: outcome, seconds, command.
    pub(crate) fn line(&self) -> String {
        let seconds = self.took.as_secs_f64();
        match &self.wrong {
            None => format!("  ok {seconds:7.1} s  {}, {} calls", self.title, self.calls),
            Some(why) => format!(
                "WRONG{seconds:7.1} s  {}, {} calls: {why}",
                self.title, self.calls
            ),
        }
    }

    fn details(&self) -> Vec<String> {
        let mut details: Vec<String> = Vec::new();
        for check in &self.checks {
            details.push(format!("the check failed: {check}"));
        }
        let mut counted: Vec<(&Refusal, usize)> = Vec::new();
        for refusal in &self.refusals {
            match counted.iter_mut().find(|(known, _)| *known == refusal) {
                Some((_, times)) => *times += 1,
                None => counted.push((refusal, 1)),
            }
        }
        for (refusal, times) in counted {
            let Refusal {
                call,
                status,
                codes,
            } = refusal;
            let codes = match codes.is_empty() {
                true => String::new(),
                false => format!(" (code {})", codes.join(", ")),
            };
            let times = match times {
                1 => String::new(),
                times => format!(", {times} times"),
            };
            details.push(format!("{call} was answered with {status}{codes}{times}"));
        }
        details.extend(self.said.clone());
        details
    }
}

impl Cleaned {
    pub(crate) fn line(&self) -> String {
        let seconds = self.took.as_secs_f64();
        match &self.left {
            None => format!("  ok {seconds:7.1} s  cleaning: nothing is left"),
            Some(left) => format!("WRONG{seconds:7.1} s  cleaning: {left}"),
        }
    }
}
