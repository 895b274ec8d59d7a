//! What a contributor is told is true: files that are named exist.

use crate::support::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("reading `{path}`: {error}"))
}

#[test]
fn every_file_that_contributing_names_exists() {
    let text = read("CONTRIBUTING.md");
    let named: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !name.contains(' ') && (name.contains('/') || name.ends_with(".md")))
        .filter(|name| *name != "./test")
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(repository().join(name).exists(), "there is no `{name}`");
    }
}

#[test]
fn the_licence_is_the_one_of_the_manifest_and_the_changelog_begins_with_what_is_unreleased() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("license = \"MIT\"") && read("LICENSE").starts_with("MIT License\n"));
    let text = read("CHANGELOG.md");
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let (first, dated) = sections.split_first().unwrap();
    assert_eq!(*first, "Unreleased");
    assert!(
        dated.is_sorted_by(|newer, older| newer > older),
        "{dated:?}"
    );
    let kinds = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    for kind in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(kinds.contains(&kind), "`{kind}` is no kind of change");
    }
}
