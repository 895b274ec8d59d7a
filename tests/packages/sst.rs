//! The part of `sst.config.ts`: against the types that SST itself writes, and run with SST's own secrets.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edge_broadcast::build::toolchain::cache::Cache;
use edge_broadcast::terminal::progress::Progress;
use serde_json::{Value, json};

use crate::npm;
use crate::support::{Project, Run, repository};

/// A folder with `.sst/platform` as `sst install` writes it, kept in the cache. Its packages are not of SST's choice but of our lock
/// file: the npm that SST finds does nothing. An app at home on this machine has no provider, so no registry is asked for one.
fn platform() -> PathBuf {
    let (modules, cache) = (
        npm::modules_sst(),
        Cache::locate(&Progress::hidden()).unwrap(),
    );
    let name = "tests-sst-platform";
    let version = modules
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let place = cache.tool(name, &version);
    let _alone = cache.lock(name, &Progress::stderr()).unwrap();
    if place.exists() {
        return place;
    }
    let staging = cache.staging().unwrap();
    let write = |path: &str, text: &str| std::fs::write(staging.path().join(path), text).unwrap();
    write(
        "sst.config.ts",
        "export default $config({ app: () => ({ name: \"glow\", home: \"local\" }), async run() {} });\n",
    );
    write("npm", "#!/bin/sh\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(staging.path().join("npm"), executable).unwrap();
    let path = std::env::var("PATH").unwrap();
    done(
        Command::new("node")
            .arg(modules.join("sst/bin/sst.mjs"))
            .args(["install", "--stage", "staging"])
            .current_dir(staging.path())
            .env("PATH", format!("{}:{path}", staging.path().display()))
            .env("HOME", staging.path())
            .env_remove("XDG_CONFIG_HOME")
            .envs(QUIET),
    );
    assert!(staging.path().join(".sst/platform/config.d.ts").is_file());
    cache.keep(staging.path(), name, &version).unwrap();
    place
}

/// Ask for no program that is not here, report nothing, and use npm.
const QUIET: [(&str, &str); 3] = [
    ("SST_SKIP_DEPENDENCY_CHECK", "1"),
    ("SST_TELEMETRY_DISABLED", "1"),
    ("SST_NO_BUN", "1"),
];

#[track_caller]
fn done(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A project with what is generated for all environments, and SST installed.
fn project() -> Project {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let link = |from: PathBuf, to: &str| {
        std::os::unix::fs::symlink(from, project.path().join(to)).unwrap();
    };
    link(platform().join(".sst"), ".sst");
    link(npm::modules_sst(), "node_modules");
    project
}

/// The TypeScript of the documents: each block names its file in its first line.
fn write_files_of_the_document(project: &Project) {
    let document = std::fs::read_to_string(repository().join("docs/migration.md")).unwrap();
    let mut names = Vec::new();
    for block in document.split("```ts\n// ").skip(1) {
        let (name, text) = block.split("```").next().unwrap().split_once('\n').unwrap();
        let folder = project.path().join(name);
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        project.write(name, text);
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "sst.config.ts",
            "source/webhooks/staging.ts",
            "app/prices.ts"
        ]
    );
}

const TSCONFIG: &str = r#"{
  "compilerOptions": {
    "strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noUnusedLocals": true,
    "noEmit": true, "skipLibCheck": true, "types": [], "lib": ["es2022"],
    "target": "es2022", "module": "esnext", "moduleResolution": "bundler"
  },
  "files": ["sst.config.ts", "wrong.ts"]
}"#;

/// What SST's own types refuse: were they not read, nothing here were an error, and that would be one.
const WRONG: &str = r#"
import { edgeBroadcast } from "./generated/staging/sst/edge-broadcast";
// @ts-expect-error a bucket is no queue
edgeBroadcast({ handler: "a.handler" }, { queue: new sst.aws.Bucket("Prices") });
// @ts-expect-error a handler is a text
edgeBroadcast({ handler: 1 });
// @ts-expect-error there is no such argument
edgeBroadcast({ handler: "a.handler", memroy: "1 GB" });
// A route takes what a function does
const api = new sst.aws.ApiGatewayV2("Api");
api.route("POST /helius", edgeBroadcast({ handler: "a.handler", link: [api], environment: { API: api.url } }));
"#;

#[test]
fn the_configuration_of_the_documents_passes_the_strict_compiler_with_ssts_own_types() {
    let project = project();
    write_files_of_the_document(&project);
    project.write("wrong.ts", WRONG);
    project.write("tsconfig.json", TSCONFIG);
    let said = done(
        Command::new("node")
            .arg(repository().join("tests/sst/check.cjs"))
            .arg(npm::modules().join("typescript"))
            .current_dir(project.path()),
    );
    assert_eq!(String::from_utf8_lossy(&said.stdout), "");
}

/// In the application's own project, which has the packages that the generated ones name.
const TSCONFIG_OF_THE_APPLICATION: &str = r#"{
  "compilerOptions": {
    "strict": true, "noUncheckedIndexedAccess": true, "noPropertyAccessFromIndexSignature": true, "noUnusedLocals": true,
    "noEmit": true, "skipLibCheck": true, "types": ["node"], "lib": ["es2022", "dom"], "allowImportingTsExtensions": true,
    "target": "es2022", "module": "esnext", "moduleResolution": "bundler"
  },
  "files": ["source/webhooks/staging.ts", "app/prices.ts"]
}"#;

#[test]
fn the_handler_and_the_client_of_the_documents_pass_the_strict_compiler() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    write_files_of_the_document(&project);
    std::os::unix::fs::symlink(npm::modules(), project.path().join("node_modules")).unwrap();
    project.write("tsconfig.json", TSCONFIG_OF_THE_APPLICATION);
    done(
        Command::new("node")
            .arg(npm::modules().join("typescript/bin/tsc"))
            .current_dir(project.path()),
    );
}

/// What `run.mjs` says: what two functions of one app are given, that SST refuses a second secret of one name, and what the third is told.
fn given(project: &Project) -> Value {
    let script = repository().join("tests/sst/run.mjs");
    std::fs::copy(script, project.path().join("run.mjs")).unwrap();
    done(
        Command::new(npm::modules().join("esbuild/bin/esbuild"))
            .args([
                "run.mjs",
                "--bundle",
                "--platform=node",
                "--format=cjs",
                "--packages=external",
            ])
            // SST's own settings extend a package that only its own compiler needs
            .args([
                "--tsconfig-raw={}",
                "--log-level=error",
                "--outfile=run.cjs",
            ])
            .current_dir(project.path()),
    );
    let output = done(
        Command::new("node")
            .arg("run.cjs")
            .env("SST_SECRET_EdgeBroadcastSecret", "the secret")
            .env("SST_SECRET_HeliusAuthHeader", "the header")
            .current_dir(project.path()),
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_function_gets_secrets_links_and_variables_beside_its_own_and_no_other_stage_does() {
    let project = project();
    let given = given(&project);
    assert_eq!(
        given,
        json!([
            {
                "handler": "a.handler",
                "link": ["Secret EdgeBroadcastUrl", "Secret EdgeBroadcastSecret", "Secret HeliusAuthHeader"],
                "environment": {
                    "USE_EDGE_BROADCAST": "true",
                    "EDGE_BROADCAST_URL": "https://broadcast-staging.glow.trade",
                    "EDGE_BROADCAST_SECRET": "the secret",
                    "HELIUS_AUTH_HEADER": "the header",
                },
            },
            {
                "handler": "b.handler",
                "memory": "1 GB",
                "link": ["Queue Other", "Secret EdgeBroadcastUrl", "Secret EdgeBroadcastSecret", "Secret HeliusAuthHeader", "Queue Prices"],
                "environment": {
                    "USE_EDGE_BROADCAST": "false",
                    "EDGE_BROADCAST_URL": "https://broadcast-staging.glow.trade",
                    "EDGE_BROADCAST_SECRET": "the secret",
                    "HELIUS_AUTH_HEADER": "the header",
                    "EDGE_BROADCAST_QUEUE_URL": "https://sqs.example/prices",
                    "REGION": "eu",
                },
            },
            "Component name EdgeBroadcastUrl is not unique.",
            "`edgeBroadcast` of glow in the stage staging is used by glow in production: import that stage's",
        ])
    );
    let variables = given[1]["environment"].as_object().unwrap().keys();
    let set: BTreeSet<String> = variables
        .filter(|name| *name != "REGION")
        .cloned()
        .collect();
    assert_eq!(set, read_by_the_publisher(project.path()));
}

/// The environment variables that the generated publisher names.
fn read_by_the_publisher(project: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(project.join("generated/staging/publisher/src")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let words =
            text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        let of_ours = words.filter(|word| {
            ["EDGE_BROADCAST_", "USE_EDGE_", "HELIUS_"]
                .iter()
                .any(|start| word.starts_with(start))
        });
        names.extend(of_ours.map(str::to_owned));
    }
    names
}

/// Each command of a text that begins with `sst`, alone or after a pipe: its words.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches("// ").trim());
    let runs = lines.filter_map(|line| {
        let last = line.rsplit("| ").next()?.trim_start_matches("npx ");
        last.starts_with("sst ").then(|| last.split(' ').collect())
    });
    runs.collect()
}

#[test]
fn every_command_of_sst_that_is_shown_is_one_of_its_own_program() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap();
    let shown = [
        "docs/migration.md",
        "generated/staging/sst/edge-broadcast.ts",
    ]
    .map(read)
    .concat();
    let commands: BTreeSet<Vec<&str>> = commands(&shown).into_iter().collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for words in commands {
        let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
        let verbs: Vec<&str> = words[1..].iter().take_while(is_name).copied().collect();
        let help = Command::new("node")
            .arg(npm::modules_sst().join("sst/bin/sst.mjs"))
            .args(&verbs)
            .arg("--help")
            .envs(QUIET)
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let usage = format!("Usage: sst {}", verbs.join(" "));
        assert!(help.starts_with(&usage), "{words:?}: {help}");
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("\n  {option} ")), "{option}: {help}");
        }
    }
}
