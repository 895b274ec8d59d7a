//! `rollback`: back to the version before, or to a named one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use edge_broadcast_protocol::contract::binding::WEBHOOK_SECRET;
use serde::Serialize;

use super::Context;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::error::{ApiError, advice, was_not_made};
use crate::cloudflare::execute::{self, Change, OldSecrets};
use crate::cloudflare::observe;
use crate::cloudflare::page::Pages;
use crate::commands::cli::Rollback as Args;
use crate::deploy::apply;
use crate::deploy::causes::Causes;
use crate::deploy::remote::Remote;
use crate::deploy::running::Running;
use crate::environment::{Environment, script};
use crate::live::verify::{self, Expected, Publisher, verify};
use crate::plan::history::{Deployed, Extent, History, Listed, Unread};
use crate::plan::rollback::{self, Target};
use crate::plan::{Split, release};
use crate::terminal::advice::Advice;
use crate::terminal::confirm;
use crate::terminal::output::Format;
use crate::terminal::wait::until;

/// How long the version that came back may take to answer everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Answer {
    environment: String,
    rolled_back: Vec<Target>,
    not_rolled_back: Vec<Target>,
    /// Scripts that were given traffic and that no check has passed since.
    unverified: BTreeSet<String>,
    /// Absent when not everything was rolled back.
    verified: Option<verify::Report>,
    /// Why the command failed.
    failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for target in &self.rolled_back {
            writeln!(f, "{}", shown(target))?;
        }
        match &self.verified {
            Some(report) => write!(f, "\nverified {report}"),
            None => write!(f, "\nnot everything was rolled back"),
        }
    }
}

fn shown(
    Target {
        script, from, to, ..
    }: &Target,
) -> String {
    format!("{script}: {from} -> {to}")
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let remote = Remote::from_env(&environment, &context.progress).await?;
    let cloudflare = &remote.cloudflare;
    observe::ours(cloudflare, &environment).await?;
    let (histories, mut targets) = targets(cloudflare, &environment, args.to.as_deref())
        .await
        .with_context(|| format!("`{}` cannot be rolled back", environment.name))?;
    if targets.is_empty() {
        bail!(
            "`{}` has that version live already; nothing was changed",
            environment.name
        );
    }
    if !args.yes {
        let shown: Vec<String> = targets.iter().map(shown).collect();
        super::confirm(&environment, &shown.join("\n"), "status")?;
    }
    let mut run = Running::new(["rollback", "rollback"], environment.name.as_str());
    let result = give_all(
        context,
        cloudflare,
        &environment,
        &targets,
        old_secrets(args),
        &mut run.report,
    )
    .await;
    let not_rolled_back = targets.split_off(run.report.done.len());
    let (verified, error) = match result {
        Ok(()) => {
            let version = answering(&histories, &targets);
            let report = checked(context, &remote, &environment, version).await?;
            if report.passed() {
                run.report.unverified.clear();
            }
            let error = does_not_work(&environment, &report);
            (Some(report), error)
        }
        Err(error) => {
            leave(context, &remote, &environment, &targets, &mut run.report).await;
            (None, Some(run.stopped_by(error)))
        }
    };
    let unverified = run.finish().unverified;
    let told = error.as_ref().map(advice);
    let answer = Answer {
        environment: environment.name.to_string(),
        rolled_back: targets,
        not_rolled_back,
        unverified,
        verified,
        failure: told.as_ref().map(|told| told.what.clone()),
        help: told.and_then(|told| told.fix),
    };
    if answer.verified.is_some() || context.format == Format::Json {
        context.format.answer(&answer)?;
    }
    error.map_or(Ok(()), Err)
}

fn old_secrets(args: &Args) -> OldSecrets {
    match args.accept_old_secrets {
        true => OldSecrets::Accept,
        false => OldSecrets::Refuse,
    }
}

/// The version of the gateway that must answer after the rollback.
fn answering<'a>([gateway, _]: &'a [History; 2], back: &'a [Target]) -> Option<&'a str> {
    let back = back.iter().find(|back| back.script == gateway.script);
    back.map_or(gateway.live(), |back| Some(&back.to))
}

/// What became of both scripts, and what is to go where: the gateway first, because the old gateway works with the new room, as it
/// did while the release was under way.
async fn targets(
    cloudflare: &Cloudflare,
    environment: &Environment,
    to: Option<&str>,
) -> anyhow::Result<([History; 2], Vec<Target>)> {
    // Both to their end, so that of two failures the same one is told each time
    let (gateway, room) = tokio::join!(
        Unfinished::begin(cloudflare, environment.gateway_script(), to),
        Unfinished::begin(cloudflare, environment.room_script(), to),
    );
    let ((gateway, of_gateway), (room, of_room)) = (gateway?, room?);
    let mut histories = [gateway, room];
    let mut unfinished = [of_gateway, of_room];
    let targets = loop {
        let decided = match to {
            Some(version) => rollback::to(&histories, version),
            None => rollback::previous(&histories),
        };
        let unread = match decided.map_err(anyhow::Error::downcast::<Unread>) {
            Ok(targets) => break targets,
            Err(Ok(unread)) => unread,
            Err(Err(error)) => return Err(error),
        };
        for (history, rest) in histories.iter_mut().zip(&mut unfinished) {
            rest.read(history, &unread).await?;
        }
    };
    for target in &targets {
        same_migration(cloudflare, target).await?;
    }
    Ok((histories, targets))
}

/// The part of a script's history that is not read yet.
struct Unfinished<'a> {
    deployments: Pages<'a, Deployed>,
    versions: Pages<'a, Listed>,
}

impl<'a> Unfinished<'a> {
    /// Reads the newest part of the history of `script`, and the version `named`.
    async fn begin(
        cloudflare: &'a Cloudflare,
        script: String,
        named: Option<&str>,
    ) -> anyhow::Result<(History, Self)> {
        let mut rest = Self {
            deployments: observe::deployments(cloudflare, &script),
            versions: observe::versions(cloudflare, &script),
        };
        let mut history = History {
            script: script.clone(),
            deployments: Vec::new(),
            deployments_read: Extent::Newest,
            versions: BTreeMap::new(),
            versions_read: Extent::Newest,
        };
        match rest.older_deployments(&mut history).await {
            Err(error) if error.downcast_ref().is_some_and(ApiError::is_absent) => {
                bail!("there is no script `{script}`: it was never deployed")
            }
            result => result?,
        }
        rest.older_versions(&mut history).await?;
        if let Some(named) = named
            && !history.versions.contains_key(named)
            && let Some(listed) = observe::version(cloudflare, &script, named).await?
        {
            history.versions.insert(named.to_owned(), listed);
        }
        Ok((history, rest))
    }

    /// Reads what `unread` names, if it is of the script of `history`.
    async fn read(&mut self, history: &mut History, unread: &Unread) -> anyhow::Result<()> {
        match unread {
            Unread::Deployments(script) if *script == history.script => {
                self.older_deployments(history).await
            }
            Unread::Versions(script) if *script == history.script => {
                self.older_versions(history).await
            }
            _ => Ok(()),
        }
    }

    async fn older_deployments(&mut self, history: &mut History) -> anyhow::Result<()> {
        history.deployments.extend(self.deployments.next().await?);
        if self.deployments.is_over() {
            history.deployments_read = Extent::All;
        }
        Ok(())
    }

    async fn older_versions(&mut self, history: &mut History) -> anyhow::Result<()> {
        let older = self.versions.next().await?;
        let older = older.into_iter().map(|listed| (listed.id.clone(), listed));
        history.versions.extend(older);
        if self.versions.is_over() {
            history.versions_read = Extent::All;
        }
        Ok(())
    }
}

async fn give_all(
    context: &Context,
    cloudflare: &Cloudflare,
    environment: &Environment,
    targets: &[Target],
    secrets: OldSecrets,
    report: &mut apply::Report,
) -> anyhow::Result<()> {
    let title =
        |target: &Target| format!("give all traffic of `{}` to `{}`", target.script, target.to);
    report.not_attempted = targets.iter().map(title).collect();
    for target in targets {
        let title = report.begin(|line| context.progress.say(line));
        give(cloudflare, environment, target, secrets, report)
            .await
            .with_context(|| format!("failed to {title}"))?;
        report.end();
    }
    Ok(())
}

/// Verifies what came back before a rollback that failed ends with the other script as it was.
async fn leave(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    back: &[Target],
    report: &mut apply::Report,
) {
    let gateway = environment.gateway_script();
    let Some(first) = back.first() else { return };
    context
        .progress
        .say("the run ends here: verify what is live");
    let version = (first.script == gateway).then_some(first.to.as_str());
    match checked(context, remote, environment, version).await {
        Ok(verified) if verified.passed() => {
            for target in back {
                report.unverified.remove(&target.script);
            }
        }
        Ok(failed) => context
            .progress
            .say(&format!("what is live failed its check: {failed}")),
        Err(error) => context.progress.say(&format!(
            "what is live failed its check: {}",
            advice(&error).line()
        )),
    }
}

/// Verifies what came back. A rollback must not wait for a secret or a header: without its value the rest is checked.
async fn checked(
    context: &Context,
    remote: &Remote,
    environment: &Environment,
    version: Option<&str>,
) -> anyhow::Result<verify::Report> {
    let secrets = context.secrets(environment);
    let absent = format!("the source of `{WEBHOOK_SECRET}` gave no value");
    let expected = Expected {
        publisher: match secrets.value(WEBHOOK_SECRET) {
            Ok(value) => Publisher::Secret(value),
            Err(_) => Publisher::Absent(&absent),
        },
        version,
        patience: PATIENCE,
    };
    let headers = context.headers(environment);
    let site = remote.site_at_any_rate(environment, &headers, &context.progress)?;
    let made = verify(&site, environment, expected);
    let why = "what came back takes a while to answer everywhere as it must";
    let tell = |line: &str| context.progress.say(line);
    let mut report = until(tell, PATIENCE, why, made).await;
    if !report.passed() {
        let causes = Causes::sought(&remote.cloudflare, environment, tell).await;
        causes.attribute(&mut report);
    }
    Ok(report)
}

/// Why a rollback failed that was carried out; nothing where every check passed.
fn does_not_work(environment: &Environment, report: &verify::Report) -> Option<anyhow::Error> {
    let name = &environment.name;
    if report.passed() {
        return None;
    }
    if report.only_others_answered() {
        return Some(anyhow!(Advice::new(
            format!(
                "`{name}` is rolled back, live and unverified: it was not the gateway that answered, which says nothing of its code"
            ),
            format!("see the failed checks, then run `edge-broadcast verify {name}`")
        )));
    }
    Some(if report.only_the_secret_differs() {
        anyhow!(Advice::new(
            format!(
                "`{name}` is rolled back, but the version that came back has another value of `{WEBHOOK_SECRET}` than its source gives"
            ),
            format!(
                "bring it to where it is missing with `edge-broadcast secrets set {name} {WEBHOOK_SECRET}`"
            )
        ))
    } else {
        anyhow!("`{name}` is rolled back, but it does not work as it must: see the failed checks")
    })
}

/// Cloudflare cannot go back over a change of Durable Object classes (docs: Workers, Rollbacks, "Limits").
async fn same_migration(cloudflare: &Cloudflare, target: &Target) -> anyhow::Result<()> {
    let (from, to) = tokio::try_join!(
        observe::migration_tag(cloudflare, &target.script, &target.from),
        observe::migration_tag(cloudflare, &target.script, &target.to),
    )?;
    if from == to {
        return Ok(());
    }
    let shown = |tag: Option<String>| tag.map_or("none".to_owned(), |tag| format!("`{tag}`"));
    bail!(Advice::new(
        format!(
            "`{}` cannot go back to `{}`: its Durable Object migration is {}, and {} since",
            target.script,
            target.to,
            shown(to),
            shown(from)
        ),
        "deploy the old code as a new version instead"
    ))
}

/// Gives a version all traffic. It is unverified from before it is sent until it is known that it was not carried out.
async fn give(
    cloudflare: &Cloudflare,
    environment: &Environment,
    target: &Target,
    secrets: OldSecrets,
    report: &mut apply::Report,
) -> anyhow::Result<()> {
    let code_update = script::gateway(environment).code_update;
    let message = release::of_rollback(environment.name.as_str());
    let split = Split::all(&target.to);
    let change = |secrets| Change {
        script: &target.script,
        to: &target.to,
        split: &split,
        before: &target.before,
        message: &message,
        code_update,
        secrets,
    };
    let mut shift = async |secrets| {
        report.unverified.insert(target.script.clone());
        let shifted = execute::shift(cloudflare, change(secrets)).await;
        if shifted.as_ref().is_err_and(was_not_made) {
            report.unverified.remove(&target.script);
        }
        shifted
    };
    match shift(secrets).await {
        Err(error) if execute::is_secret_change(&error) => {
            // A yes is for this script: of the other one another secret may have changed
            confirm::go_on(
                &format!(
                    "a secret of `{}` changed since `{}`, which would bring the old value back to `{}`",
                    target.script, target.to, environment.name
                ),
                "--accept-old-secrets",
            )?;
            shift(OldSecrets::Accept).await
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::paged::{self, Account, Made, Story, environment};

    /// 3,000 versions in as many minutes, of which every 15th was deployed. Room and gateway of a release are a minute apart.
    fn story(first: u64) -> Story {
        let mut story = Story::default();
        for minute in 0..3000 {
            let release =
                (minute % 15 == first).then(|| format!("edge-broadcast e {}", minute / 15));
            let is_deployed = release.is_some();
            let made = Made {
                message: release,
                ..Made::default()
            };
            let id = story.make(minute, made);
            if is_deployed {
                story.deploy(minute, &[(&id, 100.0)]);
            }
        }
        story
    }

    #[tokio::test]
    async fn a_long_history_is_gone_back_in_as_a_short_one_whatever_its_pages_are() {
        // One by one the way back is as right and takes a minute
        let pagings = paged::pagings().into_iter();
        for paging in pagings.filter(|paging| paging.size.is_none_or(|size| size >= 10)) {
            let scripts = [("w-e", 1), ("w-e-room", 0)];
            let scripts = scripts.map(|(name, first)| (name.to_owned(), story(first)));
            let account = Account::start(scripts.into(), paging).await;
            let shown = async |to: Option<&str>| {
                let (_, targets) = targets(&account.cloudflare, &environment(), to)
                    .await
                    .unwrap();
                let shown = targets.into_iter().map(|target| {
                    format!(
                        "{}: {} -> {}",
                        target.script,
                        &target.from[30..],
                        &target.to[30..]
                    )
                });
                shown.collect::<Vec<_>>()
            };
            assert_eq!(
                shown(None).await,
                ["w-e: 002986 -> 002971", "w-e-room: 002985 -> 002970"],
                "{paging:?}"
            );
            let calls = account.calls().len();
            // A page of deployments and one of versions of each script where pages are as the API's, and four versions
            assert!(paging.size.is_some() || calls == 8, "{calls}");
            // 145 deployments before
            assert_eq!(
                shown(Some(&paged::id(811))).await,
                ["w-e: 002986 -> 000811", "w-e-room: 002985 -> 000810"],
                "{paging:?}"
            );
            let calls = account.calls().len();
            assert!(paging.size.is_some() || calls <= 45, "{calls}");
            let error = targets(&account.cloudflare, &environment(), Some("latest")).await;
            assert_eq!(
                error.unwrap_err().to_string(),
                "there is no version `latest`"
            );
        }
    }
}
