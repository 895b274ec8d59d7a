//! The types of the wire in TypeScript, for clients: plain interfaces and constant tables, from the schemas of the protocol.

use edge_broadcast_protocol::contract::close::{self, Described};
use edge_broadcast_protocol::contract::refusal;
use edge_broadcast_protocol::describe::frame;
use edge_broadcast_protocol::describe::schema::{self, name_of};
use serde_json::{Map, Value};

use super::shape::{Member, members, plain};

/// What a client may meet, in the order in which it is written; what these refer to follows them.
const ROOTS: [&str; 5] = ["RoomFrame", "ClientFrame", "Snapshot", "Receipt", "Refusal"];

const START: &str = "\
// Generated from `worker/protocol`, whose types these are: what goes over the wire, and what its codes mean.
";

const CODES: &str = "\
/** Whether a client comes back after a close: never unchanged, at once, or later (after `retry`, where the reason has it). */
export type ComeBack = \"never\" | \"now\" | \"later\";

/** A close code of the system's own. */
export interface Close {
  readonly code: number;
  /** The reason; of a refused handshake, its refusal's code, which `;retry=SECONDS` may follow. */
  readonly reason: string;
  readonly comeBack: ComeBack;
}
";

/// `protocol.ts`
pub(super) fn protocol() -> String {
    let schemas = schema::all();
    let mut written = Vec::new();
    for root in ROOTS {
        collect(schemas, root, &mut written);
    }
    let mut text = START.to_owned();
    for name in written {
        text.push('\n');
        text += &declaration(&name, &schemas[&name]);
    }
    text.push('\n');
    text += CODES;
    let close = |close: &Described| {
        let (code, reason) = (close.code, Value::from(close.reason));
        let come_back = close.come_back.name();
        format!("  {{ code: {code}, reason: {reason}, comeBack: \"{come_back}\" }},\n")
    };
    let closes: String = close::CLOSES.iter().map(close).collect();
    let refused: String = close::REFUSED_DESCRIBED.iter().map(close).collect();
    text += &table("Every close of an open socket.", "CLOSES", &closes);
    text += &table(
        "Every close of a handshake that was refused, where `errors=close` asked for one.",
        "REFUSED",
        &refused,
    );
    text + &codes() + &constants()
}

fn table(comment: &str, name: &str, rows: &str) -> String {
    format!("\n/** {comment} */\nexport const {name}: readonly Close[] = [\n{rows}];\n")
}

/// Every code of an error answer, with its status.
fn codes() -> String {
    let rows = refusal::MEANINGS.iter().map(|(code, meaning)| {
        let found = refusal::ALL.iter().find(|refusal| refusal.code == *code);
        let status = found.map_or(0, |refusal| refusal.status);
        format!("  /** {} */\n  {code}: {status},\n", plain(meaning))
    });
    let rows: String = rows.collect();
    format!(
        "\n/** Every code of an error answer, with its status. A newer deployment may have more. */\nexport const REFUSALS: Readonly<Record<string, number>> = {{\n{rows}}};\n"
    )
}

fn constants() -> String {
    let constant = |comment: &str, name: &str, value: String| {
        format!("\n/** {comment} */\nexport const {name} = {value};\n")
    };
    [
        constant(
            "A ping of exactly this text is answered without waking the room.",
            "PING",
            format!("'{}'", frame::PING),
        ),
        constant(
            "Bytes after which a client acknowledges, if they came within `ACK_WINDOW_MS`; `ack` in `connected` is the room's own.",
            "ACK_BYTES",
            frame::ACK_BYTES.to_string(),
        ),
        constant(
            "Milliseconds after which it counts anew.",
            "ACK_WINDOW_MS",
            frame::ACK_WINDOW_MS.to_string(),
        ),
    ]
    .concat()
}

/// The schema `name` and all that it refers to, each once.
fn collect(schemas: &Map<String, Value>, name: &str, found: &mut Vec<String>) {
    if found.iter().any(|other| other == name) {
        return;
    }
    found.push(name.to_owned());
    let mut referred = Vec::new();
    references(&schemas[name], &mut referred);
    for name in referred {
        collect(schemas, &name, found);
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(name_of(value).map(str::to_owned));
            members.values().for_each(|it| references(it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

fn declaration(name: &str, schema: &Value) -> String {
    let comment = comment(schema, "");
    match schema.get("properties") {
        Some(_) => format!("{comment}export interface {name} {}\n", body(schema, "")),
        None => format!("{comment}export type {name} = {};\n", kind(schema, "")),
    }
}

fn comment(schema: &Value, indent: &str) -> String {
    match schema["description"].as_str() {
        Some(text) => format!("{indent}/** {} */\n", plain(text)),
        None => String::new(),
    }
}

/// An object's members between braces.
fn body(schema: &Value, indent: &str) -> String {
    let inside = format!("{indent}  ");
    let mut text = "{\n".to_owned();
    for Member {
        name,
        schema,
        is_required,
    } in members(schema)
    {
        let optional = if is_required { "" } else { "?" };
        text += &comment(schema, &inside);
        text += &format!(
            "{inside}readonly {name}{optional}: {};\n",
            kind(schema, &inside)
        );
    }
    if schema["additionalProperties"] == true {
        text += &format!("{inside}readonly [member: string]: unknown;\n");
    }
    text + indent + "}"
}

/// A type.
fn kind(schema: &Value, indent: &str) -> String {
    let union = |kinds: &[Value], of: &dyn Fn(&Value) -> String| {
        let kinds: Vec<String> = kinds.iter().map(of).collect();
        kinds.join(" | ")
    };
    if let Some(name) = name_of(schema) {
        return name.to_owned();
    }
    if let Some(only) = schema.get("const") {
        return only.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return union(values, &Value::to_string);
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return union(kinds, &|schema| kind(schema, indent));
    }
    match &schema["type"] {
        Value::Array(names) => union(names, &|name| simple(name, schema, indent)),
        name => simple(name, schema, indent),
    }
}

fn simple(name: &Value, schema: &Value, indent: &str) -> String {
    match name.as_str().unwrap_or_default() {
        "integer" | "number" => "number".to_owned(),
        name @ ("string" | "boolean" | "null") => name.to_owned(),
        "array" => match kind(&schema["items"], indent) {
            one if one.contains(' ') => format!("readonly ({one})[]"),
            one => format!("readonly {one}[]"),
        },
        "object" if schema.get("properties").is_some() => body(schema, indent),
        "object" => {
            let values = kind(&schema["additionalProperties"], indent);
            format!("Readonly<Record<string, {values}>>")
        }
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_the_type_that_says_the_same() {
        for (schema, text) in [
            (json!({ "$ref": "#/components/schemas/Update" }), "Update"),
            (json!({ "type": "boolean", "const": true }), "true"),
            (json!({ "enum": ["a", "b"] }), r#""a" | "b""#),
            (json!({ "type": ["integer", "null"] }), "number | null"),
            (
                json!({ "type": "array", "items": { "type": ["string", "null"] } }),
                "readonly (string | null)[]",
            ),
            (
                json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
                "Readonly<Record<string, number>>",
            ),
            (json!({}), "unknown"),
        ] {
            assert_eq!(kind(&schema, ""), text, "{schema}");
        }
        let schema = json!({
            "description": "A [thing](#things).",
            "type": "object",
            "properties": { "b": { "type": "string" }, "a": {} },
            "required": ["b"],
            "additionalProperties": true,
        });
        let text = "/** A thing. */\nexport interface Thing {\n  readonly b: string;\n  readonly a?: unknown;\n  readonly [member: string]: unknown;\n}\n";
        assert_eq!(declaration("Thing", &schema), text);
    }
}
