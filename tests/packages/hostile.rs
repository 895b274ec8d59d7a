//! Text of a manifest that would end a literal, a comment or a line: it stays text in every generated file, read by what reads such
//! files, and changes nothing around it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use toml_edit::DocumentMut;

use crate::npm;
use crate::support::{Project, Run, manifest};

/// Text for the names of members, which may be any.
pub(crate) const NAMES: [&str; 4] = [
    "'\"`\\${process.exit(1)}\\u0022 {{json environment}} {{/each}}",
    "\n\r*/ // \u{85}\u{0}\u{7f}\u{1b}[2J\t/* = # - : &a *b !!c | >",
    "</script><!--<script>]]>&lt;%3C\\x3c",
    "\u{2028}\u{2029}\u{202e}\u{feff}\u{200b}é😀\u{10ffff}",
];

/// Text for sources: nothing that ends a line or is unseen, and else as bad.
pub(crate) const SOURCES: [&str; 3] = [
    "file:a'\"`\\${x}$(exit 1) </script><!-- */ {{json x}} ]]> b #C=${{ secrets.X }}",
    "command:echo \"'`\" \\\\ '\"${x}</script>' */ {{/each}} # $(exit 1) `exit 1`; exit 1",
    "file:='\"",
];

/// The manifest of staging with each of these in a key that takes any text.
fn with(names: [&str; 4], sources: [&str; 3]) -> String {
    let mut manifest: DocumentMut = manifest("staging").parse().unwrap();
    manifest["room"]["conflate_key"] = toml_edit::value(toml_edit::Array::from_iter(names));
    manifest["secrets"]["WEBHOOK_SECRET"]["source"] = sources[0].into();
    manifest["secrets"]["ADMIN_SECRET"] = toml_edit::table();
    manifest["secrets"]["ADMIN_SECRET"]["source"] = sources[1].into();
    manifest["verify"]["headers"]["CF-Access-Client-Id"]["source"] = sources[2].into();
    manifest.to_string()
}

/// What is generated for staging alone, by path.
fn generated(project: &Project, manifest: &str) -> BTreeMap<String, String> {
    project.write("environments/staging.toml", manifest);
    Run::new(["generate"]).inside(project).succeeds();
    let mut found = BTreeMap::new();
    let mut folders = vec![project.path().join("generated")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let text = std::fs::read_to_string(&path).unwrap();
                    found.insert(path.display().to_string(), text);
                }
            }
        }
    }
    let root = format!("{}/", project.path().display());
    let inside = found.into_iter();
    inside
        .map(|(path, text)| (path.replace(&root, ""), text))
        .collect()
}

/// A value in which each of some texts is replaced.
fn replaced(value: Value, by: &BTreeMap<&str, &str>) -> Value {
    match value {
        Value::String(text) => by
            .get(text.as_str())
            .map_or(json!(text), |with| json!(with)),
        Value::Array(items) => items.into_iter().map(|item| replaced(item, by)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, replaced(value, by)))
            .collect(),
        other => other,
    }
}

/// What the compiler reads in the project's files of TypeScript and JavaScript, by path.
fn compiled(project: &Path, files: &[&String]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/literals.cjs");
    let output = Command::new("node")
        .arg(script)
        .arg(npm::modules().join("typescript"))
        .args(files)
        .current_dir(project)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_code(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| ["ts", "tsx", "js", "mjs", "cjs"].contains(&it))
}

/// What a reader of the file finds in it; nothing where its kind has none here.
fn parsed(path: &str, text: &str, compiled: &Value) -> Option<Value> {
    match Path::new(path).extension()?.to_str()? {
        _ if is_code(path) => Some(compiled[path].clone()),
        "json" => Some(serde_json::from_str(text).unwrap()),
        "toml" => Some(toml_edit::de::from_str(text).unwrap()),
        _ => None,
    }
}

#[test]
fn no_text_of_a_manifest_changes_anything_but_its_own_literal_in_any_generated_file() {
    const TAME: [&str; 7] = [
        "tame-1",
        "tame-2",
        "tame-3",
        "tame-4",
        "file:tame-5",
        "file:tame-6",
        "file:tame-7",
    ];
    let [a, b, c, d, sources @ ..] = TAME;
    let project = Project::new();
    let tame = generated(&project, &with([a, b, c, d], sources));
    let code: Vec<&String> = tame.keys().filter(|path| is_code(path)).collect();
    let tame_code = compiled(project.path(), &code);
    let hostile = generated(&project, &with(NAMES, SOURCES));
    let hostile_code = compiled(project.path(), &code);
    let by: BTreeMap<&str, &str> = TAME
        .into_iter()
        .zip(NAMES.into_iter().chain(SOURCES))
        .collect();

    assert_eq!(
        tame.keys().collect::<Vec<_>>(),
        hostile.keys().collect::<Vec<_>>()
    );
    let mut differ = BTreeSet::new();
    for (path, text) in &hostile {
        if text == &tame[path] {
            continue;
        }
        differ.insert(path.as_str());
        if path.ends_with("/secrets.env") {
            read_as_variables(project.path(), path, text);
            continue;
        }
        let expected = parsed(path, &tame[path], &tame_code).map(|tame| replaced(tame, &by));
        let found = parsed(path, text, &hostile_code);
        // A file of a kind that nobody reads here must not have such text
        assert!(found.is_some(), "{path} has text of the manifest");
        assert_eq!(found, expected, "{path}");
        if is_code(path) {
            assert_eq!(hostile_code[path]["wrong"], json!([]), "{path}");
            // Wherever it is pasted: in a page, and where an older engine runs it
            for end in ["</script", "<!--", "\u{2028}", "\u{2029}"] {
                assert!(!text.contains(end), "{path} has {end:?}");
            }
        }
    }
    assert_eq!(
        differ.into_iter().collect::<Vec<_>>(),
        [
            "generated/room/wrangler.toml",
            "generated/staging/client/src/config.ts",
            "generated/staging/secrets.env",
        ]
    );
}

/// The names of secrets, each without a value, and nothing that runs: for a shell and for Node.
fn read_as_variables(project: &Path, path: &str, text: &str) {
    let names = ["ADMIN_SECRET", "WEBHOOK_SECRET"];
    let shell = Command::new("bash")
        .args(["-euc", "set -a; . \"./$1\"; env -0", "-", path])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(project)
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}");
    let set = String::from_utf8(shell.stdout).unwrap();
    let set: BTreeSet<&str> = set.split_terminator('\0').collect();
    let of_the_shell = ["PATH=", "PWD=", "SHLVL=", "_="];
    let set = set
        .into_iter()
        .filter(|line| !of_the_shell.iter().any(|own| line.starts_with(own)));
    let empty = names.map(|name| format!("{name}="));
    assert_eq!(set.collect::<Vec<_>>(), empty);
    let node = Command::new("node")
        .args([
            "-p",
            "JSON.stringify(require('util').parseEnv(process.argv[1]))",
            text,
        ])
        .output()
        .unwrap();
    let read: Value = serde_json::from_slice(&node.stdout).unwrap();
    assert_eq!(read, json!({ "ADMIN_SECRET": "", "WEBHOOK_SECRET": "" }));
}
