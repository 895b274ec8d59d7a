//! The tables of `docs/protocol.md` and `docs/metrics.md`, each between two comments that say which it is.

use anyhow::{Context, bail};
use edge_broadcast_protocol::contract::close::{self, Described};
use edge_broadcast_protocol::contract::metric::COLUMNS;
use edge_broadcast_protocol::contract::refusal;
use edge_broadcast_protocol::describe::frame;
use edge_broadcast_protocol::describe::header::{REQUEST, RESPONSE};
use edge_broadcast_protocol::describe::parameter::PARAMETERS;
use edge_broadcast_protocol::describe::route::ROUTES;
use edge_broadcast_protocol::describe::schema::{self, name_of};
use serde_json::{Map, Value};

use super::shape::{Member, members};

const START: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

/// The schemas that have a table of their own, to which others lead, and its heading's anchor.
const SECTIONS: [(&str, &str); 4] = [
    ("Receipt", "receipt"),
    ("Refusal", "errors"),
    ("Object", "object"),
    ("Uses", "uses"),
];

/// Tables by their names.
pub(super) type Tables = Vec<(String, String)>;

/// The document with every table as it should be.
///
/// # Errors
/// When a comment names no table, a table does not end, or one that there is has no place.
pub(super) fn fill(document: &str, tables: Tables) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut missing = tables;
    let mut rest = document;
    while let Some((before, marked)) = rest.split_once(START) {
        let (name, inside) = marked.split_once(" -->\n").context("a marker has no end")?;
        let Some((_, after)) = inside.split_once(END) else {
            bail!("the table `{name}` has no `{END}`");
        };
        let at = missing.iter().position(|(known, _)| known == name);
        let at = at.with_context(|| format!("there is no table `{name}`, or it is there twice"))?;
        let (_, table) = missing.remove(at);
        text += &format!("{before}{START}{name} -->\n\n{table}\n{END}");
        rest = after;
    }
    if let Some((name, _)) = missing.first() {
        bail!("the table `{name}` has no place: `{START}{name} -->` and `{END}` mark one");
    }
    Ok(text + rest)
}

/// The tables of `docs/metrics.md`.
pub(super) fn metrics() -> Tables {
    let rows = COLUMNS.iter();
    let rows = rows.map(|it| [quoted(it.place), quoted(it.name), it.what.to_owned()]);
    let columns = table(["column", "name", "what stands in it"], rows);
    vec![("metric columns".to_owned(), columns)]
}

/// The tables of `docs/protocol.md`.
pub(super) fn protocol() -> Tables {
    let schemas = schema::all();
    let keys = |name: &str| keys(schemas, name);
    // A frame that is its `type` alone needs no table
    let frames = frame::all().into_iter();
    let told = frames.filter(|frame| members(&schemas[&frame.schema]).len() > 1);
    let told = told.map(|frame| (frame.kind, keys(&frame.schema)));
    let fixed = [
        ("routes", routes()),
        ("parameters", parameters()),
        ("frames", frame_types()),
        ("closes", closes()),
        ("refused handshakes", refused()),
        ("published members", published(schemas)),
        ("receipt", keys("Receipt")),
        ("snapshot", keys("Snapshot")),
        ("health", keys("Health")),
        ("room", keys("Report")),
        ("object", keys("Object")),
        ("uses", keys("Uses")),
        ("error", keys("Refusal")),
        ("refusals", refusals()),
        ("request headers", request_headers()),
        ("response headers", response_headers()),
    ];
    let fixed = fixed.map(|(name, table)| (name.to_owned(), table));
    fixed.into_iter().chain(told).collect()
}

fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let line = |cells: &[String]| {
        let cells: String = cells
            .iter()
            .map(|cell| match cell.as_str() {
                "" => " |".to_owned(),
                cell => format!(" {cell} |"),
            })
            .collect();
        format!("|{cells}\n")
    };
    let header = line(&header.map(str::to_owned));
    let rule = format!("|{}\n", "---|".repeat(COLUMNS));
    let rows: String = rows.into_iter().map(|row| line(&row)).collect();
    header + &rule + &rows
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

/// `a`, `b`
fn listed(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    texts.join(", ")
}

/// A sentence as a cell has it: without its capital and its full stop.
fn cell(sentence: &str) -> String {
    let text = sentence.trim_end_matches('.');
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn routes() -> String {
    let row = |route: &_| {
        let edge_broadcast_protocol::describe::route::Served {
            methods,
            path,
            who,
            does,
            ..
        } = route;
        [
            listed(methods),
            quoted(path),
            who.name().to_owned(),
            (*does).to_owned(),
        ]
    };
    table(["method", "path", "who", "does"], ROUTES.iter().map(row))
}

fn parameters() -> String {
    let rows = PARAMETERS.iter();
    let rows = rows.map(|it| [quoted(it.name), listed(it.of), it.meaning.to_owned()]);
    table(["parameter", "of", "meaning"], rows)
}

fn frame_types() -> String {
    let rows = frame::all().into_iter();
    let rows = rows.map(|it| {
        [
            quoted(&it.kind),
            it.from.name().to_owned(),
            cell(&it.meaning),
        ]
    });
    table(["`type`", "from", "meaning"], rows)
}

fn closes() -> String {
    let row = |it: &Described| {
        let Described {
            code,
            reason,
            meaning,
            advice,
            ..
        } = *it;
        [
            quoted(&code.to_string()),
            reason.to_owned(),
            meaning.trim().to_owned(),
            advice.to_owned(),
        ]
    };
    let rows = close::CLOSES.iter().map(row);
    table(["code", "reason", "meaning", "come back?"], rows)
}

fn refused() -> String {
    let rows = close::REFUSED_DESCRIBED.iter();
    let rows = rows.map(|it| {
        [
            quoted(&it.code.to_string()),
            quoted(it.reason),
            it.advice.to_owned(),
        ]
    });
    table(["close", "error", "come back?"], rows)
}

fn refusals() -> String {
    let mut rows: Vec<(u16, &str, &str)> = Vec::new();
    for (code, meaning) in refusal::MEANINGS {
        let found = refusal::ALL.iter().find(|refusal| refusal.code == *code);
        rows.extend(found.map(|refusal| (refusal.status, *code, meaning.trim())));
    }
    rows.sort_unstable();
    let rows = rows.into_iter();
    let rows = rows.map(|(status, code, meaning)| {
        [
            quoted(&status.to_string()),
            quoted(code),
            meaning.to_owned(),
        ]
    });
    table(["status", "code", "meaning"], rows)
}

fn request_headers() -> String {
    let rows = REQUEST.iter();
    let rows = rows.map(|it| [quoted(it.name), it.of.to_owned(), it.meaning.to_owned()]);
    table(["request header", "of", "meaning"], rows)
}

fn response_headers() -> String {
    let rows = RESPONSE.iter();
    let rows = rows.map(|it| [quoted(it.name), it.of.to_owned(), it.meaning.to_owned()]);
    table(["response header", "of", "meaning"], rows)
}

/// The members of a publish that mean something, each with the kind that it must have.
fn published(schemas: &Map<String, Value>) -> String {
    let rows = members(&schemas["PublishedUpdate"])
        .into_iter()
        .map(|member| {
            let kinds = member.schema["type"].as_array().into_iter().flatten();
            let kind = kinds.filter_map(Value::as_str).find(|kind| *kind != "null");
            let kind = match kind.unwrap_or_default() {
                "integer" => "whole number",
                kind => kind,
            };
            [quoted(member.name), kind.to_owned(), meaning(member.schema)]
        });
    table(["member", "kind", "meaning"], rows)
}

/// The keys of an object and of those in it, by their paths.
fn keys(schemas: &Map<String, Value>, name: &str) -> String {
    let mut rows = Vec::new();
    rows_of(schemas, &schemas[name], "", &mut rows);
    table(["key", "type", "meaning"], rows)
}

fn rows_of(
    schemas: &Map<String, Value>,
    schema: &Value,
    prefix: &str,
    rows: &mut Vec<[String; 3]>,
) {
    for Member { name, schema, .. } in members(schema) {
        let mut path = format!("{prefix}{name}");
        let mut value = schema;
        if value["type"] == "array" {
            path += "[]";
            value = &value["items"];
        } else if let Some(values) = value
            .get("additionalProperties")
            .filter(|it| it.is_object())
        {
            // Any name may stand there: that of one of them
            path += &format!(".{{{}}}", name.trim_end_matches('s'));
            value = values;
        }
        let inner = name_of(value)
            .and_then(|name| schemas.get(name))
            .unwrap_or(value);
        let is_closed = inner.get("properties").is_some() && inner["additionalProperties"] != true;
        if is_closed && section(value).is_none() {
            rows_of(schemas, inner, &format!("{path}."), rows);
        } else {
            rows.push([quoted(&path), kind(value), meaning(schema)]);
        }
    }
}

fn meaning(schema: &Value) -> String {
    cell(schema["description"].as_str().unwrap_or_default())
}

/// The heading that describes what `schema` refers to.
fn section(schema: &Value) -> Option<&'static str> {
    let name = name_of(schema)?;
    let found = SECTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, anchor)| *anchor)
}

/// `string`, or what else a value is.
fn kind(schema: &Value) -> String {
    if let Some(anchor) = section(schema) {
        return format!("[{anchor}](#{anchor})");
    }
    if let Some(only) = schema.get("const") {
        return quoted(&only.to_string());
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|it| quoted(&it.to_string())).collect();
        let (last, first) = values.split_last().expect("a value");
        return format!("{} or {last}", first.join(", "));
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        let kinds: Vec<String> = kinds.iter().map(kind).collect();
        return match kinds.iter().any(|kind| kind == "any") {
            true => "any".to_owned(),
            false => kinds.join(" or "),
        };
    }
    let word = |name: &Value| match name.as_str().unwrap_or_default() {
        "integer" => "number".to_owned(),
        // An update is the publisher's own object
        "" | "object" => "any".to_owned(),
        name => name.to_owned(),
    };
    match &schema["type"] {
        Value::Array(names) => names.iter().map(word).collect::<Vec<_>>().join(" or "),
        name => word(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_between_its_comments_and_nothing_else_is_touched() {
        let marked: String = protocol()
            .iter()
            .map(|(name, _)| format!("# {name}\n{START}{name} -->\nold\n{END}\nwords\n"))
            .collect();
        let filled = fill(&marked, protocol()).unwrap();
        for (name, table) in protocol() {
            let place = format!("# {name}\n{START}{name} -->\n\n{table}\n{END}\nwords\n");
            assert!(filled.contains(&place), "{name}");
        }
        assert_eq!(fill(&filled, protocol()).unwrap(), filled);
    }

    #[test]
    fn a_table_without_a_place_and_a_place_without_a_table_are_told() {
        let error = |document: &str| fill(document, protocol()).unwrap_err().to_string();
        assert_eq!(
            error(""),
            "the table `routes` has no place: `<!-- generated: routes -->` and `<!-- end -->` mark one"
        );
        assert_eq!(
            error("<!-- generated: rotues -->\n<!-- end -->"),
            "there is no table `rotues`, or it is there twice"
        );
        assert_eq!(
            error("<!-- generated: routes -->\n"),
            "the table `routes` has no `<!-- end -->`"
        );
    }

    #[test]
    fn keys_are_paths_with_the_words_of_their_types() {
        let row = |name: &str, row: &str| {
            let keys = keys(schema::all(), name);
            assert!(keys.lines().any(|line| line == row), "{row} in\n{keys}");
        };
        row("BatchUpdate", "| `type` | `\"BATCH_UPDATE\"` | |");
        row(
            "BatchUpdate",
            "| `updates[]` | any | updates, each as it would be in a frame of its own |",
        );
        row(
            "Snapshot",
            "| `snapshot` | any | the newest update, or null |",
        );
        row(
            "Report",
            "| `regions.{region}` | number | the same by region; `\"\"` where the manifest has none |",
        );
        row(
            "Report",
            "| `shards.{shard}` | [object](#object) or null | the others by name; null for one that did not answer |",
        );
        row("Report", "| `cost.rows_written` | number | rows |");
        row(
            "Object",
            "| `awake.held_by[]` | `\"batch_window\"`, `\"save\"`, `\"push_again\"` or `\"mark\"` | what keeps it from hibernating |",
        );
        row(
            "Uses",
            "| `WEBHOOK_SECRET.last_used` | number or null | unix milliseconds |",
        );
    }
}
