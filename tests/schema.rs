//! `schema`: the JSON schema that editors check manifests with. That it is the types' rules is proved beside it.

use serde_json::Value;

use crate::support::{Run, changed, manifest, repository};

const FILE: &str = "environments/environment.schema.json";

fn printed() -> Value {
    // It needs no project
    let elsewhere = tempfile::tempdir().unwrap();
    let project = elsewhere.path().to_str().unwrap();
    Run::new(["schema", "--project", project]).succeeds().json()
}

fn conforms(source: &str) -> bool {
    let manifest: toml_edit::DocumentMut = source.parse().unwrap();
    let value: Value = toml_edit::de::from_document(manifest).unwrap();
    jsonschema::validator_for(&printed())
        .unwrap()
        .is_valid(&value)
}

#[test]
fn the_examples_conform_and_name_it_in_their_first_line() {
    let file = std::fs::read_to_string(repository().join(FILE)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), printed());
    let names = std::fs::read_dir(repository().join("environments")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let source = manifest(name.trim_end_matches(".toml"));
        assert_eq!(
            source.lines().next(),
            Some("#:schema ./environment.schema.json")
        );
        assert!(conforms(&source), "{name}");
    }
}

#[test]
fn what_a_manifest_cannot_have_does_not_conform() {
    for change in [
        ("compatibility_date =", "compatibility_dat ="),
        ("history = 64", "history = \"many\""),
        ("history = 64", "history = 10001"),
        ("batch_window = \"10ms\"", "batch_window = 10"),
        ("conflate = \"latest\"", "conflate = \"newest\""),
        ("zone = \"glow.trade\"", "zone = \"https://glow.trade\""),
        ("period = 60", "period = 30"),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = \"whsec_c2VjcmV0\"",
        ),
        ("mode = \"percent\"", "mode = \"half\""),
        ("[room]", "[rooms]"),
    ] {
        assert!(
            !conforms(&changed(manifest("staging"), &[change])),
            "{change:?}"
        );
    }
}
