//! `build`, with the real compiler and tools.

use serde_json::Value;

use crate::support::{Run, repository};

fn build(directory: &str) -> Value {
    let mut command = Run::new(["build", "--json"]).command();
    let output = command
        .current_dir(repository().join(directory))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_build_with_nothing_changed_builds_nothing() {
    let first = build(".");
    // As wrangler runs it: from somewhere inside the project.
    let second = build("worker/room/src");
    for at in [0, 1] {
        assert_eq!(second["workers"][at]["built"], false);
        assert_eq!(second["workers"][at]["hash"], first["workers"][at]["hash"]);
    }
}

#[test]
fn the_finished_files_are_the_modules_of_the_answer_and_name_no_directory_of_this_machine() {
    let answer = build(".");
    let project = repository();
    for worker in answer["workers"].as_array().unwrap() {
        let directory = project
            .join("worker")
            .join(worker["name"].as_str().unwrap())
            .join("build");
        for module in worker["modules"].as_array().unwrap() {
            let bytes = std::fs::read(directory.join(module["name"].as_str().unwrap())).unwrap();
            assert_eq!(module["bytes"], bytes.len());
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(project.to_str().unwrap()), "{module}");
            assert!(!text.contains("/.cargo/"), "{module}");
        }
    }
}
