//! What every test needs: the binary, projects to run it in, a sandbox to run it against.

pub(crate) mod api;
pub(crate) mod going;
pub(crate) mod rig;
pub(crate) mod runtime;
mod terminal;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use serde_json::Value;

/// The webhook secret of the tests that do not care which it is.
const SECRET: &str = "whsec_c2VjcmV0LW9mLXRlc3RzLXRoYXQtZG8tbm90LWNhcmU=";

/// The repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The binary that was built for these tests. A `cargo run` beside them puts another one in the place where cargo says it is, whose
/// sandbox has no faults: hence a name of its own.
pub(crate) fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edge-broadcast");
        let link = own.with_extension(std::process::id().to_string());
        std::fs::hard_link(env!("CARGO_BIN_EXE_edge-broadcast"), &link).unwrap();
        std::fs::rename(&link, &own).unwrap();
        // Of two names of one file a rename removes neither
        let _ = std::fs::remove_file(&link);
        own
    });
    &BINARY
}

/// A run of the binary, before it starts. The environment variables that steer it are not inherited.
#[must_use]
pub(crate) struct Run {
    command: Command,
}

/// A run of a project's binary against `sandbox`, with a webhook secret in the environment.
pub(crate) fn run(sandbox: &Sandbox, project: &Project, args: &[&str]) -> Run {
    Run::new(args.iter().copied())
        .inside(project)
        .against(sandbox)
        .env("WEBHOOK_SECRET", SECRET)
}

/// What a run printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        Self::by(binary(), args)
    }

    /// A run of another build of it.
    pub(crate) fn by<'a>(binary: &Path, args: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(binary);
        command
            .args(args)
            .current_dir(repository())
            .stdin(Stdio::null())
            // Whose the scripts are does not depend on the checkout that the tests run in
            .env("GIT_DIR", repository().join("tests/fixtures/nobodys.git"))
            .env("NO_COLOR", "1");
        for name in [
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_COMPLIANCE_REGION",
            "CF_API_TOKEN",
            "CF_API_KEY",
            "CLOUDFLARE_ACCOUNT_ID",
            "CLOUDFLARE_API_BASE_URL",
            "WEBHOOK_SECRET",
            "ADMIN_SECRET",
        ] {
            command.env_remove(name);
        }
        Self { command }
    }

    pub(crate) fn inside(mut self, project: &Project) -> Self {
        self.command.current_dir(project.path());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without a variable that this process has.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// With the three variables that lead to `sandbox`.
    pub(crate) fn against(self, sandbox: &Sandbox) -> Self {
        self.env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
            .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
            .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id)
    }

    /// The command itself, for tests that need the process.
    pub(crate) fn command(self) -> Command {
        self.command
    }

    pub(crate) fn printed(mut self) -> Printed {
        let output = self.command.output().expect("the binary starts");
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// Runs it, which must succeed.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Printed {
        let printed = self.printed();
        assert_eq!(
            printed.code, 0,
            "stdout:\n{}\nstderr:\n{}",
            printed.stdout, printed.stderr
        );
        printed
    }

    /// Runs it, which must exit with 1.
    #[track_caller]
    pub(crate) fn fails(self) -> Printed {
        let printed = self.printed();
        assert_eq!(
            printed.code, 1,
            "stdout:\n{}\nstderr:\n{}",
            printed.stdout, printed.stderr
        );
        printed
    }
}

impl Printed {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

/// The repository with manifests of its own: everything else is linked.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "Cargo.toml",
            "Cargo.lock",
            "src",
            "sandbox",
            "templates",
            "worker",
            "target",
            ".edge-broadcast",
        ] {
            let original = repository().join(name);
            if original.exists() {
                std::os::unix::fs::symlink(original, folder.path().join(name)).unwrap();
            }
        }
        std::fs::create_dir(folder.path().join("environments")).unwrap();
        Self { folder }
    }

    /// With the repository's own manifests.
    pub(crate) fn with_all() -> Self {
        let project = Self::new();
        for name in ["local", "staging", "production"] {
            project.write(&format!("environments/{name}.toml"), &manifest(name));
        }
        project
    }

    /// With the repository's manifest of staging, in which `from` is replaced by `to`.
    #[track_caller]
    pub(crate) fn with_staging(from: &str, to: &str) -> Self {
        let project = Self::new();
        let staging = changed(manifest("staging"), &[(from, to)]);
        project.write("environments/staging.toml", &staging);
        project
    }

    /// Gives it Workers of its own, which other tests do not see change; their folder.
    pub(crate) fn with_own_workers(&self) -> PathBuf {
        let own = self.path().join("worker");
        std::fs::remove_file(&own).unwrap();
        let mut copied = Command::new("cp");
        copied.arg("-R").args([&repository().join("worker"), &own]);
        assert!(copied.status().unwrap().success());
        own
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).unwrap();
    }
}

/// The text of one of the repository's manifests.
pub(crate) fn manifest(name: &str) -> String {
    std::fs::read_to_string(repository().join(format!("environments/{name}.toml"))).unwrap()
}

/// The text of staging's manifest with each `from` replaced by its `to`, once; every one must be there.
#[track_caller]
pub(crate) fn changed(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(
            text.contains(from),
            "the manifest of staging has no `{from}`"
        );
        text = text.replacen(from, to, 1);
    }
    text
}

/// `edge-broadcast sandbox`, running.
pub(crate) struct Sandbox {
    child: Child,
    pub(crate) api: String,
    pub(crate) ingress: SocketAddr,
    pub(crate) token: String,
    pub(crate) account_id: String,
    /// The line that it printed when it was ready.
    pub(crate) ready: Value,
}

impl Sandbox {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(args: &[&str]) -> Self {
        Self::run(Run::new(["sandbox"].iter().chain(args).copied()))
    }

    /// With the zones of the project's manifests.
    pub(crate) fn start_in(project: &Project) -> Self {
        Self::run(Run::new(["sandbox"]).inside(project))
    }

    /// One whose standard error [`Sandbox::last_words`] gives.
    pub(crate) fn heard() -> Self {
        Self::run_with(Run::new(["sandbox"]), Stdio::piped())
    }

    /// Ends it; all that it said on standard error.
    pub(crate) fn last_words(mut self) -> String {
        let mut pipe = self.child.stderr.take().expect("it is heard");
        interrupt(&self.child);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut pipe, &mut said).unwrap();
        said
    }

    /// `sandbox` as `run` says.
    pub(crate) fn run(run: Run) -> Self {
        Self::run_with(run, Stdio::inherit())
    }

    fn run_with(run: Run, stderr: Stdio) -> Self {
        let mut child = run
            .command()
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let _ = child.kill();
            panic!("the sandbox printed `{line}`: {error}")
        });
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            child,
            api: text("api"),
            ingress: text("ingress")
                .trim_start_matches("http://")
                .parse()
                .unwrap(),
            token: text("token"),
            account_id: text("account_id"),
            ready,
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The host as clients of the sandbox reach it.
    pub(crate) fn site(&self, host: &str) -> edge_broadcast::live::site::Site {
        cryptography();
        edge_broadcast::live::site::Site::new(host, Some(self.ingress)).unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        interrupt(&self.child);
        let _ = self.child.wait();
    }
}

/// What a test's own cargo says of this package is not for a cargo that the test runs: a build script that looks at it, as ring's does,
/// would be run again, and everything above it compiled anew.
pub(crate) fn without_cargos_own(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in names.filter(|name| name.to_str().is_some_and(own)) {
        command.env_remove(name);
    }
}

/// What Ctrl-C sends.
pub(crate) fn interrupt(child: &Child) {
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
}

/// What the binary's main does before its first request.
pub(crate) fn cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Compiles the workers once per test run: tests that time or count something must not find them stale.
pub(crate) fn built() {
    static BUILT: Mutex<bool> = Mutex::new(false);
    let mut built = BUILT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*built {
        Run::new(["build"]).succeeds();
        *built = true;
    }
}
