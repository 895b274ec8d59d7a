use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Project, Run, built, repository};

/// The commands of the tour, as somebody would type them, but with the binary that is under test.
fn tour() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section = readme
        .split("## Five-minute tour")
        .nth(1)
        .expect("the README has a tour");
    let block = section
        .split("```")
        .nth(1)
        .expect("the tour has a block")
        .trim_start_matches("console\n");
    let lines: Vec<&str> = block
        .lines()
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .collect();
    lines
        .join("\n")
        .replace("cargo run --quiet --", env!("CARGO_BIN_EXE_edge-broadcast"))
}

#[test]
fn every_command_of_the_tour_works() {
    built();
    let project = Project::with_all();
    std::fs::remove_file(project.path().join(".edge-broadcast")).unwrap();
    Run::new(["generate"]).inside(&project).succeeds();
    // The tour's last command ends its sandbox; where it is gone already, `kill` has nothing to do, which is no failure
    let script = format!(
        "set -meuo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{}",
        tour()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path())
        .env_remove("CLOUDFLARE_API_BASE_URL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for printed in [
        "`local`, `production`, `staging` are good\n",
        "staging: nothing to change\n",
        "\"sockets\":0",
        "  ok      an authorised publish is received\n",
    ] {
        assert!(stdout.contains(printed), "no `{printed}` in:\n{stdout}");
    }
    // It holds the sandbox's token
    let file = std::fs::metadata(project.path().join(".edge-broadcast/sandbox.json")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_two_commands_are_the_documented_ones_and_ci_runs_the_second() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.contains("\n    cargo run -- deploy staging --sandbox\n    ./test\n"));
    let ci = std::fs::read_to_string(repository().join(".ci/run")).unwrap();
    assert!(ci.contains("/../test\""), "{ci}");
}

#[test]
fn the_second_command_prints_what_is_shown() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let script = std::fs::read_to_string(repository().join("test")).unwrap();
    for line in shown.lines() {
        let Some(line) = line.strip_prefix("== ") else {
            let sum = line.replace(|c: char| c.is_ascii_digit(), "");
            assert!(["…", " passed,  failed,  ignored"].contains(&sum.as_str()));
            continue;
        };
        let (name, rest) = line.split_once(": ").unwrap();
        let step = format!("step \"{name}\" ");
        if name == "tests" {
            assert!(script.contains("'\\n== tests: %d s\\n'") && rest.ends_with(" s"));
        } else if rest.starts_with("ok, ") {
            assert!(script.contains(&step) && rest.ends_with(" s"), "{line}");
        } else {
            assert!(script.contains(&format!("{step}{rest}\n")), "{line}");
        }
    }
}

#[test]
fn every_command_of_the_binary_is_in_the_readme_and_has_examples() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let help = Run::new(["--help"]).succeeds().stdout;
    let commands = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    for line in commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
    {
        let command = line.split_whitespace().next().unwrap();
        if command != "help" {
            assert!(
                readme.contains(&format!("| `{command}")),
                "`{command}` is not in the README"
            );
            let help = Run::new([command, "--help"]).succeeds().stdout;
            let row = readme
                .lines()
                .find(|line| line.starts_with(&format!("| `{command}")))
                .unwrap();
            for option in row.split("[--").skip(1) {
                let option = option.split([']', ' ']).next().unwrap();
                assert!(
                    help.contains(&format!("--{option}")),
                    "`{command}` has no `--{option}`"
                );
            }
            assert!(
                help.contains("Examples:\n"),
                "`{command} --help` has no examples"
            );
        }
    }
}
