//! `bench`: a load, and what of it arrived.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use edge_broadcast_protocol::contract::settings::Conflate;
use serde_json::Value as Json;

use super::{Context, confirm};
use crate::commands::cli::Bench;
use crate::deploy::remote::Remote;
use crate::environment::Environment;
use crate::live::bench::comparison::{Answer, Comparison};
use crate::live::bench::limit;
use crate::live::bench::load::{Load, PING, made_up, ping_period};
use crate::live::bench::outcome::{Measured, Outcome, Settings, Versions};
use crate::live::bench::run::{self, AT_ONCE, Target};
use crate::live::bench::tally::{Conflation, Tally};
use crate::live::credential::Credential;
use crate::live::site::Site;
use crate::live::verify::allowed_origin;
use crate::process::descriptors;
use crate::secret::{Secrets, Source};
use crate::terminal::advice::Advice;
use crate::terminal::output::Format;

/// Files beside the sockets of a load.
const OTHER_FILES: u64 = 64;

pub(super) async fn run(context: &Context, args: &Bench) -> anyhow::Result<()> {
    let load = load(args);
    let before = args.against.as_deref().map(earlier).transpose()?;
    descriptors::allow(u64::from(load.sockets) + AT_ONCE as u64 + OTHER_FILES)?;
    context.progress.say(&limit::told(&load));
    match args.target.split_once("://") {
        Some((scheme, rest)) => {
            let site = addressed(scheme, rest.trim_end_matches('/'))?;
            let source = Source::Env(WEBHOOK_SECRET.to_owned());
            let sources = [(WEBHOOK_SECRET, &source)];
            let secrets = Secrets::new(sources, &context.project.root, context.withheld.clone());
            let target = Target {
                site: &site,
                secret: secrets.value(WEBHOOK_SECRET)?,
                credential: Credential::Signature,
                origin: args.origin.clone(),
                // No answer says after what silence a socket is closed
                ping: PING,
            };
            measure(context, args, &target, &load, Conflation::Possible, before).await
        }
        None => {
            let environment = context.project.environment(&args.target)?;
            for line in limit::met(&load, &environment) {
                context.progress.say(&format!("above a limit: {line}"));
            }
            if !args.yes {
                confirm(&environment, &limit::told(&load), "status")?;
            }
            let remote = Remote::from_env(&environment, &context.progress).await?;
            let site = remote.site(&environment, &context.headers(&environment))?;
            let secrets = context.secrets(&environment);
            let target = Target {
                site: &site,
                secret: secrets.value(WEBHOOK_SECRET)?,
                credential: Credential::of(&environment),
                origin: args.origin.clone().or_else(|| allowed_origin(&environment)),
                ping: ping_period(Duration::from_millis(
                    environment.room.idle_timeout_ms.into(),
                )),
            };
            let conflation = conflation(&environment);
            measure(context, args, &target, &load, conflation, before).await
        }
    }
}

fn load(args: &Bench) -> Load {
    Load {
        sockets: args.sockets,
        tokens: match args.token.is_empty() {
            true => made_up(args.tokens),
            false => args.token.clone(),
        },
        rate: args.rate,
        connect_rate: args.connect_rate,
        duration: args.duration,
        warm_up: args.warm_up,
        bytes: args.bytes,
    }
}

fn conflation(environment: &Environment) -> Conflation {
    match environment.room.conflate {
        Conflate::Latest => Conflation::Possible,
        Conflate::All => Conflation::Never,
    }
}

/// The result that a file keeps.
fn earlier(file: &Path) -> anyhow::Result<Outcome> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading `{shown}`"))?;
    serde_json::from_str(&text).map_err(|error| {
        Advice::new(
            format!("`{shown}` is no result of `bench`: {error}"),
            "keep one with `edge-broadcast bench … --json > FILE`",
        )
        .into()
    })
}

/// A host of the internet, or by plain HTTP one of a sandbox on this machine.
fn addressed(scheme: &str, rest: &str) -> anyhow::Result<Site> {
    let refused = |why: &str| {
        Advice::new(
            format!("`{scheme}://{rest}` cannot be loaded: {why}"),
            "write `https://HOST`, or `http://HOST:PORT` for a host of a sandbox on this machine",
        )
    };
    if rest.contains(['/', '?', '#', '@']) {
        bail!(refused("there is more than a host"));
    }
    match (scheme, rest.rsplit_once(':')) {
        ("https", _) => Site::new(rest, None),
        ("http", Some((host, port))) => {
            let port = port.parse().map_err(|_| refused("its port is no number"))?;
            Site::new(host, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
        }
        ("http", None) => bail!(refused("it has no port")),
        _ => bail!(refused("it is not of HTTP")),
    }
}

/// A load that goes on. Dropped before its end, as Ctrl-C does it, it tells the result so far.
struct Going<'a> {
    format: Format,
    measured: Measured,
    tally: &'a RefCell<Tally>,
    is_finished: bool,
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            let mut outcome = self.measured.outcome(&self.tally.borrow());
            outcome.interrupted = true;
            // Nobody is left whom an error could be told
            let _ = self.format.answer(&Answer {
                outcome,
                against: None,
            });
        }
    }
}

async fn measure(
    context: &Context,
    args: &Bench,
    target: &Target<'_>,
    load: &Load,
    conflation: Conflation,
    before: Option<Outcome>,
) -> anyhow::Result<()> {
    let measured = Measured {
        target: args.target.clone(),
        time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        versions: versions(target.site).await?,
        settings: Settings::of(load),
    };
    let tally = RefCell::new(Tally::new(load, conflation));
    let mut going = Going {
        format: context.format,
        measured,
        tally: &tally,
        is_finished: false,
    };
    let tell = |line: &str| context.progress.say(line);
    run::run(target, load, &tally, &tell).await;
    going.is_finished = true;
    let outcome = going.measured.outcome(&tally.borrow());
    let against = before.map(|before| Comparison::between(&before, &outcome));
    context.format.answer(&Answer { outcome, against })
}

/// What answers before the load: a target that does not is not loaded.
async fn versions(site: &Site) -> anyhow::Result<Versions> {
    let path = "/health?deep=1";
    let (status, body) = site.get(path).await?;
    let url = site.url(path);
    if status != 200 {
        bail!(Advice::new(
            format!("`{url}` answered {status}: nothing was loaded"),
            "`edge-broadcast doctor` says what is wrong with an environment"
        ));
    }
    let health: Json = serde_json::from_str(&body).with_context(|| format!("reading `{url}`"))?;
    let version = |of: &Json| of["version"].as_str().map(str::to_owned);
    Ok(Versions {
        gateway: version(&health),
        room: version(&health["room"]),
    })
}
