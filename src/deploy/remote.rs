//! Where an environment is deployed: Cloudflare, whatever `CLOUDFLARE_API_BASE_URL` names, or a sandbox of this command's own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use edge_broadcast_sandbox::{self as sandbox, Console, Options, Sandbox, Strictness};

use crate::build::toolchain;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::lists::Lists;
use crate::environment::Environment;
use crate::live::header;
use crate::live::site::Site;
use crate::process::run::Runner;
use crate::secret::{Secrets, Value};
use crate::terminal::advice::Advice;
use crate::terminal::progress::Progress;

/// An API, and the way to the deployed hosts.
pub(crate) struct Remote {
    pub(crate) cloudflare: Cloudflare,
    /// The sandbox's ingress; `None` is the internet.
    via: Option<SocketAddr>,
    /// Kept alive, and ended with the command.
    sandbox: Option<Sandbox>,
}

impl Remote {
    /// The remote that the environment variables and the manifest name.
    pub(crate) async fn from_env(
        environment: &Environment,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let cloudflare = Cloudflare::from_env(environment)?.telling(progress);
        let via = match cloudflare.is_elsewhere() {
            true => cloudflare.ingress().await?,
            false => None,
        };
        Ok(Self {
            cloudflare,
            via,
            sandbox: None,
        })
    }

    /// The same for a command that only reads, and reads none of `lists` again.
    pub(crate) async fn reading(
        environment: &Environment,
        progress: &Progress,
        lists: &Lists,
    ) -> anyhow::Result<Self> {
        let remote = Self::from_env(environment, progress).await?;
        Ok(Self {
            cloudflare: remote.cloudflare.sharing(lists),
            ..remote
        })
    }

    /// A new, empty sandbox that knows the environment's zone. A rehearsal assumes that the zone is ready: the hosts of its routes have
    /// their DNS records, which the tool never makes.
    pub(crate) async fn rehearsal(
        environment: &Environment,
        runner: &Runner,
    ) -> anyhow::Result<Self> {
        Self::sandbox(environment, runner, 0, None, Console::Alone).await
    }

    /// The same with the hosts at `port`, where 0 is any free one, and with what an earlier one left in the folder `state`.
    pub(crate) async fn sandbox(
        environment: &Environment,
        runner: &Runner,
        port: u16,
        state: Option<PathBuf>,
        console: Console,
    ) -> anyhow::Result<Self> {
        let runner = runner.clone();
        let workerd = tokio::task::spawn_blocking(move || toolchain::workerd(&runner))
            .await
            .context("installing workerd")??;
        let sandbox = sandbox::start(Options {
            workerd,
            api_port: 0,
            port,
            state,
            zones: vec![environment.zone.to_string()],
            records: environment.routed_hosts(),
            strictness: Strictness::Strict,
            console,
        })
        .await
        .context("starting the sandbox")?;
        let token = Value::new(sandbox.token().to_owned());
        let cloudflare = Cloudflare::new(&sandbox.api(), sandbox.account_id().to_owned(), token)?;
        Ok(Self {
            cloudflare,
            via: Some(sandbox.ingress()),
            sandbox: Some(sandbox),
        })
    }

    /// The environment's main host as clients reach it, with the headers that open it. Before a rehearsal's nothing stands.
    pub(crate) fn site(
        &self,
        environment: &Environment,
        headers: &Secrets<'_>,
    ) -> anyhow::Result<Site> {
        let site = self.bare_site(environment)?;
        match self.sandbox {
            Some(_) => Ok(site),
            None => Ok(site.with(header::read(environment, headers)?)),
        }
    }

    /// The same, for what must not wait for a header: where its source gives nothing, that is told, and nothing opens what may stand
    /// before the host.
    pub(crate) fn site_at_any_rate(
        &self,
        environment: &Environment,
        headers: &Secrets<'_>,
        progress: &Progress,
    ) -> anyhow::Result<Site> {
        self.site(environment, headers).or_else(|error| {
            progress.say(&Advice::of(&error).line());
            self.bare_site(environment)
        })
    }

    fn bare_site(&self, environment: &Environment) -> anyhow::Result<Site> {
        Site::new(environment.main_host().as_str(), self.via)
    }

    /// The sandbox, if it is one of the command's own.
    pub(crate) fn own(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    /// What the sandbox says without being asked; without one it never says anything.
    pub(crate) async fn notice(&mut self) -> String {
        let notice = match &mut self.sandbox {
            Some(sandbox) => sandbox.notice().await,
            None => None,
        };
        match notice {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    /// Ends the sandbox, if there is one.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self.sandbox {
            Some(sandbox) => sandbox.stop().await.context("stopping the sandbox"),
            None => Ok(()),
        }
    }
}
