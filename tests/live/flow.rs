//! The run: looks whether it may begin, runs the commands until one is wrong, and cleans up whatever happened.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::FutureExt;

use super::account::Account;
use super::credentials::{self, Credentials};
use super::exit::{FAILURE, INTERRUPTED, SUCCESS};
use super::name::{Name, Whose};
use super::project::Folder;
use super::proxy::{Proxy, Target};
use super::redact;
use super::remains::{self, Remains};
use super::report::Report;
use super::say::say;
use super::step::{Outcome, Stage, Step};
use super::stop::Stop;
use super::summary::{Cleaned, Summary, Told};

/// The commands of a deployment's life. After a rollback the live version is not the newest one, and what is planned then is another
/// matter than what is promised here.
const STEPS: [Step; 16] = [
    Step::new(&["build"]),
    PLAN.exits(2),
    DEPLOY,
    PLAN,
    VERIFY,
    Step::new(&["status", "ENV", "--json"]),
    Step::new(&["secrets", "list", "ENV", "--json"]),
    Step::new(&["secrets", "rotate", "ENV", "--json"]),
    VERIFY,
    PLAN,
    Step::new(&["doctor", "ENV", "--json"]),
    PLAN.second().exits(2),
    Step::new(&[
        "deploy",
        "ENV",
        "--rollout",
        "50,100",
        "--pause",
        "1s",
        "--json",
    ])
    .second(),
    PLAN.second(),
    Step::new(&["rollback", "ENV", "--json"]),
    VERIFY,
];
const PLAN: Step = Step::new(&["plan", "ENV", "--detailed-exitcode", "--json"]);
const DEPLOY: Step = Step::new(&["deploy", "ENV", "--json"]);
const VERIFY: Step = Step::new(&["verify", "ENV", "--json"]);

/// The check that fails while a new host has no certificate yet, or its name is not known yet.
const NOT_READY: &str = "health answers";
/// How long a new host may take, and how long to wait between two looks.
const HOST_PATIENCE: Duration = Duration::from_secs(10 * 60);
const HOST_PAUSE: Duration = Duration::from_secs(15);
/// How long calls that a stopped command has sent may still be under way.
const CALLS_END: Duration = Duration::from_secs(60);

/// A run that may begin.
pub(crate) struct Run {
    name: Name,
    credentials: Credentials,
    api: String,
    target: Target,
    account: Account,
    proxy: Proxy,
    folder: Folder,
    stop: Stop,
    summary: Summary,
}

impl Run {
    /// Nothing is asked or made yet but a folder on this machine.
    pub(crate) async fn new(
        api: &str,
        target: Target,
        credentials: Credentials,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let name = Name::random();
        let mut report = Report::default();
        let zone = &credentials.zone;
        for (value, placeholder) in [
            (credentials.account.as_str(), redact::ACCOUNT),
            (&name.gateway(), redact::GATEWAY),
            (&name.room(), redact::ROOM),
            (zone, redact::ZONE),
            (&name.host(zone), redact::HOST),
        ] {
            report.redactor.name(value, placeholder);
        }
        let proxy = Proxy::start(api, target, report).await?;
        Ok(Self {
            account: Account::new(&proxy.base(), credentials.clone())?,
            folder: Folder::create(&name)?,
            api: api.to_owned(),
            target,
            name,
            credentials,
            proxy,
            stop,
            summary: Summary::default(),
        })
    }

    /// Runs everything, cleans up, and says where the report is.
    pub(crate) async fn finish(mut self) -> anyhow::Result<u8> {
        let zone = &self.credentials.zone;
        say(&format!(
            "makes the scripts `{}` and `{}` and the host `{}`, and deletes them in the end; Ctrl-C deletes them at once",
            self.name.gateway(),
            self.name.room(),
            self.name.host(zone)
        ));
        let zone_id = match self.preflight().await {
            Ok(zone_id) => zone_id,
            Err(error) => {
                self.folder.remove_project()?;
                self.write_down()?;
                return Err(error.context("nothing was made"));
            }
        };
        // Whatever happens here, what was made is removed afterwards
        let ran = AssertUnwindSafe(self.steps()).catch_unwind().await;
        let ran =
            ran.unwrap_or_else(|_| Err(anyhow::anyhow!("the run itself has a fault: see above")));
        if let Err(error) = &ran {
            say(&format!("the run ended early: {error:#}"));
        }
        let left = self.clean(&zone_id).await;
        let written = self.write_down();
        if let Some(left) = left {
            say(&left);
        }
        written?;
        Ok(match ran.is_ok() && self.summary.is_good() {
            _ if !self.summary.is_clean() => FAILURE,
            true => SUCCESS,
            false if self.stop.count() > 0 => INTERRUPTED,
            false => FAILURE,
        })
    }

    /// Whether the token reads what it must, and nothing of the run's name is there. The zone's id.
    async fn preflight(&mut self) -> anyhow::Result<String> {
        let began = Instant::now();
        let looked = self.look().await;
        self.tell(
            "look at the account",
            began.elapsed(),
            looked.as_ref().err().map(|_| "refused".to_owned()),
            None,
        );
        looked
    }

    async fn look(&self) -> anyhow::Result<String> {
        let zone = &self.credentials.zone;
        let id = zone_id(&self.account, &self.credentials).await?;
        let permissions = "has `CLOUDFLARE_API_TOKEN` the permissions Workers Scripts Edit, Workers Routes Edit and Zone Read?";
        let own = Whose::Run(self.name.clone());
        let found = remains::find(&self.account, &id, &own)
            .await
            .with_context(|| format!("looking at what is there; {permissions}"))?;
        if let Some(thing) = found.things.first() {
            bail!("there is a {thing} already; run again, which takes another name");
        }
        for unseen in &found.unseen {
            say(&format!(
                "cannot be looked at, now and in the end: {unseen}"
            ));
        }
        let earlier = remains::find(&self.account, &id, &Whose::Every).await?;
        if !earlier.things.is_empty() {
            let names: Vec<String> = earlier.things.iter().map(ToString::to_string).collect();
            say(&format!(
                "another run is at work or left something in `{zone}`: {}; `./test live --clean` removes it",
                names.join(", ")
            ));
        }
        Ok(id)
    }

    async fn steps(&mut self) -> anyhow::Result<()> {
        self.folder.make_project()?;
        for step in &STEPS {
            let outcome = self.step(step).await?;
            if outcome.exit == Ok(step.exits) {
                continue;
            }
            let is_first = step.args == DEPLOY.args && step.release == DEPLOY.release;
            let is_early = outcome.failed_checks() == [NOT_READY];
            if !(is_first && is_early && self.host_is_ready().await?) {
                bail!("`{}` is not as it should be", step.title());
            }
            // What was not ready is no fault of the tool's
            self.forgive();
            if self.step(step).await?.exit != Ok(step.exits) {
                bail!("`{}` is not as it should be", step.title());
            }
        }
        Ok(())
    }

    /// Runs one command and says what came of it.
    async fn step(&mut self, step: &Step) -> anyhow::Result<Outcome> {
        let number = self.summary.steps.len();
        let api = self.proxy.base();
        let stage = Stage {
            folder: &self.folder,
            name: &self.name,
            credentials: &self.credentials,
            api: &api,
            stop: &self.stop,
        };
        let outcome = stage.run(number, step).await?;
        let wrong = match &outcome.exit {
            Ok(exit) if *exit == step.exits => None,
            Ok(exit) => Some(format!("exit code {exit}, not {}", step.exits)),
            Err(why) => Some(why.clone()),
        };
        let is_wrong = wrong.is_some();
        self.tell(&step.title(), outcome.took, wrong, Some(&outcome));
        if is_wrong {
            say(&outcome.stdout);
            say(&outcome.stderr);
        }
        Ok(outcome)
    }

    /// Waits until a new host answers. Its certificate can take minutes.
    async fn host_is_ready(&mut self) -> anyhow::Result<bool> {
        let began = Instant::now();
        while began.elapsed() < HOST_PATIENCE {
            tokio::select! {
                () = tokio::time::sleep(HOST_PAUSE) => {}
                () = self.stop.more_than(0) => bail!("stopped"),
            }
            let outcome = self.step(&VERIFY).await?;
            if outcome.exit == Ok(0) {
                return Ok(true);
            }
            if outcome.exit.is_err() {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Keeps what a new host took in the summary, but not as a failure.
    fn forgive(&mut self) {
        for step in &mut self.summary.steps {
            if let Some(why) = step.wrong.take() {
                step.title = format!("{} (the new host was not ready: {why})", step.title);
            }
        }
    }

    /// Adds a step to the summary and prints its line.
    fn tell(
        &mut self,
        title: &str,
        took: Duration,
        wrong: Option<String>,
        outcome: Option<&Outcome>,
    ) {
        let mut report = self.proxy.report();
        let (calls, _) = report.size();
        let before: usize = self.summary.steps.iter().map(|step| step.calls).sum();
        let error = outcome.and_then(|outcome| outcome.stderr.trim_end().lines().last());
        let error = error.filter(|_| wrong.is_some());
        let told = Told {
            title: title.to_owned(),
            took,
            calls: calls - before,
            refusals: report.take_refusals(),
            checks: outcome.map_or(Vec::new(), Outcome::failed_checks),
            said: error.map(redact::Redactor::sentence),
            wrong,
        };
        say(&told.line());
        self.summary.steps.push(told);
    }

    /// Removes everything that the run may have made. What to say when something is left.
    async fn clean(&mut self, zone_id: &str) -> Option<String> {
        let began = Instant::now();
        let asked = self.stop.count();
        say("cleaning; Ctrl-C leaves what is not deleted yet");
        let cleaning = async {
            let _ = tokio::time::timeout(CALLS_END, self.proxy.quiet()).await;
            let own = Whose::Run(self.name.clone());
            remains::remove(&self.account, zone_id, &own, self.target.patience()).await
        };
        let cleaned = tokio::select! {
            cleaned = cleaning => cleaned,
            () = self.stop.more_than(asked) => Err(anyhow::anyhow!("stopped while it was cleaning")),
        };
        if let Err(error) = self.folder.remove_project() {
            say(&format!("{error:#}"));
        }
        let (left, unseen, text) = match cleaned {
            Ok((Remains { things, unseen }, _)) if things.is_empty() => (None, unseen, None),
            Ok((remains, problems)) => {
                let text = self.left(&remains, &problems);
                let left = format!("{} things are left", remains.things.len());
                (Some(left), remains.unseen, Some(text))
            }
            Err(error) => {
                let problems = [format!("{error:#}")];
                let text = self.left(&Remains::default(), &problems);
                (
                    Some("it was not finished".to_owned()),
                    Vec::new(),
                    Some(text),
                )
            }
        };
        let cleaned = Cleaned {
            took: began.elapsed(),
            left,
            unseen,
        };
        say(&cleaned.line());
        self.summary.cleaned = Some(cleaned);
        text
    }

    /// What is left, with the commands that delete it.
    fn left(&self, remains: &Remains, problems: &[String]) -> String {
        let mut lines = vec!["not everything is deleted:".to_owned()];
        for thing in &remains.things {
            lines.push(format!("  {thing}"));
        }
        if remains.things.is_empty() {
            let host = self.name.host(&self.credentials.zone);
            lines.push(format!(
                "  perhaps the scripts `{}` and `{}` with the custom domain `{host}`",
                self.name.gateway(),
                self.name.room()
            ));
        }
        lines.extend(problems.iter().map(|problem| format!("  why: {problem}")));
        lines.push(
            "`./test live --clean` tries it again; so do, with the variables set:".to_owned(),
        );
        let commands = remains
            .things
            .iter()
            .filter_map(|thing| thing.command(&self.api));
        lines.extend(commands.map(|command| format!("  {command}")));
        lines.join("\n")
    }

    /// Writes report and summary, and says where they are.
    fn write_down(&mut self) -> anyhow::Result<()> {
        let report = self.proxy.report();
        (self.summary.calls, self.summary.shapes) = report.size();
        let write = |name: &str, text: &str| {
            let path = self.folder.path(name);
            std::fs::write(&path, text)
                .with_context(|| format!("writing `{}`", path.display()))
                .map(|()| path)
        };
        let shapes = write("shapes.jsonl", &report.text())?;
        let text = self.summary.text();
        let summary = write("summary.txt", &text)?;
        let shown = |path: &Path| path.display().to_string();
        say(&format!(
            "\n{text}\nfor an issue, without names, ids and secrets: `{}` and `{}`\nwhat the commands printed, with names: `{}`",
            shown(&summary),
            shown(&shapes),
            shown(&self.folder.path("steps"))
        ));
        Ok(())
    }
}

/// The id of the zone, which must be one in which hosts work.
pub(crate) async fn zone_id(
    account: &Account,
    credentials: &Credentials,
) -> anyhow::Result<String> {
    let Credentials {
        account: id, zone, ..
    } = credentials;
    let path = format!("/zones?name={zone}&account.id={id}");
    let zones = match account.list(&path).await? {
        Ok(zones) => zones,
        Err(said) => bail!(
            "the API refuses to look for the zone `{zone}`: {said}; has `{}` the permission Zone Read?",
            credentials::TOKEN
        ),
    };
    let found = zones.iter().find(|found| found["name"] == zone.as_str());
    let Some(found) = found else {
        bail!(
            "the account of `{}` has no zone `{zone}` that the token may read; correct `{}`, or the token's zone resources",
            credentials::ACCOUNT,
            credentials::ZONE
        );
    };
    let status = found["status"].as_str().unwrap_or("active");
    ensure!(
        status == "active",
        "the zone `{zone}` is not active but {status:?}: no host works there"
    );
    let zone_id = found["id"].as_str().unwrap_or_default();
    let is_id = zone_id.len() == 32 && zone_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(
        is_id,
        "the API gave the zone the id {zone_id:?}, which is no id"
    );
    Ok(zone_id.to_owned())
}
