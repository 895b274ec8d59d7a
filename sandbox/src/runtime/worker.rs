//! One version as a worker of the runtime's configuration. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::account::binding::Binding;
use crate::account::module::Module;
use crate::account::namespace::{Namespace, Storage};
use crate::account::script::Script;
use crate::account::state::Account;
use crate::account::state::Strictness;
use crate::account::value::SecretValue;
use crate::account::version::Version;
use crate::runtime::capnp::quote;
use crate::runtime::host;

/// The name of the service and socket that take trace events; no version's service has one without `/`.
pub(crate) const TAILS: &str = "tails";

/// The name of a version's service and socket.
pub(crate) fn service(account: &str, script: &str, version: &str) -> String {
    format!("{account}/{script}/{version}")
}

/// A version with all that its bindings can name.
pub(crate) struct Scope<'a> {
    /// The account's id.
    pub(crate) account_id: &'a str,
    /// The account.
    pub(crate) account: &'a Account,
    /// The script.
    pub(crate) script: &'a Script,
    /// The version.
    pub(crate) version: &'a Version,
    /// Strictly, each object runs the version that the split gives it; else all run the one with the greatest share.
    pub(crate) strictness: Strictness,
    /// The newest compatibility date that the runtime knows.
    pub(crate) newest: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// The versions that objects in this version's service run, this one first, where they live behind the sandbox's own main
    /// module; else none.
    pub(crate) fn hosted(&self) -> Vec<&'a Version> {
        let versions = host::versions(self.script);
        let hosts = self.strictness == Strictness::Strict
            && self.is_primary()
            && !self.classes_of(&versions).is_empty()
            && versions.iter().all(|version| host::can_import(version));
        if hosts { versions } else { Vec::new() }
    }

    /// Whether the script's objects live in this version's service.
    fn is_primary(&self) -> bool {
        let primary = self.script.primary();
        primary.is_some_and(|primary| primary.id == self.version.id)
    }

    fn classes_of(&self, versions: &[&Version]) -> Vec<&'a Namespace> {
        let own = self.account.namespaces.iter().filter(|namespace| {
            let exports = |version: &&Version| version.described.exports_class(&namespace.class);
            namespace.script == self.script.name && versions.iter().any(exports)
        });
        own.collect()
    }
}

/// The worker's members. Secrets go to `environment`, the data sets in use to `datasets`.
pub(crate) fn worker(
    scope: &Scope<'_>,
    environment: &mut Vec<(String, SecretValue)>,
    datasets: &mut BTreeSet<(String, String)>,
) -> String {
    let version = scope.version;
    let (main, others): (Vec<_>, Vec<_>) = version
        .modules
        .iter()
        .cloned()
        .partition(|module| module.name == version.main_module);
    let hosted = scope.hosted();
    let classes = match (hosted.as_slice(), scope.is_primary()) {
        ([], false) => Vec::new(),
        ([], true) => scope.classes_of(&[version]),
        (hosted, _) => scope.classes_of(hosted),
    };
    let mut modules = [main, others].concat();
    let mut list = String::new();
    let mut bindings = render_bindings(scope, "", environment, datasets);
    if !hosted.is_empty() {
        let code = quote(&host::main(scope.script, &hosted, &classes));
        list = format!("(name = \"sandbox-objects.js\", esModule = {code}), ");
        modules.extend(host::modules(&hosted));
        let mut inner = Vec::new();
        for (index, version) in hosted.iter().enumerate().skip(1) {
            let scope = Scope { version, ..*scope };
            let prefix = format!("{index}/");
            inner.extend(render_bindings(&scope, &prefix, environment, datasets));
        }
        let service = service(scope.account_id, &scope.script.name, &version.id);
        bindings.push(host::binding(&service, &classes, &inner));
    }
    list += &module_list(&modules);
    let mut text = format!("\n      modules = [{list}],");
    text += &compatibility(
        known_date(version.compatibility_date.as_deref(), scope.newest),
        &version.compatibility_flags,
    );
    let _ = write!(
        text,
        "\n      bindings = [\n        {}\n      ],",
        bindings.join(",\n        ")
    );
    let origin = json!({
        "account": scope.account_id, "script": scope.script.name, "version": version.id,
    });
    let _ = write!(
        text,
        "\n      tails = [(name = \"{TAILS}\", props = (json = {}))],",
        quote(&origin.to_string())
    );
    if !classes.is_empty() {
        text += &namespaces(&classes);
    }
    text
}

fn namespaces(classes: &[&Namespace]) -> String {
    let namespaces: Vec<String> = classes
        .iter()
        .map(|namespace| {
            let sqlite = namespace.storage == Storage::Sqlite;
            let (class, key) = (quote(&namespace.class), quote(&namespace.id));
            format!("(className = {class}, uniqueKey = {key}, enableSql = {sqlite})")
        })
        .collect();
    format!(
        "\n      durableObjectNamespaces = [{}],\n      durableObjectStorage = (localDisk = \"objects\"),",
        namespaces.join(", ")
    )
}

/// The version's bindings, each name behind `prefix`.
fn render_bindings(
    scope: &Scope<'_>,
    prefix: &str,
    environment: &mut Vec<(String, SecretValue)>,
    datasets: &mut BTreeSet<(String, String)>,
) -> Vec<String> {
    let rendered = scope.version.bindings.iter().filter_map(|binding| {
        let value = render_binding(scope, binding, environment, datasets)?;
        let name = quote(&format!("{prefix}{}", binding.name));
        Some(format!("(name = {name}, {value})"))
    });
    rendered.collect()
}

/// The modules as a list; the first one is the entry point.
pub(crate) fn module_list(modules: &[Module]) -> String {
    let list: Vec<String> = modules
        .iter()
        .map(|module| {
            let (name, key) = (quote(&module.name), module.kind.config_key());
            format!("(name = {name}, {key} = embed \"modules/{}\")", module.hash)
        })
        .collect();
    list.join(", ")
}

/// One binding's value; none for a Durable Object class or service that is gone (its user was left behind by a forced deletion).
fn render_binding(
    scope: &Scope<'_>,
    binding: &Binding,
    environment: &mut Vec<(String, SecretValue)>,
    datasets: &mut BTreeSet<(String, String)>,
) -> Option<String> {
    Some(match binding.kind.as_str() {
        "plain_text" => format!("text = {}", quote(binding.text("text").unwrap_or_default())),
        "json" => format!("json = {}", quote(&binding.fields["json"].to_string())),
        "secret_text" => {
            let variable = format!("SANDBOX_SECRET_{}", environment.len());
            environment.push((
                variable.clone(),
                scope.version.secrets.get(&binding.name)?.clone(),
            ));
            format!("fromEnvironment = \"{variable}\"")
        }
        "durable_object_namespace" => object_binding(scope, binding)?,
        "service" => {
            let owner = scope.account.scripts.get(binding.text("service")?)?;
            let service = service(scope.account_id, &owner.name, &owner.primary()?.id);
            format!("service = {}", quote(&service))
        }
        "analytics_engine" => {
            let dataset = binding.text("dataset").unwrap_or_default();
            datasets.insert((scope.account_id.to_owned(), dataset.to_owned()));
            format!(
                "analyticsEngine = {}",
                quote(&analytics_service(scope.account_id, dataset))
            )
        }
        "ratelimit" => {
            let simple = &binding.fields["simple"];
            format!(
                "wrapped = (moduleName = \"sandbox:ratelimit\", innerBindings = [(name = \"limit\", json = \"{}\"), (name = \"period\", json = \"{}\")])",
                simple["limit"], simple["period"]
            )
        }
        "version_metadata" => {
            let version = scope.version;
            let tag = version
                .annotations
                .get("workers/tag")
                .and_then(Value::as_str);
            let metadata = json!({
                "id": version.id, "tag": tag.unwrap_or_default(), "timestamp": version.created_on,
            });
            format!("json = {}", quote(&metadata.to_string()))
        }
        _ => return None,
    })
}

/// A class where its objects live; none when no version of its script that objects run exports it.
fn object_binding(scope: &Scope<'_>, binding: &Binding) -> Option<String> {
    let (class, other) = binding.class(&scope.script.name)?;
    let owner = scope
        .account
        .scripts
        .get(other.unwrap_or(&scope.script.name))?;
    let primary = owner.primary()?;
    let versions = match scope.strictness {
        Strictness::Strict => host::versions(owner),
        Strictness::Lenient => vec![primary],
    };
    let exports = |version: &&Version| version.described.exports_class(class);
    versions.iter().any(exports).then_some(())?;
    let target = service(scope.account_id, &owner.name, &primary.id);
    let (class, target) = (quote(class), quote(&target));
    Some(format!(
        "wrapped = (moduleName = \"sandbox:namespace\", innerBindings = [(name = \"namespace\", durableObjectNamespace = (className = {class}, serviceName = {target}))])"
    ))
}

/// The name of the service that takes a data set's points.
pub(crate) fn analytics_service(account: &str, dataset: &str) -> String {
    format!("analytics/{account}/{dataset}")
}

/// The date with which the runtime runs what was sent with `date`: it refuses those after `newest`, the newest one that it knows, where
/// Cloudflare takes every day up to today's. Cloudflare's default for a missing date is the oldest one.
pub(crate) fn known_date<'a>(date: Option<&'a str>, newest: Option<&'a str>) -> &'a str {
    let date = date.unwrap_or("2021-11-02");
    newest.map_or(date, |newest| date.min(newest))
}

/// Compatibility date and flags as members of a worker.
pub(crate) fn compatibility(date: &str, flags: &[String]) -> String {
    let flags: Vec<String> = flags.iter().map(|flag| quote(flag)).collect();
    let date = quote(date);
    format!(
        "\n      compatibilityDate = {date}, compatibilityFlags = [{}],",
        flags.join(", ")
    )
}
