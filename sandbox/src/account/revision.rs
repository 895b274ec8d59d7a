//! `PATCH …/settings`: the latest code with other settings. What belongs to a version makes a new one, which is deployed to everybody;
//! what belongs to the script takes effect without one. Pure.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::account::deployment::release;
use crate::account::error::{ApiError, invalid};
use crate::account::inheritance::{Missing, resolve};
use crate::account::metadata::check_date;
use crate::account::script::Script;
use crate::account::secret::{Changes, changed, check_latest_is_deployed};
use crate::account::stamp::Stamp;

/// The settings that a call names (SDK, `ScriptAndVersionSettingEditParams`); null and absent leave what is. No `Debug`: bindings may
/// hold secret values.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Revision {
    bindings: Option<Vec<Value>>,
    compatibility_date: Option<String>,
    compatibility_flags: Option<Vec<String>>,
    limits: Option<Value>,
    placement: Option<Value>,
    annotations: Option<Map<String, Value>>,
    /// The sandbox has one usage model; what is sent is not kept.
    usage_model: Option<String>,
    logpush: Option<bool>,
    observability: Option<Value>,
    tags: Option<Vec<String>>,
    tail_consumers: Option<Value>,
    migrations: Option<Value>,
    exports: Option<Value>,
}

impl Revision {
    fn makes_a_version(&self) -> bool {
        self.bindings.is_some()
            || self.compatibility_date.is_some()
            || self.compatibility_flags.is_some()
            || self.limits.is_some()
            || self.placement.is_some()
            || self.annotations.is_some()
    }
}

/// Applies a revision.
pub(crate) fn apply(
    script: &mut Script,
    revision: Revision,
    stamp: &Stamp,
) -> Result<(), ApiError> {
    if revision.migrations.is_some() || revision.exports.is_some() {
        let message =
            "the sandbox changes classes by an upload only; send the migration with `PUT`";
        return Err(invalid(10021, message));
    }
    let model = revision.usage_model.as_deref().unwrap_or("standard");
    if model != "standard" {
        let message =
            format!("the usage model `{model}` is not one of this account's; it has `standard`");
        return Err(invalid(10021, message));
    }
    let mut settings = script.settings.clone();
    settings.set(
        revision.tags.as_ref(),
        revision.logpush,
        revision.observability.as_ref(),
        revision.tail_consumers.as_ref(),
    )?;
    if revision.makes_a_version() {
        revise(script, revision, stamp)?;
    }
    script.settings = settings;
    script.modified_on.clone_from(&stamp.now);
    Ok(())
}

fn revise(script: &mut Script, revision: Revision, stamp: &Stamp) -> Result<(), ApiError> {
    check_latest_is_deployed(script, 10214)?;
    let annotations = revision.annotations.unwrap_or_default();
    let mut version = changed(script, Changes::new(), "settings", annotations, stamp)?;
    if let Some(given) = revision.bindings {
        let given: Vec<Value> = given.into_iter().map(inherited).collect();
        let environment = resolve(&given, Some(&[]), Some(script), Missing::Refused)?;
        version.bindings = environment.bindings;
        version.secrets = environment.secrets;
    }
    check_date(revision.compatibility_date.as_deref(), &stamp.now)?;
    version.compatibility_date = revision.compatibility_date.or(version.compatibility_date);
    if let Some(flags) = revision.compatibility_flags {
        version.compatibility_flags = flags;
    }
    version.limits = revision.limits.or(version.limits);
    version.placement = revision.placement.or(version.placement);
    release(script, version, "settings", stamp);
    Ok(())
}

/// A binding with nothing but a name and a type stays what it is: older wranglers send a script's secrets so.
fn inherited(binding: Value) -> Value {
    match binding.as_object() {
        Some(members) if members.len() == 2 => json!({"type": "inherit", "name": binding["name"]}),
        _ => binding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::fixed;
    use crate::account::fixture::room;

    fn revised(revision: Value) -> Script {
        let mut state = room();
        let script = state.script_mut("a", "room").unwrap();
        apply(script, serde_json::from_value(revision).unwrap(), &fixed(2)).unwrap();
        script.clone()
    }

    #[test]
    fn what_belongs_to_the_version_makes_a_new_one_that_is_deployed() {
        let script = revised(json!({
            "compatibility_date": "2026-02-02", "compatibility_flags": ["nodejs_compat"], "limits": {"cpu_ms": 50}, "placement": {"mode": "smart"},
        }));
        let latest = script.latest().unwrap();
        assert_eq!((script.versions.len(), latest.number), (2, 2));
        assert_eq!(latest.compatibility_date.as_deref(), Some("2026-02-02"));
        assert_eq!(latest.compatibility_flags, ["nodejs_compat"]);
        assert_eq!(latest.limits, Some(json!({"cpu_ms": 50})));
        assert_eq!(latest.placement, Some(json!({"mode": "smart"})));
        assert_eq!(script.deployments[0].versions[0].version_id, latest.id);
        assert!(
            latest.secrets.contains_key("SECRET"),
            "what was not named stays"
        );
    }

    #[test]
    fn what_belongs_to_the_script_makes_none() {
        let script = revised(
            json!({"tags": ["a"], "logpush": true, "tail_consumers": [{"service": "x"}], "limits": null}),
        );
        assert_eq!(script.versions.len(), 1);
        assert_eq!(script.settings.tags, ["a"]);
        assert!(script.settings.logpush);
    }

    #[test]
    fn bindings_are_replaced_as_a_whole_and_a_bare_one_stays() {
        let script = revised(
            json!({"bindings": [{"name": "SECRET", "type": "secret_text"}, {"name": "TEXT", "type": "plain_text", "text": "x"}]}),
        );
        let names: Vec<&str> = script
            .latest()
            .unwrap()
            .bindings
            .iter()
            .map(|binding| binding.name.as_str())
            .collect();
        assert_eq!(names, ["SECRET", "TEXT"]);
        assert_eq!(
            script.latest().unwrap().secrets["SECRET"].expose(),
            "marker"
        );
    }

    #[test]
    fn classes_change_by_an_upload_only() {
        let mut state = room();
        let revision = json!({"migrations": {"new_tag": "v2", "new_sqlite_classes": ["Hall"]}});
        let revision = serde_json::from_value(revision).unwrap();
        let error = apply(state.script_mut("a", "room").unwrap(), revision, &fixed(2)).unwrap_err();
        assert_eq!(error.problems[0].0, 10021);
    }
}
