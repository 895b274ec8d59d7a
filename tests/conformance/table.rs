//! The table of the sandbox's README: what each operation of each client reaches.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::Operation;
use crate::support::repository;

const README: &str = "sandbox/README.md";
const HEADING: &str = "## What other people's tools reach";

/// A path with what stands for any account, script, zone and identifier.
pub(super) fn pattern(path: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for part in path.trim_start_matches('/').split('/') {
        let before = shown.last().map_or("", String::as_str);
        let placeholder = match before {
            "accounts" => Some("{account}"),
            "zones" => Some("{zone}"),
            "scripts" | "services" | "by-consumer" => Some("{script}"),
            "workers" if shown.len() == 4 => Some("{script}"),
            "secrets" => Some("{name}"),
            _ if is_identifier(part) => Some("{id}"),
            _ => None,
        };
        shown.push(placeholder.unwrap_or(part).to_owned());
    }
    format!("/{}", shown.join("/")).replace("/accounts/{account}/workers", "…")
}

/// 32 hex digits, with or without dashes.
fn is_identifier(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_hexdigit).count();
    digits >= 32
        && part
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The table, in the order of the clients and their operations; what several clients do alike is one row.
fn table(operations: &[Operation]) -> String {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for operation in operations {
        let calls: Vec<String> = operation
            .calls
            .iter()
            .map(|call| format!("`{call}`"))
            .collect();
        let refused = operation.code.map(|code| format!(" refused with {code}"));
        let rest = format!(
            "`{}` | {}{}",
            operation.name,
            calls.join(" "),
            refused.unwrap_or_default()
        );
        match rows.iter_mut().find(|(_, known)| *known == rest) {
            Some((clients, _)) => clients.push(operation.client),
            None => rows.push((vec![operation.client], rest)),
        }
    }
    let mut text = "| client | operation | calls |\n|---|---|---|\n".to_owned();
    for (clients, rest) in rows {
        let _ = writeln!(text, "| {} | {rest} |", clients.join(", "));
    }
    text
}

/// Compares the README's table with what was reached, and shows the difference.
pub(super) fn assert_is_in_the_readme(operations: &[Operation]) {
    let readme = std::fs::read_to_string(repository().join(README)).unwrap_or_default();
    let section = readme.split(HEADING).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    let written = rows.join("\n") + "\n";
    let reached = table(operations);
    if written != reached {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reached.md");
        std::fs::write(&kept, &reached).unwrap();
        let diff = similar::TextDiff::from_lines(&written, &reached);
        panic!(
            "the table under `{HEADING}` of {README} is not what the clients reached; the right one is in `{}`:\n{}",
            kept.display(),
            diff.unified_diff()
        );
    }
}

#[test]
fn a_path_is_shown_without_what_differs_from_run_to_run() {
    let account = "/accounts/5a2db0c5a2db0c5a2db0c5a2db0c5a2d";
    for (path, shown) in [
        (
            format!("{account}/workers/scripts/my-one/secrets/A"),
            "…/scripts/{script}/secrets/{name}",
        ),
        (
            format!("{account}/workers/scripts/s/versions/8a17b789-7545-4bb3-ba68-49434d671165"),
            "…/scripts/{script}/versions/{id}",
        ),
        (
            format!("{account}/workers/workers/s/versions/latest"),
            "…/workers/{script}/versions/latest",
        ),
        (format!("{account}/workers/scripts"), "…/scripts"),
        (format!("{account}/queues"), "/accounts/{account}/queues"),
        (
            "/zones/b529dfe4/dns_records".to_owned(),
            "/zones/{zone}/dns_records",
        ),
        ("/user".to_owned(), "/user"),
    ] {
        assert_eq!(pattern(&path), shown);
    }
}

#[test]
fn what_two_clients_do_alike_is_one_row() {
    let operation = |client, call: &str| Operation {
        client,
        name: "deploy".to_owned(),
        calls: BTreeSet::from([call.to_owned()]),
        code: None,
    };
    let both = [
        operation("a 1", "GET /x"),
        operation("a 2", "GET /x"),
        operation("b", "PUT /x"),
    ];
    assert_eq!(
        table(&both),
        "| client | operation | calls |\n|---|---|---|\n| a 1, a 2 | `deploy` | `GET /x` |\n| b | `deploy` | `PUT /x` |\n"
    );
}
