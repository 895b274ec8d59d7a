//! A JSON or dotenv file of several values, by key.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::{Value, dotenv};
use crate::terminal::utf8;

/// Reads the value of `key`.
pub(super) fn read(path: &Path, key: &str) -> anyhow::Result<Value> {
    let reading = || format!("reading `{}`", path.display());
    let bytes = std::fs::read(path)
        .map(Zeroizing::new)
        .with_context(reading)?;
    let text = utf8::text(&bytes).with_context(reading)?;
    if is_json(path) {
        let mut object = object(text)?;
        let found = object.remove(key);
        object.into_iter().for_each(|(_, value)| zero(value));
        match found {
            Some(Json::String(value)) => Ok(Value::new(value)),
            Some(_) => bail!("the key `{key}` is not a string"),
            None => bail!("the file has no key `{key}`"),
        }
    } else {
        dotenv::find(text, key)?.with_context(|| format!("the file has no key `{key}`"))
    }
}

/// The text of the file at `path`, which need not be there yet, in which `key` is `value`.
pub(super) fn with(path: &Path, key: &str, value: &Value) -> anyhow::Result<Zeroizing<String>> {
    let reading = || format!("reading `{}`", path.display());
    let before = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(error).with_context(reading),
    };
    let before = utf8::text(&before).with_context(reading)?;
    let with = if is_json(path) {
        with_json
    } else {
        dotenv::with
    };
    with(before, key, value).with_context(|| format!("`{}`", path.display()))
}

/// A file whose name ends with `.json` is JSON, every other one is dotenv.
fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// The JSON text `text` (or nothing) in which `key` is `value`.
fn with_json(text: &str, key: &str, value: &Value) -> anyhow::Result<Zeroizing<String>> {
    let mut object = if text.trim().is_empty() {
        serde_json::Map::new()
    } else {
        object(text)?
    };
    object.insert(key.to_owned(), Json::String(value.expose().to_owned()));
    // Room for all of it from the start: a buffer that grows leaves its earlier self behind
    let mut written = Zeroizing::new(Vec::with_capacity(
        2 * (text.len() + key.len()) + 16 * value.expose().len() + 64,
    ));
    let result = serde_json::to_writer_pretty(&mut *written, &object).context("writing JSON");
    object.into_iter().for_each(|(_, value)| zero(value));
    result?;
    written.push(b'\n');
    let text = String::from_utf8(std::mem::take(&mut *written)).context("writing JSON")?;
    Ok(Zeroizing::new(text))
}

fn zero(value: Json) {
    match value {
        Json::String(text) => drop(Zeroizing::new(text)),
        Json::Array(values) => values.into_iter().for_each(zero),
        Json::Object(values) => values.into_iter().for_each(|(_, value)| zero(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn object(text: &str) -> anyhow::Result<serde_json::Map<String, Json>> {
    // The parser's own message could quote what stands in the file
    serde_json::from_str(text).map_err(|error| {
        anyhow::anyhow!(
            "it is not a JSON object (line {}, column {})",
            error.line(),
            error.column()
        )
    })
}
