//! A script: its versions, deployments, and the settings that are not versioned.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::account::error::{ApiError, invalid};
use crate::account::namespace::Namespace;
use crate::account::observability;
use crate::account::version::{Version, bindings, set};

/// A script. Versions are in the order of their upload, deployments newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Script {
    /// As in the URL.
    pub name: String,
    /// 32 hex digits; wrangler compares it in CI.
    pub tag: String,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
    /// Of the last migration.
    pub migration_tag: Option<String>,
    /// Settings that take effect without a version.
    pub settings: Settings,
    /// The workers.dev address.
    pub subdomain: Subdomain,
    /// The cron triggers.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// Every version.
    pub versions: Vec<Version>,
    /// Every deployment.
    pub deployments: Vec<Deployment>,
    /// Busy objects that wait with a change of their version. Not kept: whoever starts a sandbox again finds no object running.
    #[serde(skip)]
    pub holds: Vec<Hold>,
}

/// `script-settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Labels.
    pub tags: Vec<String>,
    /// Log push.
    pub logpush: bool,
    /// `{"enabled": …}`
    pub observability: Option<Value>,
    /// Consumers.
    pub tail_consumers: Option<Value>,
}

/// A cron trigger, in the form that the API shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    /// Five fields.
    pub cron: String,
    /// RFC 3339.
    pub created_on: String,
    /// RFC 3339.
    pub modified_on: String,
}

/// Whether `<script>.<account>.workers.dev` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subdomain {
    /// The address itself.
    pub enabled: bool,
    /// Addresses of single versions; the sandbox keeps the setting only.
    #[serde(default)]
    pub previews_enabled: bool,
}

/// A deployment, in the form that the API shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// UUID.
    pub id: String,
    /// RFC 3339.
    pub created_on: String,
    /// `wrangler` or `api`.
    pub source: String,
    /// Always `percentage`.
    pub strategy: String,
    /// Who.
    pub author_email: String,
    /// `workers/message`, `workers/triggered_by`.
    pub annotations: Map<String, Value>,
    /// One or two.
    pub versions: Vec<Share>,
    /// As it was sent: when running objects change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_update_strategy: Option<Value>,
}

/// A version's share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The version.
    pub version_id: String,
    /// 0 to 100.
    pub percentage: f64,
}

/// An object that keeps a version for a while, although the split gives it another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Its class.
    pub class: String,
    /// Its id.
    pub object: String,
    /// What it runs.
    pub version: String,
    /// Until when at most: milliseconds since 1970.
    pub until_ms: u64,
}

impl Settings {
    /// Takes over what is named and leaves the others.
    pub(crate) fn set(
        &mut self,
        tags: Option<&Vec<String>>,
        logpush: Option<bool>,
        observability: Option<&Value>,
        tail_consumers: Option<&Value>,
    ) -> Result<(), ApiError> {
        if let Some(given) = observability {
            observability::check(given)?;
            self.observability = Some(given.clone());
        }
        self.tags = tags.unwrap_or(&self.tags).clone();
        self.logpush = logpush.unwrap_or(self.logpush);
        self.tail_consumers = tail_consumers.or(self.tail_consumers.as_ref()).cloned();
        Ok(())
    }
}

impl Script {
    /// A version by id.
    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version uploaded last.
    pub(crate) fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// The shares of the current deployment, in its order.
    pub(crate) fn shares(&self) -> &[Share] {
        let current = self.deployments.first();
        current.map_or(&[], |current| &current.versions)
    }

    /// The versions of the current deployment, in its order.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Version> {
        let shares = self.shares().iter();
        shares.filter_map(|share| self.version(&share.version_id))
    }

    /// The running version with the highest share: the one that holds the Durable Objects.
    pub(crate) fn primary(&self) -> Option<&Version> {
        let best = self.shares().iter().reduce(|best, share| {
            if share.percentage > best.percentage {
                share
            } else {
                best
            }
        })?;
        self.version(&best.version_id)
    }

    /// The number of the next version.
    pub(crate) fn next_number(&self) -> u32 {
        self.latest().map_or(1, |latest| latest.number + 1)
    }
}

/// Lower-case letters, digits, `-` and `_`, at most 63 (a label of the workers.dev address).
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.len() > 63 {
        let length = name.len();
        let message = format!("the Worker name `{name}` has {length} characters; 63 are allowed");
        return Err(invalid(10016, message));
    }
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(allowed) {
        let message = format!(
            "the Worker name `{name}` is invalid; use lower-case letters, digits, `-` and `_`"
        );
        return Err(invalid(10016, message));
    }
    Ok(())
}

/// As an item of `GET …/scripts`, and within `services/S`. Recorded: what was never set is null here.
pub(crate) fn summary(script: &Script) -> Value {
    let latest = script.latest();
    let settings = &script.settings;
    let mut value = json!({
        "id": script.name, "tag": script.tag, "logpush": settings.logpush,
        "tags": (!settings.tags.is_empty()).then_some(&settings.tags), "tail_consumers": settings.tail_consumers,
        "created_on": script.created_on, "modified_on": script.modified_on, "usage_model": "standard",
        "entry_point": latest.map(|version| &version.main_module),
        "etag": latest.map(|version| &version.etag), "handlers": latest.map(|version| &version.described.handlers),
        "last_deployed_from": latest.map(|version| &version.source), "has_assets": false, "has_modules": true,
        "compatibility_date": latest.and_then(|version| version.compatibility_date.as_ref()),
    });
    let flags = latest.map_or(&[][..], |version| &version.compatibility_flags);
    let flags = (!flags.is_empty()).then(|| json!(flags));
    set(&mut value, "compatibility_flags", flags);
    set(&mut value, "migration_tag", script.migration_tag.as_deref());
    set(&mut value, "observability", observed(settings));
    value
}

fn observed(settings: &Settings) -> Option<Value> {
    settings.observability.as_ref().map(observability::shown)
}

/// As `GET …/script-settings`.
pub(crate) fn script_settings(script: &Script) -> Value {
    let settings = &script.settings;
    json!({
        "tags": settings.tags, "logpush": settings.logpush, "observability": observed(settings),
        "tail_consumers": settings.tail_consumers,
    })
}

/// As `GET …/settings`: the latest version's settings and the script's own. Recorded: what was never set is an empty list here, and
/// `observability` is left out.
pub(crate) fn settings(script: &Script, namespaces: &[Namespace]) -> Value {
    let own = &script.settings;
    let mut value = json!({
        "usage_model": "standard", "tags": own.tags, "logpush": own.logpush,
        "tail_consumers": own.tail_consumers.clone().unwrap_or_else(|| json!([])),
    });
    set(&mut value, "observability", observed(own));
    set(&mut value, "migration_tag", script.migration_tag.as_deref());
    if let Some(latest) = script.latest() {
        value["bindings"] = bindings(latest, &script.name, namespaces).into();
        value["compatibility_flags"] = json!(latest.compatibility_flags);
        value["annotations"] = json!(latest.annotations);
        value["placement"] = latest.placement.clone().unwrap_or_else(|| json!({}));
        let date = latest.compatibility_date.as_deref();
        set(&mut value, "compatibility_date", date);
        set(&mut value, "limits", latest.limits.clone());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_script_name_is_a_lower_case_label_of_at_most_63_characters() {
        assert!(check_name("glow-broadcast-staging_1").is_ok());
        for bad in ["", "Upper", "-dash", "dot.ted", &"a".repeat(64)] {
            assert_eq!(check_name(bad).unwrap_err().problems[0].0, 10016, "{bad}");
        }
    }
}
