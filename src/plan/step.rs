//! The writes that a plan consists of.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::observed::Kept;
use super::split::Percent;
use crate::build::Worker;
use crate::environment::OverrideDns;

/// One write, or one write and the deployment that makes it live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[cfg_attr(test, derive(strum::EnumDiscriminants))]
#[cfg_attr(test, strum_discriminants(derive(strum::EnumIter, PartialOrd, Ord)))]
#[expect(clippy::large_enum_variant, reason = "a plan has a dozen steps")]
pub enum Step {
    /// Code, bindings and settings of a script.
    Upload(Upload),
    /// Gives the uploaded version a share of the traffic.
    Shift(Shift),
    /// `cf:service`, `cf:environment`, the owner, and what else is not part of a version.
    Settings {
        script: String,
        /// Tags that must be there, each as the only one of its key; all others stay.
        tags: BTreeSet<String>,
        observability: bool,
        changes: Vec<Change>,
    },
    /// Whether `workers.dev` serves the script.
    WorkersDev {
        script: String,
        enabled: bool,
        changes: Vec<Change>,
    },
    AddRoute {
        pattern: String,
        script: String,
    },
    /// Gives a route of another script of ours to this one, in place: at each moment one of them answers.
    MoveRoute {
        pattern: String,
        id: String,
        from: String,
        script: String,
    },
    /// The same for a custom domain.
    MoveDomain {
        hostname: String,
        from: String,
        script: String,
    },
    RemoveRoute {
        pattern: String,
        id: String,
        script: String,
    },
    AddDomain {
        hostname: String,
        script: String,
        override_dns: OverrideDns,
        /// The DNS record of another Worker that the domain's own replaces.
        changes: Vec<Change>,
    },
    RemoveDomain {
        hostname: String,
        id: String,
        script: String,
    },
}

/// A new version of a script.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Upload {
    pub role: Worker,
    pub script: String,
    pub tag: String,
    /// `workers/message`: who made it, for which environment, in which release.
    pub message: String,
    pub lane: Lane,
    /// Names of secrets that this version brings; all others are inherited.
    pub secrets: BTreeSet<String>,
    #[serde(rename = "kept", skip_serializing_if = "Kept::is_empty")]
    pub unmanaged: Kept,
    /// Names of the live version's secrets, which the new one must have too.
    #[serde(rename = "keeps")]
    pub inherited_secrets: BTreeSet<String>,
    /// The live version, when it is not the newest: the API would keep the secrets of the newest.
    pub inherit_from: Option<String>,
    pub changes: Vec<Change>,
}

/// A change of the traffic's split between the uploaded version and the one before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shift {
    pub role: Worker,
    pub script: String,
    /// Share of the new version; at 0 only a request that names it reaches it.
    pub percent: u8,
    /// The version that has the rest, and that traffic returns to when a check fails.
    pub from: String,
    /// Share of the new version when the plan was made, in percent.
    pub reached: Percent,
    /// Action before the next step.
    pub then: Then,
}

/// Action after a change of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    GoOn,
    Check,
}

/// Way on which a version becomes live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "lane", rename_all = "snake_case")]
pub enum Lane {
    /// A new Worker or a pending migration: one `PUT` at 100 %. `versions` refuses migrations with 10211.
    Lifecycle {
        why: String,
        /// The versions that are live now.
        replaces: Vec<String>,
        old_tag: Option<String>,
        migrations: Vec<String>,
    },
    /// A version, which later steps give its traffic.
    Code {
        /// The newest version before this one.
        latest: Option<String>,
        /// The newest version already is what is wanted, left over from an interrupted run.
        adopt: Option<String>,
    },
}

/// A difference in one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub what: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Change {
    /// The difference between two values of `what`, if there is one.
    pub(super) fn between(
        what: impl Into<String>,
        before: Option<impl Serialize>,
        after: Option<impl Serialize>,
    ) -> Option<Self> {
        let before = before.map(|value| json!(value));
        let after = after.map(|value| json!(value));
        (before != after).then(|| Self {
            what: what.into(),
            before,
            after,
        })
    }
}

impl Step {
    /// One line without values: what the step does, for progress and reports.
    pub fn title(&self) -> String {
        match self {
            Self::Upload(Upload { script, lane, .. }) => match lane {
                Lane::Lifecycle { .. } => format!("upload `{script}` and deploy it"),
                Lane::Code { adopt: None, .. } => format!("upload a version of `{script}`"),
                Lane::Code {
                    adopt: Some(version),
                    ..
                } => format!(
                    "take the version `{version}` of `{script}`, which an earlier run uploaded"
                ),
            },
            Self::Shift(Shift {
                script, percent, ..
            }) => match percent {
                100 => format!("give all traffic of `{script}` to the new version"),
                _ => format!(
                    "give {percent} % of the traffic of `{script}` to the new version, and check it"
                ),
            },
            Self::Settings { script, .. } => format!("set the tags of `{script}`"),
            Self::WorkersDev {
                script, enabled, ..
            } => match enabled {
                true => format!("serve `{script}` on workers.dev"),
                false => format!("keep `{script}` off workers.dev"),
            },
            Self::AddRoute { pattern, script } => format!("route `{pattern}` to `{script}`"),
            Self::MoveRoute {
                pattern,
                from,
                script,
                ..
            } => format!("move the route `{pattern}` from `{from}` to `{script}`"),
            Self::MoveDomain {
                hostname,
                from,
                script,
            } => format!("move the custom domain `{hostname}` from `{from}` to `{script}`"),
            Self::RemoveRoute {
                pattern, script, ..
            } => format!("remove the route `{pattern}` of `{script}`"),
            Self::AddDomain {
                hostname, script, ..
            } => format!("attach the custom domain `{hostname}` to `{script}`"),
            Self::RemoveDomain {
                hostname, script, ..
            } => format!("detach the custom domain `{hostname}` from `{script}`"),
        }
    }

    /// Whether the step only takes something away: such steps come last.
    pub fn only_removes(&self) -> bool {
        matches!(self, Self::RemoveRoute { .. } | Self::RemoveDomain { .. })
    }

    /// Whether the step gives a share of the traffic that is checked before the next step.
    pub(super) fn is_stage(&self) -> bool {
        matches!(self, Self::Shift(shift) if shift.then == Then::Check)
    }

    /// The step that undoes a move.
    pub fn back(&self) -> Option<Self> {
        match self.clone() {
            Self::MoveRoute {
                pattern,
                id,
                from,
                script,
            } => Some(Self::MoveRoute {
                pattern,
                id,
                from: script,
                script: from,
            }),
            Self::MoveDomain {
                hostname,
                from,
                script,
            } => Some(Self::MoveDomain {
                hostname,
                from: script,
                script: from,
            }),
            _ => None,
        }
    }

    pub(super) fn changes(&self) -> &[Change] {
        match self {
            Self::Upload(upload) => &upload.changes,
            Self::Settings { changes, .. }
            | Self::WorkersDev { changes, .. }
            | Self::AddDomain { changes, .. } => changes,
            _ => &[],
        }
    }
}
