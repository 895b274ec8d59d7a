//! The service in which a script's Durable Objects live: its greatest version, with the code and the bindings of every other
//! version that an object runs. Pure, but for [`reports`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use http::Method;
use serde_json::{Map, Value, json};

use crate::account::assignment::{Report, bounds};
use crate::account::module::{Kind, Module};
use crate::account::namespace::Namespace;
use crate::account::script::Script;
use crate::account::version::Version;
use crate::runtime::ask::ask;
use crate::runtime::capnp::quote;

/// The entrypoint that says what the objects run.
pub(crate) const ENTRYPOINT: &str = "sandboxObjects";
/// The binding with everything that only the host may see.
pub(crate) const BINDING: &str = "sandbox:objects";
/// How long the objects may take to say what they run.
const PATIENCE: Duration = Duration::from_secs(5);

/// The versions that objects of the script can run: the one with the greatest share first, in whose service they live.
pub(crate) fn versions(script: &Script) -> Vec<&Version> {
    let primary = script.primary().map(|primary| primary.id.as_str());
    let running = script.running().map(|version| version.id.as_str());
    let held = script.holds.iter().map(|hold| hold.version.as_str());
    let mut seen = BTreeSet::new();
    primary
        .into_iter()
        .chain(running)
        .chain(held)
        .filter(|id| seen.insert(*id))
        .filter_map(|id| script.version(id))
        .collect()
}

/// The name of the socket at which [`reports`] asks.
pub(crate) fn socket(service: &str) -> String {
    format!("{service}/objects")
}

/// The other versions' modules, each version's in a folder of its own.
pub(crate) fn modules(versions: &[&Version]) -> Vec<Module> {
    let others = versions.iter().enumerate().skip(1);
    let modules = others.flat_map(|(index, version)| {
        version.modules.iter().map(move |module| Module {
            name: folder(index, &module.name),
            ..module.clone()
        })
    });
    modules.collect()
}

/// Whether the runtime can import what the version consists of.
pub(crate) fn can_import(version: &Version) -> bool {
    let mut modules = version.modules.iter();
    modules.any(|module| module.name == version.main_module && module.kind == Kind::EsModule)
}

/// The service's main module.
pub(crate) fn main(script: &Script, versions: &[&Version], classes: &[&Namespace]) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let mut code = String::from("import { DurableObject, env } from \"cloudflare:workers\";\n");
    let mut list = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let path = text(&format!("./{}", folder(index, &version.main_module)));
        let _ = writeln!(code, "import * as version{index} from {path};");
        if index == 0 {
            let _ = writeln!(code, "export * from {path};");
            if !version.described.handlers.is_empty() {
                let _ = writeln!(code, "export {{ default }} from {path};");
            }
        }
        list.push(format!(
            "{{ id: {}, exports: version{index} }}",
            text(&version.id)
        ));
    }
    let _ = writeln!(code, "const VERSIONS = [{}];", list.join(", "));
    let _ = writeln!(code, "const TABLE = {};", table(script, versions));
    code += include_str!("objects.js");
    for (index, class) in classes.iter().enumerate() {
        let name = text(&class.class);
        let _ = writeln!(
            code,
            "const class{index} = host({name});\nexport {{ class{index} as {name} }};"
        );
    }
    code
}

/// The binding itself, from the namespaces' classes and the other versions' bindings (each already named `1/NAME`).
pub(crate) fn binding(service: &str, classes: &[&Namespace], others: &[String]) -> String {
    let namespaces = classes.iter().map(|namespace| {
        format!(
            "(name = {}, durableObjectNamespace = (className = {}, serviceName = {}))",
            quote(&format!("objects/{}", namespace.class)),
            quote(&namespace.class),
            quote(service)
        )
    });
    let all: Vec<String> = namespaces.chain(others.iter().cloned()).collect();
    format!(
        "(name = {}, wrapped = (moduleName = \"sandbox:environment\", innerBindings = [{}]))",
        quote(BINDING),
        all.join(", ")
    )
}

/// Which object runs which version, by the versions' place in the list.
fn table(script: &Script, versions: &[&Version]) -> Value {
    let place = |id: &str| versions.iter().position(|version| version.id == id);
    let bounds = bounds(script.shares());
    let bounds = bounds.iter();
    let bounds = bounds.map(|(version, end)| json!({"version": place(version), "end": end}));
    let mut held: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for hold in &script.holds {
        let entry = json!({"version": place(&hold.version), "until": hold.until_ms});
        held.entry(&hold.class)
            .or_default()
            .insert(hold.object.clone(), entry);
    }
    json!({"bounds": bounds.collect::<Vec<_>>(), "held": held})
}

fn folder(index: usize, module: &str) -> String {
    let module = module.trim_start_matches("./");
    match index {
        0 => module.to_owned(),
        _ => format!("sandbox-{index}/{module}"),
    }
}

/// Asks the host at `port` for every object that has run there.
pub(crate) async fn reports(port: u16) -> anyhow::Result<Vec<Report>> {
    let body = tokio::time::timeout(PATIENCE, ask(Method::GET, port, "/"))
        .await
        .context("the objects took too long")?
        .context("asking the objects what they run")?;
    serde_json::from_slice(&body).context("reading what the objects run")
}

/// Ends every object of the room `token`, whose name is the token or begins with it and a `/`.
pub(crate) async fn evict(port: u16, token: &str) -> anyhow::Result<()> {
    let path = format!("/evict/{token}");
    tokio::time::timeout(PATIENCE, ask(Method::POST, port, &path))
        .await
        .context("the objects took too long")?
        .context("ending the objects of a room")?;
    Ok(())
}
