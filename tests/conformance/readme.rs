//! The lines of the sandbox's README that lead wrangler to it.

use std::process::{Command, Stdio};

use crate::npm;
use crate::support::{Project, binary, repository, without_cargos_own};

#[test]
fn the_readmes_lines_lead_the_real_wrangler_to_a_sandbox() {
    let readme = std::fs::read_to_string(repository().join("sandbox/README.md")).unwrap();
    let block = readme.split("```console\n").nth(1).unwrap();
    let lines = block.split("```").next().unwrap().lines();
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .collect();
    let wrangler = npm::modules().join("wrangler/bin/wrangler.js");
    let script = format!(
        "set -meuo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nnpx() {{ shift; node {} \"$@\"; }}\n{}",
        wrangler.display(),
        lines
            .join("\n")
            .replace("cargo run --quiet --", binary().to_str().unwrap())
    );
    let project = Project::with_all();
    let mut command = Command::new("bash");
    without_cargos_own(&mut command);
    let output = command
        .args(["-c", &script])
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.ends_with("hello from the sandbox\n"), "{stdout}");
}
