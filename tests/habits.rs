//! What a contributor is told is true: files that are named exist, and continuous integration runs `./test`.

use saphyr::{LoadableYamlNode, Yaml};

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
fn the_workflow_of_this_repository_calls_test_and_may_only_read() {
    let text = read(".github/workflows/ci.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let [document] = documents.as_slice() else {
        panic!("{documents:?}");
    };
    let jobs = document["jobs"].as_mapping().unwrap();
    for (name, job) in jobs {
        let name = name.as_str().unwrap();
        assert!(
            job["timeout-minutes"].as_integer().is_some(),
            "`{name}` may run for ever"
        );
        assert!(
            job.as_mapping_get("permissions").is_none(),
            "`{name}` has permissions of its own"
        );
    }
    let permissions = document["permissions"].as_mapping().unwrap();
    let permissions: Vec<_> = permissions
        .iter()
        .map(|(name, right)| (name.as_str().unwrap(), right.as_str().unwrap()))
        .collect();
    assert_eq!(permissions, [("contents", "read")]);
    assert!(document["concurrency"]["group"].as_str().is_some());
    let steps = document["jobs"]["test"]["steps"].as_sequence().unwrap();
    let last = steps.last().unwrap();
    assert_eq!(last["run"].as_str(), Some("./test"));
    assert_eq!(steps[0]["uses"].as_str(), Some("actions/checkout@v4"));
    // What `git` would keep of it is not for the scripts of dependencies
    let keeps = &steps[0]["with"]["persist-credentials"];
    assert_eq!(keeps.as_bool(), Some(false));
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
