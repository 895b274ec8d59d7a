//! Which bindings and secrets a new version takes over from earlier ones. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::account::binding::{Binding, Given, parse};
use crate::account::error::{ApiError, invalid};
use crate::account::script::Script;
use crate::account::value::SecretValue;

/// What happens to an `inherit` binding that names nothing: `?bindings_inherit=strict` refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// 10057.
    Refused,
    /// The binding is left out.
    Dropped,
}

/// A version's bindings and the values of its secrets.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// Secrets without values.
    pub bindings: Vec<Binding>,
    /// Values by name.
    pub secrets: BTreeMap<String, SecretValue>,
}

/// Resolves an upload's bindings against the versions that are there.
pub(crate) fn resolve(
    given: &[Value],
    keep: Option<&[String]>,
    script: Option<&Script>,
    missing: Missing,
) -> Result<Environment, ApiError> {
    let mut environment = Environment::default();
    let mut problems = Vec::new();
    for value in given {
        match parse(value)? {
            Given::Plain(binding) => environment.bindings.push(binding),
            Given::Secret(name, value) => {
                environment.bindings.push(Binding::secret(&name));
                environment.secrets.insert(name, value);
            }
            Given::Inherit {
                name,
                from,
                version,
            } => {
                if !inherit(&mut environment, script, &name, &from, version.as_deref())
                    && missing == Missing::Refused
                {
                    let message = format!(
                        "inherit binding '{name}' is invalid: previous version does not have binding named '{from}'"
                    );
                    problems.push((10057, message));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(ApiError {
            problems,
            ..invalid(10057, "")
        });
    }
    check_names(&environment.bindings)?;
    match keep {
        Some(kinds) => keep_others(&mut environment, kinds, script),
        // An upload that says nothing about secrets at all leaves them: `wrangler deploy` up to 4.86 relies on it
        None if environment.secrets.is_empty() => {
            keep_others(&mut environment, &["secret_text".to_owned()], script);
        }
        None => {}
    }
    Ok(environment)
}

fn inherit(
    environment: &mut Environment,
    script: Option<&Script>,
    name: &str,
    from: &str,
    version: Option<&str>,
) -> bool {
    let source = script.and_then(|script| match version {
        Some(id) => script.version(id),
        None => script.latest(),
    });
    let Some((source, found)) = source.and_then(|source| Some((source, source.binding(from)?)))
    else {
        return false;
    };
    environment.bindings.push(Binding {
        name: name.to_owned(),
        ..found.clone()
    });
    if let Some(value) = source.secrets.get(from) {
        environment.secrets.insert(name.to_owned(), value.clone());
    }
    true
}

fn keep_others(environment: &mut Environment, keep: &[String], script: Option<&Script>) {
    let Some(latest) = script.and_then(Script::latest) else {
        return;
    };
    let kept = latest.bindings.iter();
    for binding in kept.filter(|binding| keep.contains(&binding.kind)) {
        let mut given = environment.bindings.iter();
        if !given.any(|given| given.name == binding.name) {
            inherit(environment, script, &binding.name, &binding.name, None);
        }
    }
}

fn check_names(bindings: &[Binding]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    let mut names = bindings.iter().map(|binding| &binding.name);
    match names.find(|name| !seen.insert(*name)) {
        Some(twice) => {
            let message = format!("the binding name `{twice}` is used twice");
            Err(invalid(10021, message))
        }
        None => Ok(()),
    }
}
