//! Plans: what must change so that Cloudflare matches the manifest, and what stands in the way.
//!
//! Pure: knows nothing of HTTP. `deploy` performs what [`Plan::between`] decided and decides nothing itself.
//!
//! Imports: `build`, `environment`, `process`, `terminal`

mod conflict;
mod counts;
mod desired;
pub mod destroy;
mod display;
pub mod finding;
pub(crate) mod foreign;
pub(crate) mod history;
mod host;
mod monthly;
mod observed;
pub(crate) mod obstacle;
pub(crate) mod ownership;
pub mod pair;
pub(crate) mod release;
pub(crate) mod rollback;
pub(crate) mod saved;
pub(crate) mod script_tags;
mod settings;
mod shadow;
mod split;
mod step;
#[cfg(test)]
mod tests;
mod upload;
pub(crate) mod version_tag;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::conflict::{Conflict, Conflicts};
pub use self::desired::{Desired, Wanted, gateway};
pub use self::finding::Finding;
pub(crate) use self::observed::Way;
pub use self::observed::{
    Holding, Kept, Live, LiveDomain, LiveRecord, LiveRoute, LiveVersion, LiveZone, Observed, Seen,
};
pub(crate) use self::shadow::Shadow;
pub use self::split::{Percent, Share, Split};
pub use self::step::{Change, Lane, Shift, Step, Then, Upload};
pub use self::upload::{filled, unset};
use crate::build::Worker;
pub use crate::environment::OverrideDns;
use crate::environment::name::Stages;

/// The steps from what is observed to what is desired, in the order in which they must happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub environment: String,
    pub socket_impact: SocketImpact,
    /// Within how many seconds rooms that hold sockets change to the new version; only where it makes sockets reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rooms_change_within_seconds: Option<u64>,
    pub steps: Vec<Step>,
}

/// Whether requests may come to the gateway before `code` is live. What somebody else's code is on gets none of ours, unless that is
/// rolled out in stages: their checks need the hosts.
fn is_ready(desired: &Desired, observed: &Observed, code: &[Step]) -> bool {
    let gateway = desired.gateway();
    let is_theirs = desired.adopted.contains(gateway) && !code.iter().any(Step::is_stage);
    observed.scripts.contains_key(gateway) && !is_theirs
}

/// Effect of a plan on open WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketImpact {
    None,
    /// A new version of the room restarts its objects: every client reconnects.
    Reconnect,
}

impl Plan {
    /// Decides every write, or says why there can be none.
    ///
    /// What can fail without new code comes before it: a right that is missing is found while what was live before still is. So settings
    /// of scripts that are there, and ways to a gateway that is, come first; what only takes away comes last. What is adopted gets its
    /// settings with its code.
    pub fn between(
        desired: &Desired,
        observed: &Observed,
        stages: &Stages,
    ) -> Result<Self, Conflicts> {
        let release = desired.release();
        let mut conflicts = conflict::of_owners(desired, observed);
        let (mut steps, mut code) = (Vec::new(), Vec::new());
        let mut socket_impact = SocketImpact::None;
        let mut rooms_change_within_seconds = None;
        for wanted in &desired.scripts {
            let live = observed.scripts.get(&wanted.script.name);
            conflicts.extend(conflict::of_script(wanted, live, observed));
            let classes = observed.classes.get(&wanted.script.name);
            let upload = upload::of(wanted, live, classes, &release);
            if wanted.script.role == Worker::Room && live.is_some() && upload.is_some() {
                socket_impact = SocketImpact::Reconnect;
                let delay = wanted.script.code_update.max_delay;
                rooms_change_within_seconds = Some(delay.unwrap_or_default());
            }
            if let Some(upload) = upload {
                let shifts = upload::shifts(&upload, wanted, live, stages);
                code.push(Step::Upload(upload));
                code.extend(shifts);
            }
            let settings = settings::steps(&wanted.script, live);
            // Our owner is never written on somebody else's code: a later run would take that for ours
            match live {
                Some(_) if !desired.adopted.contains(&wanted.script.name) => steps.extend(settings),
                _ => code.extend(settings),
            }
        }
        let hosts = host::steps(desired, observed, &mut conflicts).into_iter();
        let (removed, added): (Vec<Step>, Vec<Step>) = hosts.partition(Step::only_removes);
        // Hosts of another script of ours move when the new code is live
        let (moves, added): (Vec<Step>, Vec<Step>) =
            added.into_iter().partition(|step| step.back().is_some());
        conflicts.extend(conflict::of_stages(desired, observed, &code, &moves));
        let parts = match is_ready(desired, observed, &code) {
            true => [added, code, moves, removed],
            false => [code, added, moves, removed],
        };
        steps.extend(parts.into_iter().flatten());
        if conflicts.is_empty() {
            Ok(Self {
                environment: desired.environment.clone(),
                socket_impact,
                rooms_change_within_seconds,
                steps,
            })
        } else {
            Err(Conflicts(conflicts))
        }
    }

    /// Whether nothing has to change.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The script of `role`, when a version of it that is live is replaced.
    pub fn replaces(&self, role: Worker) -> Option<String> {
        let mut shifts = self.steps.iter().filter_map(|step| match step {
            Step::Shift(shift) if shift.role == role => Some(&shift.script),
            _ => None,
        });
        shifts.next().cloned()
    }

    /// The secrets whose values the plan sends.
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Upload(upload) => Some(&upload.secrets),
                _ => None,
            })
            .flatten()
            .map(String::as_str)
            .collect()
    }
}
