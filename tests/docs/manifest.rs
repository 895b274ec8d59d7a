//! `docs/manifest.md`: every key, default and range, as the tool itself reads them.

use std::collections::BTreeSet;
use std::time::Duration;

use toml_edit::{DocumentMut, Item};

use super::markdown::{Document, bare};
use crate::packages::hostile::{NAMES, SOURCES};
use crate::support::{Project, Run, rig};

const SMALLEST: &str = r#"
[worker]
name = "w"
compatibility_date = "2026-10-01"
[cloudflare]
zone = "glow.trade"
[[routes]]
host = "a.glow.trade"
[sst]
app = "a"
stage = "s"
migration = { mode = "edge" }
[analytics]
dataset = "d"
[secrets.WEBHOOK_SECRET]
source = "prompt"
"#;

fn document() -> Document {
    Document::read("docs/manifest.md")
}

/// A described key with its type and default.
struct Key {
    path: String,
    kind: String,
    default: String,
}

fn keys(document: &Document) -> Vec<Key> {
    let tables = document.tables().into_iter();
    let tables = tables.filter(|table| table.header[..3] == ["key", "type", "default"]);
    tables
        .flat_map(|table| table.rows)
        .map(|row| Key {
            path: bare(&row[0]),
            kind: row[1].clone(),
            default: row[2].clone(),
        })
        .collect()
}

/// The paths of all described keys.
pub(super) fn described(document: &Document) -> Vec<String> {
    keys(document).into_iter().map(|key| key.path).collect()
}

/// The first problem that `check` finds in a manifest's text, if it finds one.
fn problem(project: &Project, text: &str) -> Option<String> {
    project.write("environments/staging.toml", text);
    let answer = Run::new(["check", "staging", "--json"])
        .inside(project)
        .printed()
        .json();
    let message = answer["problems"][0]["message"].as_str();
    message.map(str::to_owned)
}

/// The keys of the table between `open` and `close`: the tool names them when it meets one that it does not know.
fn known(project: &Project, open: &str, close: &str, prefix: &str, keys: &mut BTreeSet<String>) {
    let unknown = |open: &str, close: &str| {
        let message = problem(project, &format!("{open}zzz = 1{close}"))?;
        // Of a secret, nothing that was written is repeated
        let names = message.replace(" `zzz`", "");
        let names = names.strip_prefix("unknown field, expected ")?;
        let names: Vec<String> = names
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        Some(names)
    };
    for name in unknown(open, close).unwrap() {
        if !prefix.is_empty() {
            keys.insert(format!("{prefix}{name}"));
        }
        // A table, a list of tables, or a table of tables whose names are free
        for (begin, end, mark) in [
            ("{ ", " }", "."),
            ("[{ ", " }]", "[]."),
            ("{ WEBHOOK_SECRET = { ", " } }", ".NAME."),
        ] {
            let open = format!("{open}{name} = {begin}");
            let close = format!("{end}{close}");
            if unknown(&open, &close).is_some() {
                known(
                    project,
                    &open,
                    &close,
                    &format!("{prefix}{name}{mark}"),
                    keys,
                );
                break;
            }
        }
    }
}

#[test]
fn every_key_is_described_and_no_other() {
    let project = Project::new();
    let mut known_keys = BTreeSet::new();
    known(&project, "", "", "", &mut known_keys);
    let described: BTreeSet<String> = described(&document()).into_iter().collect();
    let differing: Vec<&String> = described.symmetric_difference(&known_keys).collect();
    assert!(
        differing.is_empty(),
        "described or known, and not both: {differing:#?}"
    );
}

/// The table of a TOML document in which the key `path` stands, and its last name.
fn place<'a>(example: &'a mut DocumentMut, path: &str) -> (&'a mut Item, String) {
    let mut names: Vec<&str> = path.split('.').collect();
    let last = names.pop().unwrap();
    let mut item = example.as_item_mut();
    for name in names {
        // The first of those that the example has
        let first = item.as_table_like().and_then(|table| table.iter().next());
        let name = match (name, first) {
            ("NAME", Some((first, _))) => first.to_owned(),
            (name, _) => name.to_owned(),
        };
        item = match name.strip_suffix("[]") {
            Some(list) => &mut item[list][0],
            None => &mut item[name.as_str()],
        };
    }
    (item, last.to_owned())
}

/// The smallest manifest with the tables of a fragment in the place of its own.
fn completed(fragment: &str) -> DocumentMut {
    let mut whole: DocumentMut = SMALLEST.parse().unwrap();
    let fragment: DocumentMut = fragment.parse().unwrap();
    for (name, item) in fragment.iter() {
        match (name, item.as_table()) {
            ("secrets", Some(secrets)) => {
                for (name, secret) in secrets {
                    whole["secrets"][name] = secret.clone();
                }
            }
            _ => whole[name] = item.clone(),
        }
    }
    whole
}

/// The example that has the table of the key.
fn example_of(document: &Document, path: &str) -> DocumentMut {
    let table = path.split(['.', '[']).next().unwrap();
    let header = [format!("[{table}"), format!("[[{table}]]")];
    let section = document.blocks("toml").into_iter().skip(1);
    let mut found = section.filter(|block| header.iter().any(|header| block.starts_with(header)));
    let block = found.next();
    completed(block.unwrap_or_else(|| panic!("no example has `[{table}]`")))
}

/// The key's example without it, and whether it was there.
fn without(document: &Document, path: &str) -> (DocumentMut, bool) {
    let mut example = example_of(document, path);
    let (table, name) = place(&mut example, path);
    let table = table.as_table_like_mut().unwrap();
    if path == "routes[].custom_domain" {
        table.remove("override_dns");
    }
    let there = table.remove(&name).is_some();
    (example, there)
}

#[test]
fn every_default_means_what_a_manifest_without_the_key_means() {
    let document = document();
    let mut tried = 0;
    for key in keys(&document) {
        if ["required", "none"].contains(&key.default.as_str()) {
            continue;
        }
        let (without, _) = without(&document, &key.path);
        let mut with = without.clone();
        let (table, name) = place(&mut with, &key.path);
        let value = bare(&key.default);
        table[&name] = value
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", key.path));
        let read = |manifest: &DocumentMut| format!("{:#?}", rig::staging(&manifest.to_string()));
        assert_eq!(read(&with), read(&without), "the default of `{}`", key.path);
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_manifest_needs_the_keys_that_are_said_to_be_required_and_no_other() {
    let document = document();
    let project = Project::new();
    for key in keys(&document) {
        // With `percent` goes its mode; the keys of a sender are those of its kind
        if key.path == "sst.migration.percent" || key.path.contains("senders[].") {
            continue;
        }
        let (without, there) = without(&document, &key.path);
        assert!(there, "no example has `{}`", key.path);
        let found = problem(&project, &without.to_string());
        assert_eq!(
            found.is_some(),
            key.default == "required",
            "`{}` is {}, and without it: {found:?}",
            key.path,
            key.default
        );
    }
}

/// A little less than the one span of time, and a little more than the other.
fn beyond(least: &str, most: &str) -> (String, String) {
    let span = |text: &str| match text.trim_matches('"') {
        "0" => Duration::ZERO,
        text => humantime::parse_duration(text).unwrap(),
    };
    let written = |span| format!("\"{}\"", humantime::format_duration(span));
    let below = span(least).checked_sub(Duration::from_millis(1));
    let above = span(most) + Duration::from_secs(1);
    (below.map_or("\"-1s\"".to_owned(), written), written(above))
}

#[test]
fn every_range_is_the_one_that_is_accepted() {
    let document = document();
    let project = Project::new();
    let mut tried = 0;
    for key in keys(&document) {
        let Some((least, most)) = key.kind.split_once(" to ") else {
            continue;
        };
        // Only the mode `percent` takes a share
        if key.path == "sst.migration.percent" {
            continue;
        }
        let accepts = |value: &str| {
            let mut manifest = example_of(&document, &key.path);
            let (table, name) = place(&mut manifest, &key.path);
            table[&name] = value.parse().unwrap();
            problem(&project, &manifest.to_string()).is_none()
        };
        let (least, most) = (bare(least), bare(most));
        assert!(accepts(&least) && accepts(&most), "{}", key.path);
        let (below, above) = match (least.parse::<i64>(), most.parse::<i64>()) {
            (Ok(least), Ok(most)) => ((least - 1).to_string(), (most + 1).to_string()),
            _ => beyond(&least, &most),
        };
        assert!(!accepts(&below) && !accepts(&above), "{}", key.path);
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

#[test]
fn every_example_is_a_manifest_or_becomes_one_with_what_it_leaves_out() {
    let project = Project::new();
    for document in super::documents() {
        for block in document.blocks("toml") {
            let found = problem(&project, &completed(block).to_string());
            assert_eq!(found, None, "{}:\n{block}", document.path);
        }
    }
    let own = document();
    let smallest = problem(&project, own.blocks("toml")[0]);
    assert_eq!(smallest, None);
}

#[test]
fn every_value_of_a_choice_is_accepted() {
    let document = document();
    let project = Project::new();
    for key in keys(&document) {
        let values: Vec<&str> = key.kind.split('`').skip(1).step_by(2).collect();
        let choice = values.len() > 1
            && !key.kind.contains(" to ")
            && values.iter().all(|value| value.starts_with('"'));
        // A kind of sender needs what belongs to it, and a mode its share
        if !choice || key.path.contains("senders[]") || key.path == "sst.migration.mode" {
            continue;
        }
        for value in values {
            let mut manifest = example_of(&document, &key.path);
            let (table, name) = place(&mut manifest, &key.path);
            table[&name] = match key.kind.starts_with("list") {
                true => format!("[{value}]").parse().unwrap(),
                false => value.parse().unwrap(),
            };
            // A continent belongs to one region: the second one of the example goes
            if let Some(regions) = manifest
                .get_mut("regions")
                .and_then(Item::as_array_of_tables_mut)
            {
                regions.remove(1);
            }
            let found = problem(&project, &manifest.to_string());
            assert_eq!(found, None, "{} = {value}", key.path);
        }
        let mut manifest = example_of(&document, &key.path);
        let (table, name) = place(&mut manifest, &key.path);
        table[&name] = "\"neither\"".parse().unwrap();
        assert!(
            problem(&project, &manifest.to_string()).is_some(),
            "{}",
            key.path
        );
    }
}

/// Whoever adds a key that takes any text must show in `tests/packages/hostile.rs` what becomes of it in the generated files.
#[test]
fn the_keys_that_take_any_text_are_those_in_which_hostile_text_is_tried() {
    let document = document();
    let mut free = BTreeSet::new();
    let texts = NAMES.into_iter().chain(SOURCES);
    let texts: Vec<&str> = texts.collect();
    for key in keys(&document) {
        // No generated file has anything of a sender
        if key.path.contains("senders[]") {
            continue;
        }
        for text in &texts {
            let forms: [toml_edit::Value; 3] = [
                (*text).into(),
                format!("file:{text}").into(),
                toml_edit::Array::from_iter([*text]).into(),
            ];
            for value in forms {
                let mut manifest = example_of(&document, &key.path);
                let (table, name) = place(&mut manifest, &key.path);
                table[&name] = toml_edit::value(value);
                if rig::resolved(&manifest.to_string()).is_ok() {
                    free.insert(key.path.clone());
                }
            }
        }
    }
    assert_eq!(
        free.into_iter().collect::<Vec<_>>(),
        [
            "room.conflate_key",
            "secrets.NAME.source",
            "verify.headers.NAME.source"
        ]
    );
}
