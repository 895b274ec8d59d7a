//! `build` on machines where something is missing, fails or is interrupted: a project of its own, with tools made for the test.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, Sandbox};

/// What worker-build does, as far as the outside sees: writes two files to the directory after `--out-dir`, and a line to `calls`.
const BUILDS: &str = r#"
echo "$4" >> "$CALLS"
sleep 0.3
mkdir -p "$4"
printf 'export {}' > "$4/index.js"
printf 'wasm' > "$4/index_bg.wasm"
"#;
/// The same without the line.
const PACKS: &str = r#"mkdir -p "$4"; echo > "$4/index.js"; echo > "$4/index_bg.wasm""#;

struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// With a worker-build that runs `script`, installed where the tool would install it.
    fn with_worker_build(script: &str) -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["gateway", "room", "protocol", "shell"] {
            machine.write(&format!("worker/{name}/src/lib.rs"), "");
        }
        machine.write("worker/console/index.html", "");
        machine.write("environments/local.toml", "");
        machine.write("Cargo.toml", "");
        machine.write(
            "Cargo.lock",
            "[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n",
        );
        let program = "cache/tools/worker-build-0.8.7/bin/worker-build";
        let calls = machine.path("calls");
        machine.write(
            program,
            &format!("#!/bin/sh\nCALLS='{}'\n{script}", calls.display()),
        );
        let program = machine.path(program);
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn build(&self) -> Command {
        let mut command = Run::new(["build", "--json"])
            .env("WASM_BINDGEN_BIN", "true")
            .env("WASM_OPT_BIN", "true")
            .env("ESBUILD_BIN", "true")
            .command();
        command
            .current_dir(self.folder.path())
            .env("EDGE_BROADCAST_CACHE", self.path("cache"))
            .env_remove("CARGO_TARGET_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn calls(&self) -> usize {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().count()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn built(output: &Output) -> [bool; 2] {
    assert!(output.status.success(), "{}", stderr(output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    [0, 1].map(|at| answer["workers"][at]["built"] == true)
}

#[test]
fn only_the_worker_whose_source_changed_is_built_again() {
    let machine = Machine::with_worker_build(BUILDS);
    let build = || built(&machine.build().output().unwrap());
    assert_eq!(build(), [true, true]);
    assert_eq!(build(), [false, false]);
    machine.write("worker/room/src/lib.rs", "// changed");
    assert_eq!(build(), [false, true]);
    machine.write("worker/protocol/src/lib.rs", "// changed");
    assert_eq!(build(), [true, true]);
    assert_eq!(machine.calls(), 5);
}

/// A machine that has built both Workers, and an account.
fn with_bundles() -> (Machine, Sandbox) {
    let machine = Machine::with_worker_build(BUILDS);
    let manifest = crate::support::manifest("local");
    machine.write("environments/local.toml", &manifest);
    built(&machine.build().output().unwrap());
    (machine, Sandbox::start())
}

fn planning(machine: &Machine, sandbox: &Sandbox) -> Command {
    let mut plan = Run::new(["plan", "local"])
        .against(sandbox)
        .env("WASM_BINDGEN_BIN", "true")
        .env("WASM_OPT_BIN", "true")
        .env("ESBUILD_BIN", "true")
        .command();
    plan.current_dir(machine.path(""));
    plan
}

/// Otherwise `plan` could promise that no socket is touched where `deploy` compiles other code.
#[test]
fn a_plan_with_bundles_of_another_compiler_is_refused() {
    let (machine, sandbox) = with_bundles();
    let plan = || stderr(&planning(&machine, &sandbox).output().unwrap());
    let record = machine.path("worker/room/build/bundle.json");
    let text = std::fs::read_to_string(&record).unwrap();
    assert_eq!(plan(), "");
    std::fs::write(&record, text.replace("rustc 1", "rustc 0")).unwrap();
    assert_eq!(
        plan(),
        "error: the `room` worker is not built, or older than its sources or the compiler\nhelp: run `edge-broadcast build`\n"
    );
    assert_eq!(built(&machine.build().output().unwrap()), [false, true]);
}

#[test]
fn where_there_is_no_compiler_a_plan_takes_the_bundles_as_they_were_built_and_says_so() {
    let (machine, sandbox) = with_bundles();
    let plan = || {
        let mut plan = planning(&machine, &sandbox);
        plan.env("PATH", "/no-such-folder").output().unwrap()
    };
    let record = std::fs::read_to_string(machine.path("worker/room/build/bundle.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let compiler = record["compiler"].as_str().unwrap().lines().next().unwrap();
    let output = plan();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        stderr(&output),
        ["gateway", "room"].map(|worker| format!(
            "there is no `rustc` here: the `{worker}` worker is taken as `{compiler}` has built it\n"
        )).concat()
    );
    machine.write("worker/room/src/lib.rs", "// changed");
    assert!(stderr(&plan()).ends_with(
        "error: the `room` worker is not built, or older than its sources or the compiler\nhelp: run `edge-broadcast build`\n"
    ));
}

#[test]
fn of_two_builds_at_once_one_builds_and_the_other_waits_for_it() {
    let machine = Machine::with_worker_build(BUILDS);
    let builds = [(); 2].map(|()| machine.build().spawn().unwrap());
    for build in builds {
        built(&build.wait_with_output().unwrap());
    }
    assert_eq!(machine.calls(), 2);
}

#[test]
fn a_failed_build_shows_the_compilers_words() {
    let machine = Machine::with_worker_build("echo 'error[E0308]: mismatched types' >&2; exit 1");
    let output = machine.build().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "building the gateway worker: the first time about a minute\n\
         error: cannot build the `gateway` worker: `worker-build` failed (exit status: 1)\n  \
         error[E0308]: mismatched types\n"
    );
}

#[test]
fn an_interrupted_build_ends_at_once_with_everything_that_it_started() {
    let machine = Machine::with_worker_build("echo $$ > \"$CALLS\"; sleep 60 & wait");
    let build = machine.build().spawn().unwrap();
    let group = eventually(|| {
        let text = std::fs::read_to_string(machine.path("calls")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    signal("-INT", &build.id().to_string());
    let interrupted = Instant::now();
    let output = build.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(interrupted.elapsed() < Duration::from_secs(3));
    // The signal 0 asks whether anybody is left in the group
    eventually(|| (!signal("-0", &format!("-{group}"))).then_some(()));
}

#[test]
fn without_npm_the_error_says_what_was_tried_and_what_to_do() {
    let machine = Machine::with_worker_build(BUILDS);
    // The compiler alone: neither npm nor node
    std::fs::create_dir(machine.path("bin")).unwrap();
    std::os::unix::fs::symlink(which("rustc"), machine.path("bin/rustc")).unwrap();
    let output = machine
        .build()
        .env_remove("WASM_OPT_BIN")
        .env("PATH", machine.path("bin"))
        .env("WASM_BINDGEN_BIN", which("true"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let error = said.lines().find(|line| line.starts_with("error:"));
    assert_eq!(
        error,
        Some(
            "error: cannot install `binaryen` 132.0.0 with npm: cannot start `npm`: No such file or directory (os error 2)"
        )
    );
    let advice = "help: check that `npm` is installed and reaches its registry, or name a program of your own in `WASM_OPT_BIN`";
    assert_eq!(said.lines().last(), Some(advice));
}

#[test]
fn an_own_tool_that_does_not_exist_is_named_before_anything_is_built() {
    let machine = Machine::with_worker_build(BUILDS);
    let output = machine
        .build()
        .env("ESBUILD_BIN", "/no/esbuild")
        .output()
        .unwrap();
    assert_eq!(
        stderr(&output),
        "error: `ESBUILD_BIN` is `/no/esbuild`, which is not a program\n\
         help: correct it, or unset it to have the tool installed\n"
    );
    assert_eq!(machine.calls(), 0);
}

/// Asks until there is an answer.
#[track_caller]
fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, target: &str) -> bool {
    let kill = Command::new("kill")
        .args([name, "--", target])
        .stderr(Stdio::null())
        .status();
    kill.unwrap().success()
}

fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap()
}

/// What every program of a build does first here: keeps its environment in a file that is named after it.
const RECORDS: &str = r#"env > "$KEPT/$(basename "$0")-$$"
"#;
/// Tools that answer what a build asks, install tools that record too, and compile nothing.
const FAKES: [(&str, &str); 5] = [
    ("rustc", "echo /nowhere"),
    ("rustup", ""),
    ("wasm-bindgen", "echo wasm-bindgen 0.0.1"),
    (
        "npm",
        r#"for tool in binaryen/bin/wasm-opt @esbuild/linux-x64/bin/esbuild @esbuild/linux-arm64/bin/esbuild; do
    mkdir -p "node_modules/$(dirname "$tool")"; touch "node_modules/$tool"
done"#,
    ),
    (
        "cargo",
        r#"while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"; cp "$KEPT/worker-build" "$2/bin/worker-build"; cp "$KEPT/worker-build" "$2/bin/wasm-bindgen""#,
    ),
];

/// Whatever a build script prints may end in a log.
#[test]
fn no_program_of_a_build_gets_a_secret_or_a_token_and_each_gets_what_it_needs() {
    let machine = Machine::with_worker_build("");
    std::fs::remove_dir_all(machine.path("cache")).unwrap();
    let manifest = crate::support::manifest("local");
    let manifest = manifest.replace("env:WEBHOOK_SECRET", "env:OTHER_NAME");
    assert!(manifest.contains("env:OTHER_NAME"));
    machine.write("environments/local.toml", &manifest);
    let kept = machine.path("kept");
    let script = |body: &str| format!("#!/bin/sh\nKEPT='{}'\n{RECORDS}{body}", kept.display());
    let install = |path: &str, body: &str| {
        machine.write(path, &script(body));
        std::fs::set_permissions(machine.path(path), PermissionsExt::from_mode(0o755)).unwrap();
    };
    for (name, body) in FAKES {
        install(&format!("bin/{name}"), body);
    }
    install("kept/worker-build", PACKS);
    let mut build = machine.build();
    for name in [
        "OTHER_NAME",
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRET_ALTERNATE",
        "ADMIN_SECRET",
        "CLOUDFLARE_API_TOKEN",
        "CLOUDFLARE_API_KEY",
        "CLOUDFLARE_EMAIL",
        "CF_API_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "CARGO_REGISTRY_TOKEN",
        "CARGO_REGISTRIES_OURS_TOKEN",
        "GITHUB_TOKEN",
        "HARMLESS",
    ] {
        build.env(name, "hunter2");
    }
    for name in ["WASM_BINDGEN_BIN", "WASM_OPT_BIN", "ESBUILD_BIN"] {
        build.env_remove(name);
    }
    let path = format!(
        "{}:{}",
        machine.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let output = build
        .env("PATH", &path)
        .env("HTTPS_PROXY", "http://proxy.example:3128")
        .env("LC_MESSAGES", "C")
        .output()
        .unwrap();
    built(&output);
    let mut started = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(&kept).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let Some((name, id)) = name.rsplit_once('-') else {
            continue;
        };
        if id.parse::<u32>().is_err() {
            continue;
        }
        let environment = std::fs::read_to_string(entry.path()).unwrap();
        assert!(!environment.contains("hunter2"), "{name}: {environment}");
        for needed in [
            "HOME=",
            "PATH=",
            "HTTPS_PROXY=http://proxy",
            "LC_MESSAGES=C",
        ] {
            assert!(environment.contains(needed), "{name}: {environment}");
        }
        started.insert(name.to_owned());
    }
    let all = [
        "cargo",
        "npm",
        "rustc",
        "rustup",
        "wasm-bindgen",
        "worker-build",
    ];
    assert_eq!(started.into_iter().collect::<Vec<_>>(), all);
}

/// The runtime runs other people's code too.
#[test]
fn the_sandboxs_runtime_gets_nothing_of_the_users_environment() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("workerd");
    let script = format!(
        "#!/bin/sh\nenv > '{}'\nexit 1\n",
        folder.path().join("kept").display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    crate::support::built();
    let run = Run::new(["deploy", "staging", "--sandbox"])
        .env("WORKERD_BIN", program.to_str().unwrap())
        .env("WEBHOOK_SECRET", "a-canary-of-the-test-a8f3c2d1")
        .env("HARMLESS", "hunter2");
    run.fails();
    let environment = std::fs::read_to_string(folder.path().join("kept")).unwrap();
    // What a shell sets for itself
    let own = |line: &str| {
        ["PWD=", "SHLVL=", "_=", "OLDPWD="]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let rest: Vec<&str> = environment.lines().filter(|line| !own(line)).collect();
    assert_eq!(rest, [""; 0]);
}
