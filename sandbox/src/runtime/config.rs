//! The runtime's configuration: every running version as one service with a socket of its own. Pure.
//!
//! Secret values are not in it: they reach the process as environment variables (`fromEnvironment`).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;

use crate::account::module::Module;
use crate::account::state::State;
use crate::account::state::Strictness;
use crate::account::value::SecretValue;
use crate::runtime::analytics::ACCOUNT_HEADER;
use crate::runtime::analytics::DATASET_HEADER;
use crate::runtime::capnp::quote;
use crate::runtime::host;
use crate::runtime::worker::{Scope, TAILS, analytics_service, module_list, service, worker};

/// Everything that a start of the runtime depends on. Two equal configurations run the same thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    /// The text for `workerd serve`.
    pub text: String,
    /// Environment variables with the secrets.
    pub environment: Vec<(String, SecretValue)>,
    /// The sockets that will report that they listen.
    pub sockets: BTreeSet<String>,
}

/// Renders the configuration for all that is deployed. `analytics` is where data points are posted to; `newest` the newest
/// compatibility date that the runtime knows.
pub(crate) fn render(
    state: &State,
    analytics: SocketAddr,
    strictness: Strictness,
    newest: Option<&str>,
) -> Config {
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
                    strictness,
                    newest,
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
                if !scope.hosted().is_empty() {
                    let socket = host::socket(&name);
                    let _ = writeln!(
                        sockets,
                        "    (name = {}, address = \"127.0.0.1:0\", http = (), service = (name = {quoted}, entrypoint = \"{}\")),",
                        quote(&socket),
                        host::ENTRYPOINT
                    );
                    config.sockets.insert(socket);
                }
                config.sockets.insert(name);
            }
        }
    }
    if !config.sockets.is_empty() {
        let (service, socket) = tails(analytics);
        services += &service;
        sockets += &socket;
        config.sockets.insert(TAILS.to_owned());
    }
    for (account, dataset) in datasets {
        services += &posting(analytics, &account, &dataset);
    }
    config.text = frame(&services, &sockets);
    config
}

/// What posts a data set's points to the sandbox.
fn posting(sandbox: SocketAddr, account: &str, dataset: &str) -> String {
    let name = quote(&analytics_service(account, dataset));
    let (account, dataset) = (quote(account), quote(dataset));
    format!(
        "    (name = {name}, external = (address = \"{sandbox}\", http = (injectRequestHeaders = [\
         (name = \"{ACCOUNT_HEADER}\", value = {account}), (name = \"{DATASET_HEADER}\", value = {dataset})]))),\n"
    )
}

/// What takes the trace events of every version, asleep while nobody tails; a request to its socket wakes it.
fn tails(sandbox: SocketAddr) -> (String, String) {
    let code = quote(include_str!("tail_worker.js"));
    let services = format!(
        "    (name = \"{TAILS}\", worker = (modules = [(name = \"tails.js\", esModule = {code})], compatibilityDate = \"2026-01-01\", \
         bindings = [(name = \"SANDBOX\", service = \"sandbox\")])),\n    (name = \"sandbox\", external = (address = \
         \"{sandbox}\", http = ())),\n"
    );
    let socket = format!(
        "    (name = \"{TAILS}\", address = \"127.0.0.1:0\", http = (), service = \"{TAILS}\"),\n"
    );
    (services, socket)
}

/// The configuration that only says what a bundle exports; `probe` is the module in front of it.
pub(crate) fn render_probe(modules: &[Module], version: &str, probe: &str) -> Config {
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

fn frame(services: &str, sockets: &str) -> String {
    let ratelimit = quote(include_str!("ratelimit.js"));
    let environment = quote(include_str!("environment.js"));
    let namespace = quote(include_str!("namespace.js"));
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\nconst config :Workerd.Config = (\n  services = [\n{services}    \
         (name = \"objects\", disk = (path = \"objects\", writable = true)),\n  ],\n  sockets = [\n{sockets}  ],\n  \
         extensions = [(modules = [(name = \"sandbox:ratelimit\", esModule = {ratelimit}, internal = true), \
         (name = \"sandbox:environment\", esModule = {environment}, internal = true), \
         (name = \"sandbox:namespace\", esModule = {namespace}, internal = true)])],\n  \
         logging = (structuredLogging = true),\n);\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::deployment::{Request, Secrets, create};
    use crate::account::fixture::fixed;
    use crate::account::fixture::{room, room_with_two_versions};
    use serde_json::json;

    fn analytics() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    #[test]
    fn a_secret_reaches_the_runtime_by_its_environment_only() {
        let config = render(&room(), analytics(), Strictness::Strict, None);
        assert!(!config.text.contains("marker"));
        assert!(
            config
                .text
                .contains(r#"(name = "SECRET", fromEnvironment = "SANDBOX_SECRET_0")"#)
        );
        assert_eq!(config.environment[0].1.expose(), "marker");
        assert!(!format!("{config:?}").contains("marker"));
    }

    #[test]
    fn every_object_lives_in_the_service_of_the_version_with_the_greatest_share() {
        let (mut state, first, second) = room_with_two_versions();
        let split = |share: u32| -> Request {
            serde_json::from_value(json!({"versions": [
                {"version_id": second, "percentage": share}, {"version_id": first, "percentage": 100 - share},
            ]}))
            .unwrap()
        };
        for (share, primary) in [(25, &first), (75, &second)] {
            let script = state.script_mut("a", "room").unwrap();
            create(script, split(share), Secrets::Guarded, &fixed(3)).unwrap();
            for (strictness, folders, ends) in
                [(Strictness::Strict, 1, 1), (Strictness::Lenient, 0, 0)]
            {
                let text = render(&state, analytics(), strictness, None).text;
                assert_eq!(text.matches("durableObjectStorage").count(), 1);
                let target = format!(
                    r#"durableObjectNamespace = (className = "Room", serviceName = "a/room/{primary}")"#
                );
                assert_eq!(
                    text.matches(&target).count() - folders * 2,
                    2,
                    "both versions use the same objects: {text}"
                );
                // Strictly, the other version's code is in it too, with the lot where the first one's share ends
                assert_eq!(
                    text.matches("(name = \"sandbox-1/index.js\"").count(),
                    folders
                );
                let end = (u64::from(share) << 32) / 100;
                let bound = format!(r#"\"end\":{end}"#);
                assert_eq!(text.matches(&bound).count(), ends, "{bound} {text}");
            }
        }
    }

    #[test]
    fn routes_and_settings_do_not_change_what_runs() {
        let mut state = room();
        let before = render(&state, analytics(), Strictness::Strict, None);
        let script = state.script_mut("a", "room").unwrap();
        script.settings.tags.push("tag".into());
        script.subdomain.enabled = true;
        assert!(render(&state, analytics(), Strictness::Strict, None) == before);
    }

    #[test]
    fn a_date_that_the_runtime_does_not_know_yet_becomes_the_newest_that_it_knows() {
        let mut state = room();
        let script = state.script_mut("a", "room").unwrap();
        script.versions[0].compatibility_date = Some("2026-11-27".into());
        for (newest, run) in [
            (None, "2026-11-27"),
            (Some("2026-10-23"), "2026-10-23"),
            (Some("2026-12-01"), "2026-11-27"),
        ] {
            let text = render(&state, analytics(), Strictness::Strict, newest).text;
            let date = format!("compatibilityDate = \"{run}\"");
            assert!(text.contains(&date), "{newest:?}: {text}");
        }
    }
}
