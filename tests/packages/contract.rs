//! The documents of the wire: validators that nobody here wrote take them, and whatever the suite's rooms send and answer is as they say.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use edge_broadcast_protocol::contract::head;
use edge_broadcast_protocol::contract::token::Token;
use edge_broadcast_protocol::describe::frame;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::npm;
use crate::support::repository;
use crate::workers::Answer;

/// The documents as they are committed.
struct Documents {
    openapi: Value,
    asyncapi: Value,
    /// Of a frame that a room sends.
    frame: Validator,
}

fn documents() -> &'static Documents {
    static DOCUMENTS: OnceLock<Documents> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let (openapi, asyncapi) = (read("openapi"), read("asyncapi"));
        let messages = asyncapi["components"]["messages"].as_object().unwrap();
        let sent = asyncapi["operations"]["sent"]["messages"].as_array();
        let payloads = sent.unwrap().iter().map(|message| {
            let name = message["$ref"].as_str().unwrap().rsplit('/').next();
            messages[name.unwrap()]["payload"].clone()
        });
        let frame = json!({ "oneOf": payloads.collect::<Vec<_>>() });
        let frame = validator(&frame, &asyncapi);
        Documents {
            openapi,
            asyncapi,
            frame,
        }
    })
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(repository().join(format!("docs/{name}.json")));
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// A validator that takes no member which a document does not describe. Documents allow them, since a newer version may add some; this
/// version may not send what it does not describe.
fn validator(schema: &Value, document: &Value) -> Validator {
    let mut components = document["components"].clone();
    for schema in components["schemas"].as_object_mut().unwrap().values_mut() {
        let schema = schema.as_object_mut().unwrap();
        if schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
    let mut schema = schema.clone();
    schema["components"] = components;
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{error} in {schema}"))
}

#[track_caller]
fn assert_valid(validator: &Validator, value: &Value, of: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|it| it.to_string())
        .collect();
    assert!(
        errors.is_empty(),
        "{of} is not as described: {errors:#?} in {value}"
    );
}

/// That a room may send this frame.
#[track_caller]
pub(crate) fn assert_frame(frame: &Value) {
    assert_valid(&documents().frame, frame, "a frame");
}

/// That a room may close a socket with this.
#[track_caller]
pub(crate) fn assert_close(code: u16, reason: &str) {
    if !(4000..5000).contains(&code) {
        return;
    }
    let room = &documents().asyncapi["channels"]["room"];
    let closes = ["x-close-codes", "x-refused-handshakes"].map(|name| &room[name]);
    let mut closes = closes.into_iter().filter_map(Value::as_array).flatten();
    let said = reason.split(";retry=").next().unwrap_or_default();
    assert!(
        closes.any(|close| close["code"] == code && close["reason"] == said),
        "no close is described as {code} {reason}"
    );
}

/// Headers of HTTP itself, of the runtime and of what stands before it.
const NOT_OURS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
];

/// Those of answers, by what they answer: compiling one takes longer than an answer does.
static VALIDATORS: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// That the gateway may answer so.
#[track_caller]
pub(crate) fn assert_answer(method: &str, path: &str, answer: &Answer) {
    let of = format!("{} of {method} {path}", answer.status);
    // Where the runtime was killed the sandbox answers
    if answer.status == 502 && answer.json()["error"].is_string() {
        return;
    }
    // A page for developers is no part of the contract
    if answer.status == 200 && path.trim_end_matches('/') == "/console" {
        return;
    }
    let document = &documents().openapi;
    let Some((template, item)) = described(document, path) else {
        assert_eq!(answer.refusal(), "404 not_found", "{of}");
        return assert_valid(refusals(), &answer.json(), &of);
    };
    let operation = &item[method.to_lowercase()];
    if operation.is_null() {
        assert_eq!(answer.refusal(), "405 method_not_allowed", "{of}");
        return assert_valid(refusals(), &answer.json(), &of);
    }
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{of} is not described: {answer:?}");
    for name in answer.headers.keys().map(http::HeaderName::as_str) {
        let is_described = response["headers"].get(name).is_some() || NOT_OURS.contains(&name);
        assert!(is_described, "{of} has `{name}`, which is not described");
    }
    let content = &response["content"]["application/json"]["schema"];
    if content.is_null() {
        assert_eq!(answer.text, "", "{of} has a body");
        return;
    }
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{of}"
    );
    let response = format!("{} of {method} {template}", answer.status);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators
        .entry(response)
        .or_insert_with(|| Arc::new(validator(content, document)));
    let validator = Arc::clone(validator);
    drop(validators);
    assert_valid(&validator, &answer.json(), &of);
}

fn refusals() -> &'static Validator {
    static REFUSALS: OnceLock<Validator> = OnceLock::new();
    REFUSALS.get_or_init(|| {
        let schema = json!({ "$ref": "#/components/schemas/Refusal" });
        validator(&schema, &documents().openapi)
    })
}

/// What is described of a path with a query.
fn described<'a>(document: &'a Value, path: &str) -> Option<(&'a String, &'a Value)> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == path.len()
            && template
                .iter()
                .zip(&path)
                .all(|(part, given)| part == given || *part == "{token}" && !given.is_empty())
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().find(|(template, _)| fits(template))
}

/// Runs a module that may import the packages of `tests/npm`; what it prints.
fn node(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(npm::modules(), folder.path().join("node_modules")).unwrap();
    let output = Command::new("node")
        .args(["--input-type=module", "--eval", script])
        .arg(repository().join("docs"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn both_documents_are_what_their_specifications_own_parsers_take() {
    let said = node(
        r#"
        import { readFileSync } from "node:fs";
        import swagger from "@apidevtools/swagger-parser";
        import { Parser } from "@asyncapi/parser";
        const folder = process.argv[1];
        const openapi = await swagger.validate(`${folder}/openapi.json`);
        console.log(Object.keys(openapi.paths).length);
        const text = readFileSync(`${folder}/asyncapi.json`, "utf8");
        const { document, diagnostics } = await new Parser().parse(text);
        const wrong = diagnostics.filter(({ severity }) => severity < 2);
        console.log(JSON.stringify(wrong), document?.allMessages().length);
        "#,
    );
    assert_eq!(said, "7\n[] 6\n");
}

#[test]
fn every_frame_stands_in_every_document() {
    let page = std::fs::read_to_string(repository().join("docs/protocol.md")).unwrap();
    let types = repository().join("generated/staging/client/src/protocol.ts");
    let types = std::fs::read_to_string(types).unwrap();
    let messages = &documents().asyncapi["components"]["messages"];
    for frame in frame::all() {
        let kind = &frame.kind;
        let row = format!("| `{kind}` | {} |", frame.from.name());
        assert!(page.contains(&row), "{kind}");
        assert!(messages[kind].is_object(), "{kind}");
        let declared = format!(
            "export interface {} {{\n  readonly type: \"{kind}\";\n",
            frame.schema
        );
        assert!(types.contains(&declared), "{kind}");
    }
}

/// The frames of `protocol.md`, as the TypeScript compiler sees them.
#[test]
fn the_examples_of_frames_are_of_the_types_that_clients_have() {
    let page = std::fs::read_to_string(repository().join("docs/protocol.md")).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    let (sent, received): (Vec<&str>, Vec<&str>) = block
        .lines()
        .partition(|line| line.contains(r#""ping""#) || line.contains(r#""ack","seq""#));
    assert_eq!((sent.len(), received.len()), (2, 4), "{block}");
    for frame in received.iter().copied() {
        assert_frame(&serde_json::from_str(frame).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let types = repository().join("generated/staging/client/src/protocol.ts");
    std::fs::copy(types, folder.path().join("protocol.ts")).unwrap();
    let text = format!(
        "import type {{ ClientFrame, Connected, RoomFrame }} from './protocol.js';\n\
         export const received: RoomFrame[] = [{}];\n\
         export const sent: ClientFrame[] = [{}];\n\
         // @ts-expect-error: a number is missing\n\
         export const ack: ClientFrame = {{ type: 'ack' }};\n\
         // @ts-expect-error: nothing else is sent\n\
         export const other: ClientFrame = {{ type: 'subscribe' }};\n\
         // @ts-expect-error: more is always there\n\
         export const connected: Connected = {{ type: 'connected', seq: 1 }};\n",
        received.join(", "),
        sent.join(", "),
    );
    std::fs::write(folder.path().join("frames.ts"), text).unwrap();
    let output = Command::new("node")
        .arg(npm::modules().join("typescript/bin/tsc"))
        .args(["--strict", "--exactOptionalPropertyTypes", "--noEmit"])
        .args(["--target", "es2020", "--module", "nodenext", "frames.ts"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

/// A value of a member that means something, right or wrong.
fn value() -> impl Strategy<Value = Value> {
    let texts = [
        "SOL",
        "PRICE",
        "connected",
        "BATCH_UPDATE",
        "ping",
        "pong",
        "ack",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!(1.5)),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    let names = [
        "type", "token", "slot", "force", "price", "Seq", "seq", "epoch",
    ];
    let member = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
    prop::collection::btree_map(member, value(), 0..4).prop_map(|members| json!(members))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// What may be published is described exactly.
    #[test]
    fn a_body_is_of_the_described_shape_where_the_gateway_takes_it(
        mut body in object(),
        items in prop::option::weighted(0.7, prop::collection::vec(object(), 0..3)),
        is_batch in any::<bool>(),
    ) {
        static PUBLISH: OnceLock<Validator> = OnceLock::new();
        let publish = PUBLISH.get_or_init(|| {
            let schema = json!({ "$ref": "#/components/schemas/Publish" });
            validator(&schema, &documents().openapi)
        });
        if is_batch {
            body["type"] = "BATCH_UPDATE".into();
            body["updates"] = items.into();
        }
        let text = body.to_string();
        let taken = head::read(&text);
        prop_assert_eq!(publish.is_valid(&body), taken.is_ok(), "{} {:?}", body, taken);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// The pattern of a token is written in the documents alone.
    #[test]
    fn a_token_is_of_the_described_pattern_where_it_names_a_room(token in "[a-zA-Z0-9._:é/%\n-]{0,4}|[a-z0-9]{94,98}") {
        static PATTERN: OnceLock<Validator> = OnceLock::new();
        let pattern = PATTERN.get_or_init(|| {
            let document = &documents().openapi;
            let parameter = &document["paths"]["/ws/{token}"]["get"]["parameters"][0];
            assert_eq!(parameter["name"], "token");
            validator(&parameter["schema"], document)
        });
        let taken = Token::try_from(token.as_str()).is_ok();
        prop_assert_eq!(pattern.is_valid(&json!(token)), taken, "{:?}", token);
    }
}

#[test]
fn what_is_not_described_is_seen() {
    let seen = |frame: Value| !documents().frame.is_valid(&frame);
    let pong = json!({ "type": "pong" });
    assert!(!seen(pong.clone()));
    let update = json!({ "type": "PRICE", "seq": 1, "epoch": "e", "price": 1 });
    assert!(!seen(update));
    for (name, value) in [
        ("more", json!(1)),
        ("type", json!("pang")),
        ("type", json!("connected")),
    ] {
        let mut frame = pong.clone();
        frame[name] = value;
        assert!(seen(frame.clone()), "{frame}");
    }
    let paths: BTreeSet<_> = documents().openapi["paths"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(paths.len(), 7, "{paths:?}");
}
