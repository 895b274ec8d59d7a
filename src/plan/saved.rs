//! A plan that was saved in a file, to be applied exactly as it was reviewed.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::build::module::hex;
use crate::environment::name::Stages;
use crate::plan::{Observed, Plan};
use crate::process::file::{self, Readers};
use crate::terminal::advice::Advice;

/// Content of the file that `plan --out` writes. Holds no secret value: a plan has none.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedPlan {
    pub(crate) environment: String,
    pub(crate) account: String,
    /// As `--rollout` takes it.
    pub(crate) rollout: String,
    /// As `--adopt` takes them.
    #[serde(default)]
    pub(crate) adopt: Vec<String>,
    /// The scripts that `--take-route-from` named.
    #[serde(default)]
    pub(crate) take_route_from: Vec<String>,
    /// A hash of everything that was live, as far as every token that can deploy reads it: who plans and who deploys need not have one.
    pub(crate) live: String,
    pub(crate) plan: Value,
}

impl SavedPlan {
    /// The plan of `observed` in `account`.
    pub(crate) fn new(
        account: &str,
        observed: &Observed,
        plan: &Plan,
        rollout: &Stages,
        adopt: &[String],
        take_route_from: &[String],
    ) -> anyhow::Result<Self> {
        let live = serde_json::to_string(observed).context("writing the live state as JSON")?;
        Ok(Self {
            environment: plan.environment.clone(),
            account: account.to_owned(),
            rollout: rollout.to_string(),
            adopt: adopt.to_vec(),
            take_route_from: take_route_from.to_vec(),
            live: hex(&Sha256::digest(live)),
            plan: serde_json::to_value(plan).context("writing the plan as JSON")?,
        })
    }

    /// Reads a saved plan.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the plan `{}`", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` is not a plan that `plan --out` wrote", path.display()))
    }

    /// Saves the plan.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing the plan as JSON")?;
        file::replace(path, (text + "\n").as_bytes(), Readers::AsBefore).context("keeping the plan")
    }

    /// Refuses when what `now` says is not what was saved.
    pub(crate) fn check(&self, now: &Self) -> anyhow::Result<()> {
        if self.environment != now.environment || self.account != now.account {
            bail!(
                "the plan is for `{}` in the account `{}`, not for `{}` in `{}`",
                self.environment,
                self.account,
                now.environment,
                now.account
            );
        }
        let since = |what: &str| {
            let what = format!("{what} since the plan was made");
            Advice::new(what, "plan again")
        };
        let name = &self.environment;
        if self.live != now.live {
            bail!(since(&format!("what is live of `{name}` moved")));
        }
        if self.plan != now.plan {
            bail!(since(&format!(
                "the manifest or the code of `{name}` changed"
            )));
        }
        Ok(())
    }
}
