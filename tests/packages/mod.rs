//! The generated packages: through the strict compiler, in fresh projects, and running against the deployed system.

mod browser;
mod client;
mod console;
pub(crate) mod contract;
mod fallback;
mod feeds;
mod front;
mod fuzz;
mod hook;
pub(crate) mod hostile;
mod moto;
mod pack;
mod program;
mod publisher;
mod sst;
mod world;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::npm;
use crate::support::{Project, Run, changed, manifest, repository};

/// A package as staging's manifest, with changes, makes it: `client` or `publisher`.
pub(crate) struct Package {
    /// Its files are below; it goes with the package.
    pub(crate) project: Project,
    pub(crate) folder: PathBuf,
}

impl Package {
    pub(crate) fn generated(kind: &str, changes: &[(&str, &str)]) -> Self {
        let text = changed(manifest("staging"), changes);
        let project = Project::new();
        project.write("environments/staging.toml", &text);
        Run::new(["generate"]).inside(&project).succeeds();
        let folder = project.path().join("generated/staging").join(kind);
        // No name server knows the deployed hosts: on this machine they are the sandbox's
        let hosts = "require('dns').lookup = (host, options, done) => (done ?? options)(null, options?.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);";
        std::fs::write(folder.join("hosts.cjs"), hosts).unwrap();
        std::os::unix::fs::symlink(npm::modules(), folder.join("node_modules")).unwrap();
        Self { project, folder }
    }

    /// Compiles it into its `dist`, as its own settings say.
    #[track_caller]
    pub(crate) fn compile(&self) {
        let output = Command::new("node")
            .arg(npm::modules().join("typescript/bin/tsc"))
            .args(["--project", "tsconfig.json"])
            .current_dir(&self.folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    /// A module that runs in its folder, where the compiled package is `./dist/index.js`.
    pub(crate) fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command
            .args(["--require", "./hosts.cjs"])
            .args(["--input-type=module", "--eval", script])
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }
}

/// A program beside these tests.
fn world(name: &str) -> PathBuf {
    repository().join("tests/packages/world").join(name)
}

#[test]
fn every_generated_package_passes_the_strict_compiler() {
    for kind in ["client", "publisher"] {
        let package = Package::generated(kind, &[]);
        package.compile();
        let said = package
            .node("console.log(Object.keys(await import('./dist/config.js')).join())")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("URL_OF_GATEWAY"), "{kind}: {said}");
    }
}
