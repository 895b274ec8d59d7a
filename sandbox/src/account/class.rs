//! Durable Object classes between scripts: which are wanted, which are in use, which a binding may name. Pure.

use serde_json::{Map, Value};

use crate::account::binding::Binding;
use crate::account::bundle::Described;
use crate::account::error::{ApiError, conflict, invalid};
use crate::account::inheritance::Environment;
use crate::account::metadata::Metadata;
use crate::account::migration::{Migrations, Step};
use crate::account::namespace::Namespace;
use crate::account::script::Script;
use crate::account::state::Account;

/// The migrations that an upload asks for, in either form. The declarative `exports` name what shall be there; 100402 is
/// Cloudflare's answer when they cannot be brought together with what is.
pub(crate) fn wanted(
    metadata: &Metadata,
    account: &Account,
    script: &str,
) -> Result<Option<Migrations>, ApiError> {
    match (&metadata.migrations, &metadata.exports) {
        (Some(_), Some(_)) => Err(invalid(
            10021,
            "`exports` and `migrations` exclude each other; send one of them",
        )),
        (migrations, None) => Ok(migrations.clone()),
        (None, Some(exports)) => reconcile(exports, account, script).map(Some),
    }
}

fn reconcile(
    exports: &Map<String, Value>,
    account: &Account,
    script: &str,
) -> Result<Migrations, ApiError> {
    let namespaces = account.namespaces.iter();
    let own: Vec<_> = namespaces
        .filter(|namespace| namespace.script == script)
        .collect();
    let unlisted = |namespace: &&&Namespace| !exports.contains_key(&namespace.class);
    if let Some(unlisted) = own.iter().find(unlisted) {
        let message = format!(
            "`exports` do not mention the class `{}`, which has Durable Objects",
            unlisted.class
        );
        return Err(conflict(100402, message));
    }
    let mut step = Step::default();
    for (class, export) in exports {
        let is_known = own.iter().any(|namespace| namespace.class == *class);
        match export["storage"] == "sqlite" {
            _ if is_known || export["type"] != "durable-object" => {}
            true => step.new_sqlite_classes.push(class.clone()),
            false => step.new_classes.push(class.clone()),
        }
    }
    let known = account.scripts.get(script);
    let tag = known.and_then(|script| script.migration_tag.clone());
    Ok(Migrations {
        old_tag: tag.clone(),
        new_tag: tag,
        steps: vec![step],
        single: Step::default(),
    })
}

/// The classes of `script` that stay bound when a new version with this environment replaces it.
pub(crate) fn used(account: &Account, script: &str, environment: &Environment) -> Vec<String> {
    let classes = environment
        .bindings
        .iter()
        .filter_map(|it| it.class(script));
    let own = classes.filter(|(_, other)| other.is_none());
    let own = own.map(|(class, _)| class.to_owned());
    let others = bound_by_others(account, script).into_iter();
    own.chain(others.map(|(_, class)| class)).collect()
}

/// Script and class of each running binding from another script.
pub(crate) fn bound_by_others(account: &Account, script: &str) -> Vec<(String, String)> {
    let bindings = bindings_of_others(account, script);
    let named = bindings.filter_map(|(other, binding)| match binding.class(other) {
        Some((class, Some(owner))) if owner == script => Some((other.to_owned(), class.to_owned())),
        _ => None,
    });
    named.collect()
}

/// The running bindings of every other script, each with its script.
fn bindings_of_others<'a>(
    account: &'a Account,
    script: &str,
) -> impl Iterator<Item = (&'a str, &'a Binding)> {
    let scripts = account.scripts.values();
    let others = scripts.filter(move |other| other.name != script);
    others.flat_map(|other| {
        let bindings = other.running().flat_map(|version| &version.bindings);
        bindings.map(|binding| (other.name.as_str(), binding))
    })
}

/// 10061 for a class that no migration has configured, 10070 for one that the code does not export.
pub(crate) fn check_bound(
    account: &Account,
    script: &str,
    environment: &Environment,
    namespaces: &[Namespace],
    described: &Described,
) -> Result<(), ApiError> {
    let is_there = |other: &str| other == script || account.scripts.contains_key(other);
    for binding in &environment.bindings {
        let service = binding.text("service").unwrap_or_default();
        if binding.kind == "service" && !is_there(service) {
            let message = format!(
                "the service binding `{}` names the Worker `{service}`, which does not exist",
                binding.name
            );
            return Err(invalid(10143, message));
        }
        let Some((class, other)) = binding.class(script) else {
            continue;
        };
        let owner = other.unwrap_or(script);
        if other.is_some_and(|other| !account.scripts.contains_key(other)) {
            let message = format!(
                "the binding `{}` names the script `{owner}`, which does not exist; deploy it first",
                binding.name
            );
            return Err(invalid(10061, message));
        }
        if other.is_none() && !described.exports_class(class) {
            let message = format!(
                "the binding `{}` names class `{class}`, which the script does not export",
                binding.name
            );
            return Err(invalid(10070, message));
        }
        if !namespaces
            .iter()
            .any(|namespace| namespace.script == owner && namespace.class == class)
        {
            let message = format!(
                "cannot create a binding for class `{class}` of script `{owner}`: it is not configured to implement Durable \
                 Objects; add a `new_sqlite_classes` migration to `{owner}`"
            );
            return Err(invalid(10061, message));
        }
    }
    Ok(())
}

/// Whether a script may go: not while another one binds its classes (10064) or calls it (10142), unless `?force=true`. The codes are
/// known from tests against real accounts.
pub(crate) fn check_unbound(account: &Account, script: &Script) -> Result<(), ApiError> {
    let name = &script.name;
    let calls =
        |binding: &Binding| binding.kind == "service" && binding.text("service") == Some(name);
    let mut bindings = bindings_of_others(account, name);
    if let Some((other, _)) = bindings.find(|(_, binding)| calls(binding)) {
        let message = format!(
            "the Worker `{other}` has a service binding to `{name}`; delete that first or repeat with `?force=true`"
        );
        return Err(conflict(10142, message));
    }
    if let Some((other, class)) = bound_by_others(account, name).first() {
        let message = format!(
            "the Worker `{other}` binds class `{class}` of `{name}`; delete that first or repeat with `?force=true`"
        );
        return Err(conflict(10064, message));
    }
    Ok(())
}
