//! The client where apps run: Node with and without a `WebSocket` of its own, Deno, Bun, and React Native's own classes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::front::Front;
use super::pack::fresh;
use super::program::Program;
use super::{Package, world};
use crate::npm;
use crate::workers::{Deployed, HOST};

/// React Native's own `WebSocket` and `URL`, as one module.
fn react_native(folder: &Path, version: &str) -> PathBuf {
    let module = folder.join(format!("react-native-{version}.mjs"));
    let output = Command::new("node")
        .arg(world("react-native.mjs"))
        .arg(npm::modules_world().join(format!("react-native-{version}")))
        .arg(&module)
        .env("NPM_MODULES", npm::modules())
        .env("WORLD_MODULES", npm::modules_world())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    module
}

/// A phone, whose JavaScript is on Node. It sends the gateway's own origin, so it must know it by its own name.
fn phone(package: &Package, folder: &Path, version: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg("--require")
        .arg(package.folder.join("hosts.cjs"))
        .arg("--import")
        .arg(world("phone.mjs"))
        .env("REACT_NATIVE", react_native(folder, version));
    command
}

fn deno(folder: &Path) -> Command {
    let mut command = Command::new(npm::deno());
    command
        .args(["run", "--no-config", "--no-prompt"])
        .args(["--allow-net", "--allow-env", "--allow-read"])
        .env("DENO_DIR", folder.join("deno"))
        .env("DENO_NO_UPDATE_CHECK", "1");
    command
}

fn bun() -> Command {
    let mut command = Command::new(npm::bun());
    command.arg("run");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gets_prices_on_node_deno_bun_and_with_react_natives_own_sockets_and_addresses() {
    let dist = fresh().join("node_modules/glow-broadcast-staging-client/dist/index.js");
    let package = Package::generated("client", &[]);
    let source = package.folder.join("src/index.ts");
    let folder = tempfile::tempdir().unwrap();
    let deployed = Deployed::new();
    let front = Front::before(deployed.sandbox.ingress).await;
    let fronted = format!("http://{}", front.address);
    let named = format!("http://{HOST}:{}", deployed.sandbox.ingress.port());
    let modules = npm::modules();
    let node_22 = npm::node_22().get_program().to_owned();
    let commands = [
        ("node", Command::new("node"), &dist),
        ("node 22", Command::new(node_22), &dist),
        ("deno", deno(folder.path()), &dist),
        ("deno, source", deno(folder.path()), &source),
        ("bun", bun(), &dist),
        ("bun, source", bun(), &source),
        (
            "react native 0.72",
            phone(&package, folder.path(), "0.72"),
            &dist,
        ),
        (
            "react native 0.82",
            phone(&package, folder.path(), "0.82"),
            &dist,
        ),
    ];
    let mut programs = commands.map(|(name, mut command, client)| {
        command
            .arg(world("app.mjs"))
            .env("CLIENT", format!("file://{}", client.display()))
            .env(
                "GATEWAY",
                if name.starts_with("react native") {
                    &named
                } else {
                    &fronted
                },
            )
            .env("NPM_MODULES", &modules);
        (name, Program::start(&mut command))
    });
    for (name, program) in &mut programs {
        println!("{name}");
        program.says(&[json!(["connecting", ""]), json!(["open", "ws"])]);
    }
    for (kind, price) in [("PRICE_UPDATE", 1), ("OTHER", 2)] {
        let update = json!({ "type": kind, "price": price });
        deployed.publish("SOL:USD", update).await;
    }
    for (name, program) in &mut programs {
        println!("{name}");
        program.says(&[json!(["price", 1]), json!(["price", 2])]);
        program.ends();
    }
}

/// Apps bundle it to functions that Hermes knows: Babel leaves it no `async`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_compilers_of_react_natives_engine_take_it() {
    let dist = fresh().join("node_modules/glow-broadcast-staging-client/dist");
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("index.js");
    let esbuild = Command::new("node")
        .arg(npm::modules().join("esbuild/bin/esbuild"))
        .args([dist.join("index.js"), dist.join("react.js")])
        .args([
            "--bundle",
            "--external:react",
            "--format=cjs",
            "--target=es2020",
        ])
        .args(["--supported:async-await=false", "--log-level=warning"])
        .arg(format!("--outdir={}", folder.path().display()))
        .output()
        .unwrap();
    assert!(esbuild.status.success(), "{esbuild:?}");
    for version in ["0.72", "0.82"] {
        let hermes = format!("react-native-{version}/sdks/hermesc/linux64-bin/hermesc");
        for script in [&bundle, &folder.path().join("react.js")] {
            let output = Command::new(npm::modules_world().join(&hermes))
                .args(["-w", "-emit-binary", "-out"])
                // Never a device: it renames a file of its own over the place, and whoever is root loses `/dev/null`
                .arg(folder.path().join("index.hbc"))
                .arg(script)
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{version}: {errors}");
        }
    }
}
