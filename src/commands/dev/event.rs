//! What `dev` tells: one line of JSON each, or some lines for people.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::plan::{Plan, SocketImpact, Step};
use crate::terminal::advice::Advice;
use crate::terminal::output::{self, Format};
use crate::terminal::progress::seconds;

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// The sandbox answers; nothing is deployed yet.
    Ready {
        environment: String,
        /// Where the environment's main host is served.
        url: String,
        /// Where the page for developers is.
        console: String,
        api: String,
        ingress: String,
        account_id: String,
        token: String,
    },
    Deployed {
        /// The files that had changed; none at the beginning.
        because: Vec<String>,
        /// What was done; nothing where what is deployed is not made of these files.
        steps: Vec<String>,
        socket_impact: SocketImpact,
        took_ms: u64,
    },
    Failed {
        because: Vec<String>,
        error: String,
        help: Option<String>,
    },
}

impl Event {
    pub(super) fn ready(environment: &Environment, remote: &Remote) -> Self {
        let sandbox = remote.own().expect("`dev` has a sandbox of its own");
        let (host, ingress) = (environment.main_host(), sandbox.ingress());
        let url = format!("http://{host}:{}", ingress.port());
        Self::Ready {
            environment: environment.name.to_string(),
            console: format!("{url}/console"),
            url,
            api: sandbox.api(),
            ingress: format!("http://{ingress}"),
            account_id: sandbox.account_id().to_owned(),
            token: sandbox.token().to_owned(),
        }
    }

    pub(super) fn deployed(because: Vec<String>, plan: &Plan, took: Duration) -> Self {
        Self::Deployed {
            because,
            steps: plan.steps.iter().map(Step::title).collect(),
            socket_impact: plan.socket_impact,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn failed(because: Vec<String>, why: Advice) -> Self {
        Self::Failed {
            because,
            error: why.what,
            help: why.fix,
        }
    }

    /// A template is a part of the tool.
    pub(super) fn tool_is_old(because: Vec<String>) -> Self {
        let what = "templates are compiled into this tool, which is still the one of before";
        let fix = "end it with Ctrl-C, then `cargo run -- dev` compiles and starts the new one";
        Self::failed(because, Advice::new(what, fix))
    }

    pub(super) fn tell(&self, format: Format) -> anyhow::Result<()> {
        match format {
            Format::Text => format.answer(self),
            Format::Json => output::line(&output::json_line(self)?),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ready {
                environment,
                url,
                console,
                ..
            } => write!(
                f,
                "`{environment}` will be at {url}; Ctrl-C ends it, and what changes until then is deployed\nto watch and try it: {console}"
            ),
            Self::Deployed {
                because,
                steps,
                socket_impact,
                took_ms,
            } => {
                write!(f, "{}", Heading(because))?;
                if steps.is_empty() {
                    return write!(f, "nothing to deploy");
                }
                for step in steps {
                    writeln!(f, "  {step}")?;
                }
                let sockets = match socket_impact {
                    SocketImpact::None => "sockets stay open",
                    SocketImpact::Reconnect => "sockets reconnect",
                };
                let took = seconds(Duration::from_millis(*took_ms));
                write!(f, "deployed in {took}; {sockets}")
            }
            Self::Failed {
                because,
                error,
                help,
            } => {
                write!(f, "{}{error}", Heading(because))?;
                if let Some(help) = help {
                    write!(f, "\nhelp: {help}")?;
                }
                write!(
                    f,
                    "\nwhat was deployed before stays, and `dev` keeps watching"
                )
            }
        }
    }
}

/// The files that changed, above what came of it.
struct Heading<'a>(&'a [String]);

impl fmt::Display for Heading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            [one] => writeln!(f, "`{one}` changed"),
            [one, rest @ ..] => writeln!(f, "`{one}` and {} more changed", rest.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_changed_what_was_done_how_long_it_took_and_what_sockets_notice() {
        let deployed = |because: &[&str], steps: &[&str]| Event::Deployed {
            because: because.iter().map(ToString::to_string).collect(),
            steps: steps.iter().map(ToString::to_string).collect(),
            socket_impact: SocketImpact::Reconnect,
            took_ms: 1234,
        };
        let changed = ["environments/local.toml", "worker/room/src/lib.rs"];
        assert_eq!(
            deployed(&changed, &["upload a version of `room`"]).to_string(),
            "`environments/local.toml` and 1 more changed\n  upload a version of `room`\ndeployed in 1.2 s; sockets reconnect"
        );
        assert_eq!(
            deployed(&changed[..1], &[]).to_string(),
            "`environments/local.toml` changed\nnothing to deploy"
        );
    }

    #[test]
    fn a_failure_says_what_to_do_and_that_it_goes_on() {
        assert_eq!(
            Event::failed(Vec::new(), Advice::new("it is broken", "mend it")).to_string(),
            "it is broken\nhelp: mend it\nwhat was deployed before stays, and `dev` keeps watching"
        );
    }
}
