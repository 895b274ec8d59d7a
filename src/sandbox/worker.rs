//! One version as a worker of the runtime's configuration. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::binding::Binding;
use super::capnp::quote;
use super::config::service;
use super::module::Module;
use super::namespace::Storage;
use super::script::Script;
use super::state::Account;
use super::value::SecretValue;
use super::version::Version;

/// A version with all that its bindings can name.
pub(super) struct Scope<'a> {
    /// The account's id.
    pub(super) account_id: &'a str,
    /// The account.
    pub(super) account: &'a Account,
    /// The script.
    pub(super) script: &'a Script,
    /// The version.
    pub(super) version: &'a Version,
}

/// The worker's members. Secrets go to `environment`, the data sets in use to `datasets`.
pub(super) fn worker(
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
    let mut text = format!(
        "\n      modules = [{}],",
        module_list(&[main, others].concat())
    );
    text += &compatibility(
        version.compatibility_date.as_deref(),
        &version.compatibility_flags,
    );
    let bindings: Vec<String> = version
        .bindings
        .iter()
        .filter_map(|binding| render_binding(scope, binding, environment, datasets))
        .collect();
    let _ = write!(
        text,
        "\n      bindings = [\n        {}\n      ],",
        bindings.join(",\n        ")
    );
    // Only the primary version holds the objects: no two services may open the same storage.
    if scope
        .script
        .primary()
        .is_some_and(|primary| primary.id == version.id)
    {
        let own = scope
            .account
            .namespaces
            .iter()
            .filter(|namespace| namespace.script == scope.script.name);
        let live = own.filter(|namespace| version.described.exports_class(&namespace.class));
        let namespaces: Vec<String> = live
            .map(|namespace| {
                let sqlite = namespace.storage == Storage::Sqlite;
                let (class, key) = (quote(&namespace.class), quote(&namespace.id));
                format!("(className = {class}, uniqueKey = {key}, enableSql = {sqlite})")
            })
            .collect();
        let _ = write!(
            text,
            "\n      durableObjectNamespaces = [{}],",
            namespaces.join(", ")
        );
        text += "\n      durableObjectStorage = (localDisk = \"objects\"),";
    }
    text
}

/// The modules as a list; the first one is the entry point.
pub(super) fn module_list(modules: &[Module]) -> String {
    let list: Vec<String> = modules
        .iter()
        .map(|module| {
            let (name, key) = (quote(&module.name), module.kind.config_key());
            format!("(name = {name}, {key} = embed \"modules/{}\")", module.hash)
        })
        .collect();
    list.join(", ")
}

/// One binding; none for a Durable Object class or service that is gone (its user was left behind by a forced deletion).
fn render_binding(
    scope: &Scope<'_>,
    binding: &Binding,
    environment: &mut Vec<(String, SecretValue)>,
    datasets: &mut BTreeSet<(String, String)>,
) -> Option<String> {
    let primary = |script: &str| {
        let version = scope.account.scripts.get(script)?.primary()?;
        Some((service(scope.account_id, script, &version.id), version))
    };
    let value = match binding.kind.as_str() {
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
        "durable_object_namespace" => {
            let (class, other) = binding.class(&scope.script.name)?;
            let (target, version) = primary(other.unwrap_or(&scope.script.name))?;
            version.described.exports_class(class).then_some(())?;
            format!(
                "durableObjectNamespace = (className = {}, serviceName = {})",
                quote(class),
                quote(&target)
            )
        }
        "service" => format!("service = {}", quote(&primary(binding.text("service")?)?.0)),
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
            let tag = scope
                .version
                .annotations
                .get("workers/tag")
                .and_then(|tag| tag.as_str())
                .unwrap_or_default();
            let version = scope.version;
            let metadata =
                serde_json::json!({"id": version.id, "tag": tag, "timestamp": version.created_on});
            format!("json = {}", quote(&metadata.to_string()))
        }
        _ => return None,
    };
    Some(format!("(name = {}, {value})", quote(&binding.name)))
}

/// The name of the service that takes a data set's points.
pub(super) fn analytics_service(account: &str, dataset: &str) -> String {
    format!("analytics/{account}/{dataset}")
}

/// Compatibility date and flags as members of a worker. Cloudflare's default for a missing date is the oldest one.
pub(super) fn compatibility(date: Option<&str>, flags: &[String]) -> String {
    let flags: Vec<String> = flags.iter().map(|flag| quote(flag)).collect();
    let date = quote(date.unwrap_or("2021-11-02"));
    format!(
        "\n      compatibilityDate = {date}, compatibilityFlags = [{}],",
        flags.join(", ")
    )
}
