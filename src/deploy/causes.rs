//! What was seen of what is live, and may be why a check fails.

use crate::cloudflare::Cloudflare;
use crate::cloudflare::error::advice;
use crate::cloudflare::observe::observe;
use crate::environment::Environment;
use crate::live::verify::Report;
use crate::plan::finding::{self, Finding};
use crate::plan::{Observed, Shadow, obstacle};
use crate::terminal::advice::Advice;

/// What stands between an environment and its visitors, as far as it can be read.
#[derive(Default)]
pub(crate) struct Causes {
    pub(crate) findings: Vec<Finding>,
    /// The routes of others that take requests to our hosts.
    shadows: Vec<Shadow>,
}

impl Causes {
    /// What `observed` shows.
    pub(crate) fn of(environment: &Environment, observed: &Observed) -> Self {
        Self {
            findings: finding::of(environment, observed),
            shadows: obstacle::shadows(environment, observed),
        }
    }

    /// Looks at what is live, which a check just failed at. What cannot be read is told: the check has failed all the same.
    pub(crate) async fn sought(
        cloudflare: &Cloudflare,
        environment: &Environment,
        tell: impl Fn(&str),
    ) -> Self {
        match observe(cloudflare, environment).await {
            Ok(observed) => Self::of(environment, &observed),
            Err(error) => {
                let why = advice(&error).line();
                tell(&format!("what may be the cause was not looked for: {why}"));
                Self::default()
            }
        }
    }

    /// Says in `report` which route took the requests that others answered.
    pub(crate) fn attribute(&self, report: &mut Report) {
        report.attribute(|host, path| self.taken(host, path));
    }

    /// The route of others that takes requests to this host and path, and what to do about it.
    pub(crate) fn taken(&self, host: &str, path: &str) -> Option<Advice> {
        let mut shadows = self.shadows.iter();
        let taker = shadows.find(|shadow| shadow.takes(host, path))?;
        Some(taker.advice())
    }

    /// What is wrong, each introduced by `seen` as a further clause of a sentence, and what to do about it.
    pub(crate) fn told(&self, seen: &str) -> (String, Vec<String>) {
        let wrong = self.findings.iter();
        let wrong = wrong.filter_map(|Finding { what, fix }| Some((what, fix.clone()?)));
        let told = |(what, fix)| (format!("; {seen} that {what}"), fix);
        wrong.map(told).unzip()
    }
}
