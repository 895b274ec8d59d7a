//! From an upload to a version: the two lanes, `PUT scripts/S` and `POST scripts/S/versions`. Pure.

use crate::account::bundle::Described;
use crate::account::class::{check_bound, used, wanted};
use crate::account::deployment::{everybody, triggered_by};
use crate::account::error::{ApiError, invalid, no_script};
use crate::account::inheritance::{Environment, Missing, resolve};
use crate::account::metadata::{Metadata, Upload};
use crate::account::migration;
use crate::account::module::{etag, id};
use crate::account::namespace::Namespace;

use crate::account::script::{Script, Settings, check_name};
use crate::account::stamp::Stamp;
use crate::account::state::{Account, State};
use crate::account::version::Version;

/// The lifecycle lane: creates the script or changes its classes, and deploys to everybody at once. Gives the version's id.
pub(crate) fn put(
    state: &mut State,
    account: &str,
    name: &str,
    upload: Upload,
    missing: Missing,
    stamp: &Stamp,
) -> Result<String, ApiError> {
    check_name(name)?;
    let account = state.account_mut(account);
    let known = account.scripts.get(name);
    let settings = settings(known, &upload.metadata)?;
    let environment = environment(&upload.metadata, known, missing)?;
    let (namespaces, tag) = migrated(account, name, &upload.metadata, &environment, stamp)?;
    check_classes(account, name, &environment, &namespaces, &upload.described)?;

    account.namespaces = namespaces;
    let script = account
        .scripts
        .entry(name.to_owned())
        .or_insert_with(|| new_script(name, stamp));
    script.migration_tag = tag;
    script.settings = settings;
    let strategy = upload.metadata.code_update_strategy.clone();
    let version = version(script, upload, environment, stamp);
    let mut deployment = everybody(&version.id, "upload", stamp);
    deployment.code_update_strategy = strategy;
    // Recorded: the deployment that an upload makes says so, unless the upload brings a message
    let message = "Automatic deployment on upload.".into();
    deployment
        .annotations
        .insert("workers/message".to_owned(), message);
    deployment.annotations.extend(version.annotations.clone());
    script.versions.push(version);
    script.deployments.insert(0, deployment);
    script.modified_on.clone_from(&stamp.now);
    Ok(stamp.version.clone())
}

/// The namespaces and the migration tag after an upload's migrations.
fn migrated(
    account: &Account,
    name: &str,
    metadata: &Metadata,
    environment: &Environment,
    stamp: &Stamp,
) -> Result<(Vec<Namespace>, Option<String>), ApiError> {
    let known = account.scripts.get(name);
    let tag = known.and_then(|script| script.migration_tag.clone());
    let Some(migrations) = wanted(metadata, account, name)? else {
        return Ok((account.namespaces.clone(), tag));
    };
    let used = used(account, name, environment);
    let (before, old_tag) = (&account.namespaces, tag.as_deref());
    let after = migration::apply(before, name, old_tag, &migrations, &used, stamp)?;
    Ok((after, migrations.new_tag.or(tag)))
}

/// The code lane: adds a version that nobody reaches until it is deployed. Gives its id.
pub(crate) fn add_version(
    state: &mut State,
    account: &str,
    name: &str,
    upload: Upload,
    missing: Missing,
    stamp: &Stamp,
) -> Result<String, ApiError> {
    let account = state.account_mut(account);
    let script = account.scripts.get(name).ok_or_else(|| no_script(name))?;
    if upload.metadata.migrations.is_some() {
        let message = "a version cannot carry a Durable Object migration; upload the script with `PUT` (`wrangler deploy`)";
        return Err(invalid(10211, message));
    }
    let environment = environment(&upload.metadata, Some(script), missing)?;
    let (namespaces, described) = (&account.namespaces, &upload.described);
    check_classes(account, name, &environment, namespaces, described)?;
    let version = version(script, upload, environment, stamp);
    if let Some(script) = account.scripts.get_mut(name) {
        script.versions.push(version);
    }
    Ok(stamp.version.clone())
}

fn environment(
    metadata: &Metadata,
    script: Option<&Script>,
    missing: Missing,
) -> Result<Environment, ApiError> {
    let keep = metadata.keep_bindings.as_deref();
    resolve(&metadata.bindings, keep, script, missing)
}

/// The code must export the classes that are there afterwards, and the bindings must name what is there.
fn check_classes(
    account: &Account,
    name: &str,
    environment: &Environment,
    namespaces: &[Namespace],
    described: &Described,
) -> Result<(), ApiError> {
    migration::check_exports(&account.namespaces, namespaces, name, described)?;
    check_bound(account, name, environment, namespaces, described)
}

fn version(script: &Script, upload: Upload, environment: Environment, stamp: &Stamp) -> Version {
    let Upload {
        metadata,
        modules,
        described,
        startup_time_ms,
    } = upload;
    let mut annotations = triggered_by("upload");
    annotations.extend(metadata.annotations);
    Version {
        id: stamp.version.clone(),
        number: script.next_number(),
        created_on: stamp.now.clone(),
        source: stamp.source.to_owned(),
        annotations,
        etag: etag(&modules),
        main_module: metadata.main_module.unwrap_or_default(),
        modules,
        bindings: environment.bindings,
        secrets: environment.secrets,
        compatibility_date: metadata.compatibility_date,
        compatibility_flags: metadata.compatibility_flags,
        limits: metadata.limits,
        placement: metadata.placement,
        migration_tag: script.migration_tag.clone(),
        described,
        startup_time_ms,
    }
}

fn new_script(name: &str, stamp: &Stamp) -> Script {
    Script {
        name: name.to_owned(),
        tag: id(&format!("tag {}", stamp.id)),
        created_on: stamp.now.clone(),
        modified_on: stamp.now.clone(),
        ..Script::default()
    }
}

/// An upload changes the settings it names and leaves the others.
fn settings(known: Option<&Script>, metadata: &Metadata) -> Result<Settings, ApiError> {
    let mut settings = known.map_or_else(Settings::default, |known| known.settings.clone());
    settings.set(
        metadata.tags.as_ref(),
        metadata.logpush,
        metadata.observability.as_ref(),
        metadata.tail_consumers.as_ref(),
    )?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::fixed;
    use crate::account::fixture::{room, upload};
    use serde_json::{Value, json};

    fn secrets_after(metadata: Value) -> Vec<String> {
        let mut state = room();
        add_version(
            &mut state,
            "a",
            "room",
            upload(metadata),
            Missing::Refused,
            &fixed(2),
        )
        .unwrap();
        state
            .script("a", "room")
            .unwrap()
            .latest()
            .unwrap()
            .secrets
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn a_secret_that_is_not_named_stays_only_when_it_is_kept() {
        let other = json!([{"name": "OTHER", "type": "secret_text", "text": "x"}]);
        assert_eq!(
            secrets_after(json!({"keep_bindings": ["secret_text"], "bindings": other})),
            ["OTHER", "SECRET"]
        );
        assert_eq!(
            secrets_after(json!({"keep_bindings": [], "bindings": other})),
            ["OTHER"]
        );
        assert_eq!(secrets_after(json!({"bindings": other})), ["OTHER"]);
        assert_eq!(
            secrets_after(json!({})),
            ["SECRET"],
            "an upload that does not mention secrets leaves them"
        );
    }

    #[test]
    fn a_refused_upload_says_every_missing_binding() {
        let mut state = room();
        let bindings = json!([{"name": "A", "type": "inherit"}, {"name": "B", "type": "inherit"}]);
        let metadata = upload(json!({"bindings": bindings}));
        let error = put(
            &mut state,
            "a",
            "room",
            metadata,
            Missing::Refused,
            &fixed(2),
        )
        .unwrap_err();
        assert_eq!(
            error
                .problems
                .iter()
                .map(|problem| problem.0)
                .collect::<Vec<_>>(),
            [10057, 10057]
        );
    }

    #[test]
    fn the_declarative_exports_configure_classes_and_must_name_the_live_ones() {
        let mut state = State::default();
        let room = json!({"Room": {"type": "durable-object", "storage": "sqlite"}});
        put(
            &mut state,
            "a",
            "x",
            upload(json!({"exports": room})),
            Missing::Refused,
            &fixed(1),
        )
        .unwrap();
        assert_eq!(state.account("a").namespaces[0].class, "Room");
        put(
            &mut state,
            "a",
            "x",
            upload(json!({"exports": room})),
            Missing::Refused,
            &fixed(2),
        )
        .unwrap();
        assert_eq!(state.account("a").namespaces.len(), 1);
        let error = put(
            &mut state,
            "a",
            "x",
            upload(json!({"exports": {}})),
            Missing::Refused,
            &fixed(3),
        )
        .unwrap_err();
        assert_eq!(error.problems[0].0, 100402);
    }
}
