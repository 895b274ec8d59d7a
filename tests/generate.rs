use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Project, Run, repository};

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            );
        }
    }
    found
}

#[test]
fn what_is_committed_is_what_the_manifests_describe() {
    let printed = Run::new(["generate", "--check"]).succeeds();
    assert_eq!((printed.stdout.as_str(), printed.stderr.as_str()), ("", ""));
}

#[test]
fn two_runs_write_the_same_bytes_and_the_second_writes_nothing() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let first = files(&project.path().join("generated"));
    let printed = Run::new(["generate"]).inside(&project).succeeds();
    assert_eq!(
        printed.stdout,
        format!("0 written, {} unchanged\n", first.len())
    );
    assert_eq!(files(&project.path().join("generated")), first);
    assert_eq!(first.len(), files(&repository().join("generated")).len());
}

#[test]
fn a_stale_file_is_shown_as_a_diff_with_exit_code_1() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let path = "generated/staging/routes.toml";
    let text = std::fs::read_to_string(project.path().join(path)).unwrap();
    project.write(path, &text.replace("broadcast-staging", "broadcast-stage"));
    let printed = Run::new(["generate", "--check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stdout, @r#"
--- a/generated/staging/routes.toml
+++ b/generated/staging/routes.toml
@@ -1,5 +1,5 @@
 # Generated from environments/staging.toml. The routes alone, for review or for pasting into another wrangler.toml.
 
 [[routes]]
-pattern = "broadcast-stage.glow.trade/*"
+pattern = "broadcast-staging.glow.trade/*"
 zone_name = "glow.trade"
"#);
    insta::assert_snapshot!(printed.stderr, @"error: the generated files are stale: `generated/staging/routes.toml`; run `edge-broadcast generate`, delete what no manifest asks for, and commit the result");
}

#[test]
fn a_file_that_no_manifest_asks_for_is_named_and_left_alone() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    std::fs::remove_file(project.path().join("environments/staging.toml")).unwrap();
    let printed = Run::new(["generate"]).inside(&project).succeeds();
    assert!(
        printed
            .stdout
            .contains("no manifest asks for generated/staging/routes.toml any more: delete it")
    );
    assert!(
        project
            .path()
            .join("generated/staging/routes.toml")
            .exists()
    );
}

#[test]
fn nothing_is_written_when_one_manifest_is_wrong() {
    let project = Project::with_all();
    project.write("environments/staging.toml", "[worker]\n");
    Run::new(["generate", "production"])
        .inside(&project)
        .fails();
    assert!(!project.path().join("generated").exists());
}
