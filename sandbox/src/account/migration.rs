//! Durable Object migrations: what a lifecycle upload does to the namespaces of its script. Pure.
//!
//! Rules: <https://developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/>.

use http::StatusCode;
use serde::Deserialize;

use crate::account::bundle::Described;
use crate::account::error::{ApiError, invalid, refuse};
use crate::account::module::id;
use crate::account::namespace::{Namespace, Storage};
use crate::account::stamp::Stamp;

/// The metadata's `migrations`: either steps, or one step written flat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Migrations {
    /// The tag that the script must have.
    pub old_tag: Option<String>,
    /// The tag that it gets.
    pub new_tag: Option<String>,
    /// In order.
    pub steps: Vec<Step>,
    /// The flat form.
    #[serde(flatten)]
    pub single: Step,
}

/// One step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Step {
    /// Classes with key-value storage.
    pub new_classes: Vec<String>,
    /// Classes with SQLite storage.
    pub new_sqlite_classes: Vec<String>,
    /// Classes under a new name.
    pub renamed_classes: Vec<Rename>,
    /// Classes that end, with their data.
    pub deleted_classes: Vec<String>,
    /// Classes of other scripts.
    pub transferred_classes: Vec<Transfer>,
}

/// A class under a new name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rename {
    /// Before.
    pub from: String,
    /// After.
    pub to: String,
}

/// A class from another script.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Transfer {
    /// Its name there.
    pub from: String,
    /// The script.
    pub from_script: String,
    /// Its name here.
    pub to: String,
}

/// The namespaces after the migrations, or why they cannot be applied. `used` are the classes of this script that versions bind
/// which stay in force: other scripts' running versions, and the new version itself.
pub(crate) fn apply(
    namespaces: &[Namespace],
    script: &str,
    current_tag: Option<&str>,
    migrations: &Migrations,
    used: &[String],
    stamp: &Stamp,
) -> Result<Vec<Namespace>, ApiError> {
    if migrations.old_tag.as_deref() != current_tag {
        let message = format!(
            "migration tag precondition failed: the Worker's tag is `{}`, the upload expects `{}`",
            current_tag.unwrap_or("none"),
            migrations.old_tag.as_deref().unwrap_or("none")
        );
        return Err(refuse(StatusCode::PRECONDITION_FAILED, 10079, message));
    }
    let flat = std::slice::from_ref(&migrations.single);
    let steps = if migrations.steps.is_empty() {
        flat
    } else {
        &migrations.steps
    };
    steps
        .iter()
        .try_fold(namespaces.to_vec(), |namespaces, step| {
            take(namespaces, script, step, used, stamp)
        })
}

/// Every class with a namespace must be exported; 10070 for a class that this upload would have created.
pub(crate) fn check_exports(
    before: &[Namespace],
    after: &[Namespace],
    script: &str,
    described: &Described,
) -> Result<(), ApiError> {
    let missing = |namespace: &&Namespace| {
        namespace.script == script && !described.exports_class(&namespace.class)
    };
    let Some(namespace) = after.iter().find(missing) else {
        return Ok(());
    };
    let class = &namespace.class;
    if before.iter().any(|known| known.id == namespace.id) {
        let message = format!(
            "new version of script does not export class `{class}`, which existing Durable Objects depend on; \
             delete it with a `deleted_classes` migration"
        );
        return Err(invalid(10064, message));
    }
    Err(invalid(
        10070,
        format!("cannot create Durable Objects of class `{class}`: the script does not export it"),
    ))
}

fn take(
    mut namespaces: Vec<Namespace>,
    script: &str,
    step: &Step,
    used: &[String],
    stamp: &Stamp,
) -> Result<Vec<Namespace>, ApiError> {
    let sqlite = step
        .new_sqlite_classes
        .iter()
        .map(|class| (class, Storage::Sqlite));
    let key_value = step
        .new_classes
        .iter()
        .map(|class| (class, Storage::KeyValue));
    for (class, storage) in sqlite.chain(key_value) {
        if find(&namespaces, script, class).is_some() {
            let message = format!(
                "cannot apply a new-class migration to class `{class}`, which existing Durable Objects depend on already"
            );
            return Err(invalid(10074, message));
        }
        let id = id(&format!("{} {script} {class}", stamp.id));
        namespaces.push(Namespace {
            id,
            script: script.to_owned(),
            class: class.clone(),
            storage,
        });
    }
    for rename in &step.renamed_classes {
        let place =
            find(&namespaces, script, &rename.from).ok_or_else(|| unknown(script, &rename.from))?;
        rename.to.clone_into(&mut namespaces[place].class);
    }
    for transfer in &step.transferred_classes {
        let from = &transfer.from_script;
        let place =
            find(&namespaces, from, &transfer.from).ok_or_else(|| unknown(from, &transfer.from))?;
        transfer.to.clone_into(&mut namespaces[place].class);
        script.clone_into(&mut namespaces[place].script);
    }
    for class in &step.deleted_classes {
        let place = find(&namespaces, script, class).ok_or_else(|| unknown(script, class))?;
        if used.contains(class) {
            let message = format!(
                "cannot delete class `{class}`: a Worker still binds it; remove the binding first"
            );
            return Err(invalid(10074, message));
        }
        namespaces.remove(place);
    }
    Ok(namespaces)
}

fn find(namespaces: &[Namespace], script: &str, class: &str) -> Option<usize> {
    namespaces
        .iter()
        .position(|namespace| namespace.script == script && namespace.class == class)
}

/// A migration of a class that was never configured; the code is that of a binding to such a class.
fn unknown(script: &str, class: &str) -> ApiError {
    invalid(
        10061,
        format!("the script `{script}` has no Durable Object class `{class}` to migrate"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::fixed;
    use serde_json::json;

    fn migrations(value: serde_json::Value) -> Migrations {
        serde_json::from_value(value).unwrap()
    }

    fn first() -> Vec<Namespace> {
        let created =
            migrations(json!({"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]}));
        apply(&[], "s", None, &created, &[], &fixed(1)).unwrap()
    }

    #[test]
    fn a_new_class_gets_a_namespace_and_keeps_it_through_a_rename() {
        let before = first();
        let renamed = json!({"old_tag": "v1", "new_tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]});
        let after = apply(
            &before,
            "s",
            Some("v1"),
            &migrations(renamed),
            &[],
            &fixed(2),
        )
        .unwrap();
        assert_eq!(
            (after[0].class.as_str(), &after[0].id),
            ("Hall", &before[0].id)
        );
    }

    #[test]
    fn an_unknown_old_tag_is_10079() {
        let other = migrations(json!({"old_tag": "v7", "new_tag": "v8", "steps": []}));
        assert_eq!(
            apply(&first(), "s", Some("v1"), &other, &[], &fixed(2))
                .unwrap_err()
                .problems[0]
                .0,
            10079
        );
        let replay =
            migrations(json!({"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]}));
        assert_eq!(
            apply(&first(), "s", Some("v1"), &replay, &[], &fixed(2))
                .unwrap_err()
                .problems[0]
                .0,
            10079
        );
    }

    #[test]
    fn a_class_that_is_bound_cannot_be_deleted() {
        let gone = migrations(
            json!({"old_tag": "v1", "new_tag": "v2", "steps": [{"deleted_classes": ["Room"]}]}),
        );
        let refused = apply(
            &first(),
            "s",
            Some("v1"),
            &gone,
            &["Room".into()],
            &fixed(2),
        )
        .unwrap_err();
        assert_eq!(refused.problems[0].0, 10074);
        assert_eq!(
            apply(&first(), "s", Some("v1"), &gone, &[], &fixed(2)).unwrap(),
            []
        );
    }

    #[test]
    fn a_class_must_be_exported_to_get_or_keep_a_namespace() {
        let code = |before: &[Namespace]| {
            check_exports(before, &first(), "s", &Described::default())
                .unwrap_err()
                .problems[0]
                .0
        };
        assert_eq!(code(&[]), 10070);
        assert_eq!(code(&first()), 10064);
    }
}
