//! A table of keys, as a document has it, against JSON that was really written: every key that occurs is described with its type, and
//! every key that is described occurs.
//!
//! A row is a path (`steps[].changes[].what`; `{script}` is any name; `.` is the value itself) and its types, joined by `or`: `string`, `number`,
//! `boolean`, `null`, `any`, a text in quotation marks, or a link to the table that describes the value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::markdown::{Document, tables};

/// A described key.
#[derive(Clone, Debug)]
pub(super) struct Row {
    path: Vec<String>,
    types: Vec<String>,
    /// The row of the document, which may stand for a key in several places.
    origin: String,
}

/// The texts that values are described as.
pub(super) fn literals(rows: &[Row]) -> impl Iterator<Item = String> {
    let types = rows.iter().flat_map(|row| &row.types);
    types.filter_map(|kind| serde_json::from_str(kind).ok())
}

/// The shape that the section `anchor` describes, with all that it links.
#[track_caller]
pub(super) fn shape(document: &Document, anchor: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    expand(document, anchor, &[], &mut rows);
    rows
}

#[track_caller]
fn expand(document: &Document, anchor: &str, prefix: &[String], rows: &mut Vec<Row>) {
    let section = document
        .section(anchor)
        .unwrap_or_else(|| panic!("{} has no section `{anchor}`", document.path));
    let table = tables(&section)
        .into_iter()
        .find(|table| table.header[..2] == ["key", "type"])
        .unwrap_or_else(|| panic!("{}: `{anchor}` has no table of keys", document.path));
    for row in &table.rows {
        let mut path = prefix.to_vec();
        path.extend(segments(row[0].trim_matches('`')));
        let mut types = Vec::new();
        for kind in row[1].replace(", ", " or ").split(" or ") {
            match kind.split_once("](#") {
                Some((_, link)) => expand(document, link.trim_end_matches(')'), &path, rows),
                None => types.push(kind.trim_matches('`').to_owned()),
            }
        }
        rows.push(Row {
            path,
            types,
            origin: format!("{anchor}: {}", row[0]),
        });
    }
}

/// `steps[].tag` is `steps`, `[]`, `tag`.
fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        match part.strip_suffix("[]") {
            Some(list) => segments.extend([list.to_owned(), "[]".to_owned()]),
            None => segments.push(part.to_owned()),
        }
    }
    segments
}

/// Compares what was seen with the section that describes it, for each of several sections.
#[track_caller]
pub(super) fn assert_describes<'a>(
    document: &Document,
    seen: impl IntoIterator<Item = (&'a str, &'a [Value])>,
) {
    let (mut described, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = BTreeSet::new();
    for (anchor, seen) in seen {
        let rows = shape(document, anchor);
        for value in seen {
            let mut found = Vec::new();
            walk(value, &mut Vec::new(), &rows, &mut used, &mut found);
            wrong.extend(found.into_iter().map(|found| format!("{anchor}: {found}")));
        }
        // That there may be nothing, or a value that another table describes, is not always to be seen
        let own = rows
            .iter()
            .filter(|row| !row.types.is_empty() && row.types != ["null"]);
        described.extend(own.map(|row| row.origin.clone()));
    }
    for row in described.difference(&used) {
        wrong.insert(format!("described, and never seen: {row}"));
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", document.path);
}

fn walk(
    value: &Value,
    path: &mut Vec<String>,
    rows: &[Row],
    used: &mut BTreeSet<String>,
    wrong: &mut Vec<String>,
) {
    let here = rows
        .iter()
        .filter(|row| row.path.len() == path.len() && leads(&row.path, path));
    let mut described = false;
    for row in here {
        described |= !row.types.is_empty();
        if row.types.iter().any(|kind| is(value, kind)) {
            used.insert(row.origin.clone());
            return;
        }
    }
    let below = rows
        .iter()
        .any(|row| row.path.len() > path.len() && leads(&row.path[..path.len()], path));
    match value {
        Value::Object(members) if below => {
            for (key, value) in members {
                path.push(key.clone());
                walk(value, path, rows, used, wrong);
                path.pop();
            }
        }
        Value::Array(items) if below => {
            path.push("[]".to_owned());
            for value in items {
                walk(value, path, rows, used, wrong);
            }
            path.pop();
        }
        _ => {
            let place = path.join(".");
            wrong.push(match described {
                true => format!("described as another type: {place} is {value}"),
                false => format!("not described: {place}"),
            });
        }
    }
}

/// Whether a described path leads where `path` does.
fn leads(described: &[String], path: &[String]) -> bool {
    described
        .iter()
        .zip(path)
        .all(|(described, name)| described == name || (described.starts_with('{') && name != "[]"))
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "any" => true,
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        text => serde_json::from_str::<Value>(text).is_ok_and(|text| text == *value),
    }
}
