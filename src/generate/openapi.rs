//! `docs/openapi.json`: the gateway's routes (OpenAPI 3.1, <https://spec.openapis.org/oas/v3.1.1.html>).

use std::collections::{BTreeMap, BTreeSet};

use edge_broadcast_protocol::contract::refusal::Refusal;
use edge_broadcast_protocol::describe::header::{Form, REQUEST, RESPONSE};
use edge_broadcast_protocol::describe::parameter::PARAMETERS;
use edge_broadcast_protocol::describe::route::{ROUTES, Served, Who};
use edge_broadcast_protocol::describe::schema;
use serde_json::{Map, Value, json};

use super::shape::plain_all;

const ABOUT: &str = "What publishers, clients and administrators ask of a deployed gateway. The frames of `/ws/{token}` are in \
    `asyncapi.json`, and all of it in words in `protocol.md`. A path that is not here is refused with `404 not_found`, another method \
    with `405 method_not_allowed`.";
/// What a token may be (`contract::token`).
pub(super) const TOKEN: &str = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,95}$";

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let path = route.path.replace(":token", "{token}");
        let item = paths.entry(path).or_default();
        for method in route.methods {
            item.insert(method.to_lowercase(), operation(route, method));
        }
    }
    plain_all(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "edge-broadcast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{
            "url": "https://{host}",
            "description": "A deployed environment.",
            "variables": { "host": { "default": "broadcast.example.com" } },
        }],
        "paths": paths,
        "components": { "schemas": schema::all(), "securitySchemes": credentials() },
    }))
}

/// The token in a path, where there is one. A browser that asks whether a page may poll asks of any.
fn token(route: &Served) -> Option<Value> {
    let schema = match route.who {
        Who::Browser => json!({ "type": "string" }),
        _ => json!({ "type": "string", "pattern": TOKEN }),
    };
    route.path.contains(":token").then(|| {
        json!({
            "name": "token",
            "in": "path",
            "required": true,
            "description": "The room.",
            "schema": schema,
        })
    })
}

fn credentials() -> Value {
    json!({
        "publisher": {
            "type": "http",
            "scheme": "bearer",
            "description": "The value of a slot of the webhook secret.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "A signature of Standard Webhooks, with `webhook-id` and `webhook-timestamp`.",
        },
        "administrator": {
            "type": "http",
            "scheme": "bearer",
            "description": "The value of `ADMIN_SECRET`.",
        },
    })
}

fn operation(route: &Served, method: &str) -> Value {
    let mut operation = json!({
        "operationId": id(route, method),
        "summary": route.does,
        "tags": [route.who.name()],
        "parameters": parameters(route),
        "responses": responses(route, method),
    });
    if let Some(name) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(name) } },
        });
    }
    let security = match route.who {
        Who::Publisher => json!([{ "publisher": [] }, { "signature": [] }]),
        Who::Administrator => json!([{ "administrator": [] }]),
        Who::Client | Who::Browser | Who::Anybody => json!([]),
    };
    operation["security"] = security;
    operation
}

/// `getSnapshotToken`
fn id(route: &Served, method: &str) -> String {
    let mut id = method.to_lowercase();
    for part in route.path.split(['/', ':']).filter(|part| !part.is_empty()) {
        let (first, rest) = part.split_at(1);
        id += &first.to_uppercase();
        id += rest;
    }
    id
}

fn parameters(route: &Served) -> Value {
    let queries = PARAMETERS.iter();
    let queries = queries.filter(|parameter| parameter.of.contains(&route.path));
    let queries = queries.map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": false,
            "description": parameter.meaning,
            "schema": { "type": "string" },
        })
    });
    let headers = REQUEST.iter();
    let headers = headers.filter(|header| header.paths.contains(&route.path));
    let headers = headers.map(|header| {
        let schema = match header.form {
            Form::Any => json!({ "type": "string" }),
            Form::Matches(pattern) | Form::Required(pattern) => {
                json!({ "type": "string", "pattern": pattern })
            }
        };
        json!({
            "name": header.name,
            "in": "header",
            "required": matches!(header.form, Form::Required(_)),
            "description": header.meaning,
            "schema": schema,
        })
    });
    let token = token(route).into_iter();
    token.chain(queries).chain(headers).collect()
}

fn responses(route: &Served, method: &str) -> Value {
    let mut responses: BTreeMap<u16, Value> = BTreeMap::new();
    for answer in route.answers {
        let schema = answer.body.map(reference);
        responses.insert(
            answer.status,
            response(route, method, answer.status, answer.meaning, schema),
        );
    }
    let (refused, items) = (by_status(route.refusals), by_status(route.items));
    let statuses: BTreeSet<u16> = refused.keys().chain(items.keys()).copied().collect();
    for status in statuses {
        let mut meanings = Vec::new();
        let mut schemas = Vec::new();
        if let Some(codes) = refused.get(&status) {
            meanings.push(listed(codes));
            schemas.push(refusal(codes));
        }
        if let Some(codes) = items.get(&status) {
            meanings.push(format!("no item was accepted: {}", listed(codes)));
            let results = route.answers.first().and_then(|answer| answer.body);
            schemas.extend(results.map(reference));
        }
        let schema = match schemas.as_slice() {
            [only] => only.clone(),
            several => json!({ "anyOf": several }),
        };
        let meaning = meanings.join("; or ");
        responses.insert(
            status,
            response(route, method, status, &meaning, Some(schema)),
        );
    }
    let responses = responses.into_iter();
    responses
        .map(|(status, response)| (status.to_string(), response))
        .collect::<Map<_, _>>()
        .into()
}

/// `a`, `b`
fn listed(codes: &BTreeSet<&str>) -> String {
    let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    codes.join(", ")
}

fn by_status(refusals: &[&'static [Refusal]]) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for refusal in refusals.iter().copied().flatten() {
        by_status
            .entry(refusal.status)
            .or_default()
            .insert(refusal.code);
    }
    by_status
}

fn refusal(codes: &BTreeSet<&str>) -> Value {
    let code = json!({ "properties": { "code": { "enum": codes } } });
    json!({ "allOf": [reference("Refusal"), { "properties": { "error": code } }] })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn response(
    route: &Served,
    method: &str,
    status: u16,
    meaning: &str,
    schema: Option<Value>,
) -> Value {
    let headers = RESPONSE.iter();
    let headers = headers.filter(|header| {
        // OpenAPI has a place of its own for it
        header.name != "content-type" && header.on.has(method, route.path, status)
    });
    let headers: Map<String, Value> = headers
        .map(|header| {
            let described =
                json!({ "description": header.meaning, "schema": { "type": "string" } });
            (header.name.to_owned(), described)
        })
        .collect();
    let mut response = json!({ "description": meaning, "headers": headers });
    if let Some(schema) = schema.filter(|_| method != "HEAD") {
        response["content"] = json!({ "application/json": { "schema": schema } });
    }
    response
}
