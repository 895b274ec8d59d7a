//! What is sent of an update.

use std::collections::HashMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::report::Report;

/// An update that may be sent.
pub(crate) struct Item<'a> {
    pub(crate) update: &'a Value,
    token: &'a str,
    /// Its JSON with an `id`, which it has in every repeat.
    pub(crate) text: String,
}

/// An item for each update; others are refused.
pub(crate) fn items<'a>(updates: &'a [Value], report: &mut Report) -> Vec<Item<'a>> {
    let mut alike = HashMap::new();
    let item = |update: &'a Value| match item(update, &mut alike) {
        Ok(item) => Some(item),
        Err(why) => {
            report.refused.push((update.clone(), why.to_owned()));
            None
        }
    };
    updates.iter().filter_map(item).collect()
}

fn item<'a>(update: &'a Value, alike: &mut HashMap<String, u32>) -> Result<Item<'a>, &'static str> {
    let token = update["token"].as_str().ok_or("its `token` is no text")?;
    if has_null(update) {
        // JSON has no other word for them, and `serde_json` has taken it by now
        return Err("it has a `null`: NaN or infinity, or something to leave out");
    }
    let text = update.to_string();
    let count = alike.entry(text.clone()).or_default();
    *count += 1;
    let moments = ["signature", "slot", "timestamp"];
    // Without a moment, a price that comes back is no repeat
    let seed = match moments.iter().any(|name| update.get(name).is_some()) {
        true => format!("{count} {text}"),
        false => rand::random::<u128>().to_string(),
    };
    let mut item = update.clone();
    if update.get("id").is_none() {
        item["id"] = BASE64_URL_SAFE_NO_PAD
            .encode(&Sha256::digest(seed)[..15])
            .into();
    }
    let text = item.to_string();
    Ok(Item {
        update,
        token,
        text,
    })
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

impl Item<'_> {
    /// Whether it is of the share in hundredths that goes to the edge.
    pub(crate) fn is_within(&self, percent: u32) -> bool {
        share(self.token) < percent
    }
}

/// From 0 to 99, the same in every language: all updates of a token go the same way.
pub(crate) fn share(token: &str) -> u32 {
    let place = |place: u32, character| place.wrapping_mul(31).wrapping_add(u32::from(character));
    token.chars().fold(0, place) % 100
}
