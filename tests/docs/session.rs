//! Every `console` block of the documents, run as one session on one deployment: each command must succeed, and where a document
//! shows what it prints, that is what it prints. `...` stands for any lines; ids, times and ports may differ.
//!
//! `UPDATE_DOCS=1` writes what was printed into the documents, where it differs.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::markdown::documents;
use crate::support::{Project, Run, Sandbox, built, manifest, repository};

/// A command of a document, and the lines that it shows below.
struct Shown {
    document: String,
    command: String,
    printed: Vec<String>,
}

/// The commands of all documents but of the README's tour, which has a test of its own.
fn commands() -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for document in documents() {
        let tour = document.path == "README.md";
        let blocks = document.blocks("console");
        let blocks = blocks.iter().take(if tour { 1 } else { blocks.len() });
        for line in blocks.flat_map(|block| block.lines()) {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push(Shown {
                    document: document.path.clone(),
                    command: command.to_owned(),
                    printed: Vec::new(),
                });
                continue;
            }
            let last = commands.last_mut().expect("a block begins with a command");
            if last.printed.is_empty() && line.starts_with("    ") {
                last.command += "\n";
                last.command += line;
            } else {
                last.printed.push(line.to_owned());
            }
        }
    }
    commands
}

/// What the examples' manifest has beside the repository's: `docs/rotation.md` says so. No update waits for a window.
fn staging() -> String {
    let senders = "senders = [{ kind = \"file\", path = \"key.env\" }]\nretry_horizon = \"1s\"\n\n[secrets.ADMIN_SECRET]\nsource = \"env:ADMIN_SECRET\"";
    let changed = manifest("staging")
        .replace("senders = [\"sst\"]", senders)
        .replace("batch_window = \"10ms\"", "batch_window = \"0\"");
    assert!(changed.contains("key.env") && changed.contains("\"0\""));
    changed
}

#[test]
fn every_command_of_the_documents_runs_and_prints_what_they_show() {
    built();
    let project = Project::with_all();
    project.write("environments/staging.toml", &staging());
    std::fs::remove_file(project.path().join(".edge-broadcast")).unwrap();
    std::fs::create_dir(project.path().join(".edge-broadcast")).unwrap();
    Run::new(["generate"]).inside(&project).succeeds();
    let sandbox = Sandbox::start_in(&project);
    project.write(".edge-broadcast/sandbox.json", &sandbox.ready.to_string());
    let secrets = [
        (
            "WEBHOOK_SECRET",
            "whsec_c2VjcmV0LW9mLXRoZS1kb2N1bWVudHMtZXhhbXBsZXM=",
        ),
        ("ADMIN_SECRET", "admin-of-the-documents-examples-4f7d2c"),
    ];
    let mut deploy = Run::new(["deploy", "staging"])
        .inside(&project)
        .against(&sandbox);
    for (name, value) in secrets {
        deploy = deploy.env(name, value);
    }
    deploy.succeeds();

    // A newcomer runs what the README shows with the repository's own manifests
    let plain = Project::with_all();
    let commands = commands();
    let mut script = "exec 2>&1\nset -euo pipefail\nsandbox() { node -p \"require('./.edge-broadcast/sandbox.json').$1\"; }\n".to_owned();
    for (at, shown) in commands.iter().enumerate() {
        let mut command = shown
            .command
            .replace("cargo run --quiet --", env!("CARGO_BIN_EXE_edge-broadcast"));
        if shown.document == "README.md" {
            command = format!("(cd '{}' && {command})", plain.path().display());
        }
        writeln!(script, "printf '\\n@@ {at}\\n'\n{command}").unwrap();
    }
    script += "printf '\\n@@ end\\n'\n";
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path())
        .envs(secrets)
        .env("NO_COLOR", "1")
        .env("CLOUDFLARE_API_BASE_URL", &sandbox.api)
        .env("CLOUDFLARE_API_TOKEN", &sandbox.token)
        .env("CLOUDFLARE_ACCOUNT_ID", &sandbox.account_id)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut wrong = Vec::new();
    for (at, shown) in commands.iter().enumerate() {
        let printed = text.split(&format!("\n@@ {at}\n")).nth(1);
        let Some(printed) = printed.map(|rest| rest.split("\n@@ ").next().unwrap()) else {
            break;
        };
        let printed: Vec<&str> = printed.trim_end_matches('\n').lines().collect();
        if !shown.printed.is_empty() && !fits(&shown.printed, &printed) {
            wrong.push((shown, printed));
        }
    }
    assert!(text.ends_with("\n@@ end\n"), "a command failed:\n{text}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        for (shown, printed) in &wrong {
            record(shown, printed);
        }
    }
    let differences: Vec<String> = wrong
        .iter()
        .map(|(shown, printed)| {
            format!(
                "{}: `{}` is shown to print\n{}\nand prints\n{}\n",
                shown.document,
                shown.command,
                shown.printed.join("\n"),
                printed.join("\n")
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n(`UPDATE_DOCS=1` writes what is printed into the documents)",
        differences.join("\n")
    );
}

/// Puts what was printed in the place of what the document shows.
fn record(shown: &Shown, printed: &[&str]) {
    let path = repository().join(&shown.document);
    let text = std::fs::read_to_string(&path).unwrap();
    let with = |lines: &str| format!("\n$ {}\n{lines}\n", shown.command);
    let before = with(&shown.printed.join("\n"));
    assert!(text.contains(&before), "{before}");
    let after = text.replacen(&before, &with(&printed.join("\n")), 1);
    std::fs::write(&path, after).unwrap();
}

/// Whether these lines are what a document shows.
fn fits<T: AsRef<str>>(shown: &[String], printed: &[T]) -> bool {
    let shown: Vec<String> = shown.iter().map(|line| masked(line)).collect();
    let printed: Vec<String> = printed.iter().map(|line| masked(line.as_ref())).collect();
    fit(&shown, &printed)
}

fn fit(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => {
            (0..=printed.len()).any(|skipped| fit(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| first == line && fit(rest, others)),
    }
}

/// A line without what differs from run to run: ids and hashes, and figures of time, size and use.
fn masked(line: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let (mut masked, mut before) = (String::new(), "");
    let mut rest = line;
    while let Some(start) = rest.find(word) {
        let end = rest[start..]
            .find(|c| !word(c))
            .map_or(rest.len(), |at| start + at);
        let (token, after) = (&rest[start..end], &rest[end..]);
        let id = token.len() >= 8
            && token.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
            && token.chars().any(|c| c.is_ascii_digit());
        let number = token.parse::<f64>().is_ok();
        let figure = number
            && (["ms", "KB", "times"]
                .iter()
                .any(|unit| after.trim_start().starts_with(unit))
                || before == "took_ms");
        masked += &rest[..start];
        masked += if id || figure { "#" } else { token };
        (before, rest) = (token, after);
    }
    masked + rest
}

#[test]
fn lines_fit_by_their_words_and_not_by_their_ids() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let printed = ["a 7e94cf06-e75d-4130-b48d-4e6d781df0f7", "b 13.1 ms", "c"];
    for (text, expected) in [
        ("a 00000000-e75d-4130-b48d-4e6d781df0f7\nb 2 ms\nc", true),
        ("...\nc", true),
        ("a 023119b1\n...", true),
        ("...\nb 1 ms", false),
        ("a x\n...", false),
    ] {
        assert_eq!(fits(&shown(text), &printed), expected, "{text}");
    }
}
