use std::collections::BTreeMap;
use std::path::Path;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::json;

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
    insta::assert_snapshot!(printed.stderr, @r"
    error: the generated files are stale: `generated/staging/routes.toml`
    help: run `edge-broadcast generate`, delete what no manifest asks for, and commit the result
    ");
}

#[test]
fn programs_get_the_stale_files_as_json() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let check = || Run::new(["generate", "--check", "--json"]).inside(&project);
    assert_eq!(
        check().succeeds().json(),
        json!({ "stale": [], "orphans": [] })
    );
    project.write("generated/staging/secrets.env", "");
    project.write("generated/staging/old.env", "");
    let found = check().fails().json();
    assert_eq!(found["stale"][0]["path"], "generated/staging/secrets.env");
    let diff = found["stale"][0]["diff"].as_str().unwrap();
    assert!(
        diff.contains("\n+WEBHOOK_SECRET=   # env:WEBHOOK_SECRET\n"),
        "{diff}"
    );
    assert_eq!(found["orphans"], json!(["generated/staging/old.env"]));
}

#[test]
fn a_workflow_deploys_with_the_secrets_of_its_environment_and_only_where_a_workflow_can_reach() {
    let workflow = |environment: &str| {
        let path = repository().join(format!("generated/{environment}/deploy.yml"));
        std::fs::read_to_string(path)
    };
    assert!(
        workflow("local").is_err(),
        "nobody else reaches `localhost`"
    );
    for environment in ["staging", "production"] {
        let text = workflow(environment).unwrap();
        let documents = Yaml::load_from_str(&text).unwrap();
        let [document] = documents.as_slice() else {
            panic!("{documents:?}");
        };
        let job = &document["jobs"]["deploy"];
        assert_eq!(job["environment"].as_str(), Some(environment));
        let steps = job["steps"].as_sequence().unwrap();
        assert_eq!(steps[0]["uses"].as_str(), Some("actions/checkout@v4"));
        let runs: Vec<_> = steps
            .iter()
            .skip(1)
            .map(|step| step["run"].as_str().unwrap())
            .collect();
        let deploy = format!("cargo run --quiet -- deploy {environment} --yes");
        assert_eq!(runs, ["cargo run --quiet -- generate --check", &deploy]);
        for name in [
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_ACCOUNT_ID",
            "WEBHOOK_SECRET",
        ] {
            let value = format!("${{{{ secrets.{name} }}}}");
            assert_eq!(steps[2]["env"][name].as_str(), Some(value.as_str()));
        }
        let cancels = &document["concurrency"]["cancel-in-progress"];
        assert_eq!(cancels.as_bool(), Some(false));
    }
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
fn what_npm_and_its_like_leave_in_a_package_is_not_asked_about_and_what_else_is_there_is() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let write = |path: &str| {
        let folder = project.path().join(path);
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        project.write(path, "");
    };
    for left in [
        "staging/client/node_modules/typescript/package.json",
        "staging/client/dist/index.js",
        "staging/client/package-lock.json",
        "staging/client/glow-broadcast-staging-client-0.1.0.tgz",
        "staging/publisher/dist/index.d.ts",
        "staging/publisher/pnpm-lock.yaml",
        "staging/publisher/python/__pycache__/publisher.cpython-313.pyc",
        "staging/publisher/python/publisher.egg-info/PKG-INFO",
        "staging/publisher/python/.venv/bin/python",
        "staging/publisher/rust/target/debug/publisher",
        "staging/publisher/rust/Cargo.lock",
        "gateway/.wrangler/tmp/bundle.js",
    ] {
        write(&format!("generated/{left}"));
    }
    // As a workspace links it
    let linked = project
        .path()
        .join("generated/production/client/node_modules");
    std::os::unix::fs::symlink("/nowhere", linked).unwrap();
    Run::new(["generate", "--check"])
        .inside(&project)
        .succeeds();
    let others = [
        "generated/dist/client/src/old.ts",
        "generated/staging/client/src/dist/old.ts",
        "generated/staging/client/src/package-lock.json",
        "generated/staging/publisher/src/target/old.ts",
        "generated/staging/sst/package-lock.json",
    ];
    for other in others {
        write(other);
    }
    let found = Run::new(["generate", "--check", "--json"]).inside(&project);
    assert_eq!(found.fails().json()["orphans"], json!(others));
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

#[test]
fn nothing_is_written_through_a_link_and_none_is_followed() {
    let project = Project::with_all();
    let at = |path: &str| project.path().join(path);
    Run::new(["generate"]).inside(&project).succeeds();
    std::fs::create_dir(at("elsewhere")).unwrap();
    std::fs::write(at("elsewhere/theirs"), "theirs").unwrap();
    // A folder without an end, and one that is none of ours
    std::os::unix::fs::symlink("/", at("generated/loop")).unwrap();
    let printed = Run::new(["generate", "--check"]).inside(&project).fails();
    assert!(
        printed
            .stderr
            .starts_with("error: the generated files are stale: `generated/loop`\n"),
        "{}",
        printed.stderr
    );
    for (link, to) in [
        ("generated/staging/routes.toml", "elsewhere/theirs"),
        ("generated/staging", "elsewhere"),
    ] {
        let _ = std::fs::remove_file(at(link));
        let _ = std::fs::remove_dir_all(at(link));
        std::os::unix::fs::symlink(at(to), at(link)).unwrap();
        let printed = Run::new(["generate"]).inside(&project).fails();
        let named = format!(
            "error: `{}` is a symbolic link to `{}`, and none is followed here\n",
            at(link).display(),
            at(to).display()
        );
        assert!(printed.stderr.starts_with(&named), "{}", printed.stderr);
    }
    assert_eq!(
        files(&at("elsewhere")).into_values().collect::<Vec<_>>(),
        ["theirs"]
    );
}

/// As git with `core.autocrlf` checks them out, where `.gitattributes` does not count: packages, workflow and all.
#[test]
fn line_ends_of_another_system_are_no_difference() {
    let project = Project::with_all();
    Run::new(["generate"]).inside(&project).succeeds();
    let folder = project.path().join("generated");
    for (path, text) in files(&folder) {
        std::fs::write(path, text.replace('\n', "\r\n")).unwrap();
    }
    let checked_out = files(&folder);
    Run::new(["generate", "--check"])
        .inside(&project)
        .succeeds();
    Run::new(["generate"]).inside(&project).succeeds();
    assert_eq!(files(&folder), checked_out);
}
