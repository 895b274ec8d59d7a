//! The runtime's configuration: every running version as one service with a socket of its own. Pure.
//!
//! Secret values are not in it: they reach the process as environment variables (`fromEnvironment`).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;

use super::analytics::ACCOUNT_HEADER;
use super::analytics::DATASET_HEADER;
use super::binding::Binding;
use super::module::Module;
use super::namespace::Storage;
use super::script::Script;
use super::state::{Account, State};
use super::value::SecretValue;
use super::version::Version;

/// Everything that a start of the runtime depends on. Two equal configurations run the same thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Config {
    /// The text for `workerd serve`.
    pub text: String,
    /// Environment variables with the secrets.
    pub environment: Vec<(String, SecretValue)>,
    /// The sockets that will report that they listen.
    pub sockets: BTreeSet<String>,
}

/// The name of a version's service and socket.
pub(super) fn service(account: &str, script: &str, version: &str) -> String {
    format!("{account}/{script}/{version}")
}

/// Renders the configuration for all that is deployed. `analytics` is where data points are posted to.
pub(super) fn render(state: &State, analytics: SocketAddr) -> Config {
    let mut config = Config::default();
    let mut services = String::new();
    let mut sockets = String::new();
    let mut datasets = BTreeSet::new();
    for (account_id, account) in &state.accounts {
        for script in account.scripts.values() {
            for version in script.running() {
                let name = service(account_id, &script.name, &version.id);
                let scope = Scope {
                    account_id,
                    account,
                    script,
                    version,
                };
                let worker = worker(&scope, &mut config.environment, &mut datasets);
                let quoted = quote(&name);
                let _ = writeln!(
                    services,
                    "    (name = {quoted}, worker = ({worker}\n    )),"
                );
                let _ = writeln!(
                    sockets,
                    "    (name = {quoted}, address = \"127.0.0.1:0\", http = (cfBlobHeader = \"CF-Blob\"), service = {quoted}),"
                );
                config.sockets.insert(name);
            }
        }
    }
    for (account, dataset) in datasets {
        let headers = format!(
            "(name = \"{ACCOUNT_HEADER}\", value = {}), (name = \"{DATASET_HEADER}\", value = {})",
            quote(&account),
            quote(&dataset)
        );
        let _ = writeln!(
            services,
            "    (name = {}, external = (address = \"{analytics}\", http = (injectRequestHeaders = [{headers}]))),",
            quote(&analytics_service(&account, &dataset))
        );
    }
    config.text = frame(&services, &sockets);
    config
}

/// The configuration that only says what a bundle exports; `probe` is the module in front of it.
pub(super) fn render_probe(modules: &[Module], version: &str, probe: &str) -> Config {
    let service = "    (name = \"probe\", worker = (";
    let list = format!(
        "(name = \"sandbox-probe.js\", esModule = {}), {}",
        quote(probe),
        module_list(modules)
    );
    let services = format!("{service}\n      modules = [{list}],{version}\n    )),\n");
    let socket =
        "    (name = \"probe\", address = \"127.0.0.1:0\", http = (), service = \"probe\"),\n";
    Config {
        text: frame(&services, socket),
        environment: Vec::new(),
        sockets: BTreeSet::from(["probe".to_owned()]),
    }
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

fn frame(services: &str, sockets: &str) -> String {
    let ratelimit = quote(include_str!("ratelimit.js"));
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\nconst config :Workerd.Config = (\n  services = [\n{services}    \
         (name = \"objects\", disk = (path = \"objects\", writable = true)),\n  ],\n  sockets = [\n{sockets}  ],\n  \
         extensions = [(modules = [(name = \"sandbox:ratelimit\", esModule = {ratelimit}, internal = true)])],\n  \
         logging = (structuredLogging = true),\n);\n"
    )
}

struct Scope<'a> {
    account_id: &'a str,
    account: &'a Account,
    script: &'a Script,
    version: &'a Version,
}

fn worker(
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

fn module_list(modules: &[Module]) -> String {
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

fn analytics_service(account: &str, dataset: &str) -> String {
    format!("analytics/{account}/{dataset}")
}

/// A Cap'n Proto string literal.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
