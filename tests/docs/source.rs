//! The sources as text, for lists that the compiler does not give: wherever a file stands, what it says is found.

use std::path::Path;

use crate::support::repository;

/// The text of every Rust file of these folders, comments and tests included.
pub(super) fn all(folders: &[&str]) -> String {
    files(folders).concat()
}

/// The code alone: no comments, no unit tests.
pub(super) fn code(folders: &[&str]) -> String {
    let mut code = String::new();
    for text in files(folders) {
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for line in text.lines() {
            if !line.trim_start().starts_with("//") {
                code += line;
                code.push('\n');
            }
        }
    }
    code
}

fn files(folders: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for folder in folders {
        collect(&repository().join(folder), &mut texts);
    }
    texts
}

fn collect(path: &Path, texts: &mut Vec<String>) {
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        // Integration tests of a crate are not what the folder is for
        let is_tests =
            |entry: &Path| entry.ends_with("tests") && entry.with_file_name("Cargo.toml").exists();
        for entry in entries.iter().filter(|entry| !is_tests(entry)) {
            collect(entry, texts);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        texts.push(std::fs::read_to_string(path).unwrap());
    }
}

/// What stands between each `before` and the `after` that follows it.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split_once(after).map(|(found, _)| found))
        .collect()
}
