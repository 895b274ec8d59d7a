//! The documentation held to the code, in both directions: what exists is described, what is described exists, and every command runs.

mod cost;
mod json;
mod manifest;
mod markdown;
mod protocol;
mod session;
mod shape;
mod source;

use std::collections::BTreeSet;

use crate::support::repository;
use markdown::{Document, documents};

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut wrong = Vec::new();
    for document in documents() {
        let folder = repository().join(&document.path);
        let folder = folder.parent().unwrap();
        for link in document.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                repository().join(&document.path)
            } else {
                folder.join(file)
            };
            let text = std::fs::read_to_string(&target).unwrap_or_default();
            let found = !text.is_empty()
                && (anchor.is_empty() || Document::of(file, &text).has_anchor(anchor));
            if !found {
                wrong.push(format!("{}: {link}", document.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = Document::read("README.md");
    let linked: BTreeSet<String> = readme.links().into_iter().collect();
    for document in documents().iter().skip(1) {
        assert!(
            linked.contains(&document.path),
            "the README does not link `{}`",
            document.path
        );
    }
}

#[test]
fn the_readme_is_short() {
    let lines = Document::read("README.md").text.lines().count();
    assert!(lines <= 120, "the README has {lines} lines");
}

#[test]
fn every_environment_variable_is_described_and_no_other() {
    let code = source::code(&["src"]);
    let named = |name: &str| code.contains(&format!("\"{name}\""));
    let table = Document::read("docs/deploying.md").table(&["variable"]);
    let described: BTreeSet<String> = table
        .rows
        .iter()
        .flat_map(|row| row[0].split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    // Read by the libraries that draw and that connect: `tests/connector.rs` has the latter
    let by_libraries = [
        "NO_COLOR",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    for name in &described {
        let is_read = named(name) || by_libraries.contains(&name.as_str());
        assert!(is_read, "nothing reads `{name}`");
    }
    for prefix in ["CLOUDFLARE_", "EDGE_BROADCAST_"] {
        for rest in source::between(&code, &format!("\"{prefix}"), "\"") {
            let name = format!("{prefix}{rest}");
            // The type of a verification's own message
            if name != "EDGE_BROADCAST_VERIFY" {
                assert!(described.contains(&name), "`{name}` is not described");
            }
        }
    }
}

/// A name of four words or more, in backticks, is a test's.
#[test]
fn every_test_that_a_document_names_exists() {
    let every = source::all(&["src", "worker", "tests", "sandbox"]);
    let mut named = 0;
    for document in documents() {
        for name in document.quoted() {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.matches('_').count() < 3 || !name.chars().all(word) || name.len() < 30 {
                continue;
            }
            named += 1;
            assert!(
                every.contains(&format!("fn {name}(")),
                "{}: there is no test `{name}`",
                document.path
            );
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn the_rooms_that_are_described_are_those_of_the_source() {
    let described: BTreeSet<String> = Document::read("docs/architecture.md")
        .table(&["room", "what stands there"])
        .rows
        .iter()
        .flat_map(|row| row[0].split(", "))
        .map(|name| name.trim_matches(['`', '/']).to_owned())
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(repository().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(described, there);
}

#[test]
fn every_json_example_is_json() {
    let mut count = 0;
    for document in documents() {
        for block in document.blocks("json") {
            for line in block.lines() {
                let read = serde_json::from_str::<serde_json::Value>(line);
                assert!(read.is_ok(), "{}: {read:?} in {line}", document.path);
                count += 1;
            }
        }
    }
    assert!(count > 5, "{count}");
}

/// What a block of another kind holds would be held to nothing.
#[test]
fn every_block_is_of_a_kind_that_a_test_reads() {
    for document in documents() {
        for kind in document.kinds() {
            assert!(
                ["", "console", "js", "json", "mermaid", "text", "toml", "ts"]
                    .contains(&kind.as_str()),
                "{}: a block of the kind `{kind}`",
                document.path
            );
        }
    }
}
