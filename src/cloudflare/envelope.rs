//! The envelope around every answer, and what is in it. Pure.
//!
//! The API writes `null` where its documents promise a list, an object or a flag (recorded from the live API: the `errors` and
//! `messages` of `GET scripts/S/versions`, the `tags` and `tail_consumers` of an upload). So null means absent, for all fields at
//! once: [`parse`] is the only reader of an answer, and what it returns has no null in it.

use anyhow::anyhow;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::error::Entry;
use crate::terminal::decoding;

/// An answer of the API (docs: Cloudflare API, "Making API calls"). Only what says that it is a success is one.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) success: bool,
    pub(super) errors: Vec<Entry>,
    /// Null when there is none.
    pub(super) result: Json,
    pub(super) info: Option<Info>,
}

/// Which part of a list an answer is. Not every list tells all of it; some tell nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) total_pages: Option<u64>,
    pub(super) total_count: Option<u64>,
    pub(super) per_page: Option<u64>,
    /// Of a list that is read by cursors: where its next part begins.
    pub(super) cursor: Option<String>,
}

/// The call that an answer is of, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        let method = &Method::GET;
        Self { method, path }
    }
}

impl Envelope {
    /// Opens an answer; `None` when it is not one of the API.
    pub(super) fn open(body: &[u8]) -> Option<Self> {
        let Json::Object(mut fields) = parse(body)? else {
            return None;
        };
        let info = fields.remove("result_info");
        Some(Self {
            success: fields.get("success") == Some(&Json::Bool(true)),
            errors: Entry::list(fields.remove("errors").unwrap_or_default()),
            result: fields.remove("result").unwrap_or_default(),
            info: info.map(|info| Info::of(&info)),
        })
    }
}

impl Info {
    fn of(info: &Json) -> Self {
        let number = |name: &str| info[name].as_u64();
        Self {
            total_pages: number("total_pages"),
            total_count: number("total_count"),
            per_page: number("per_page"),
            // The SDKs of different years read one or the other
            cursor: [&info["cursors"]["after"], &info["cursor"]]
                .into_iter()
                .filter_map(Json::as_str)
                .find(|cursor| !cursor.is_empty())
                .map(str::to_owned),
        }
    }
}

/// The JSON of an answer in which null means absent: no member and no element of it is null. `None` when it is no JSON.
pub(super) fn parse(body: &[u8]) -> Option<Json> {
    let mut json = serde_json::from_slice(body).ok()?;
    drop_nulls(&mut json);
    Some(json)
}

fn drop_nulls(json: &mut Json) {
    match json {
        Json::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            let data = is_json_binding(fields);
            fields
                .iter_mut()
                .filter(|(name, _)| !(data && *name == "json"))
                .for_each(|(_, value)| drop_nulls(value));
        }
        Json::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

/// The `json` of such a binding is the data of whoever deployed it: a null in it is a value.
fn is_json_binding(fields: &Map<String, Json>) -> bool {
    fields.get("type").is_some_and(|kind| kind == "json")
}

/// Reads what an answer holds at `place`, like `result`. The error names the call and the field.
pub(super) fn decode<T: DeserializeOwned>(
    call: Call<'_>,
    place: &str,
    json: Json,
) -> anyhow::Result<T> {
    let is_absent = json.is_null();
    serde_path_to_error::deserialize(json).map_err(|error| {
        let field = match error.path().to_string() {
            root if root == "." => place.to_owned(),
            list if list.starts_with('[') => format!("{place}{list}"),
            member => format!("{place}.{member}"),
        };
        let why = if is_absent {
            "it is missing".to_owned()
        } else {
            // The text of a field can be what somebody wrote into a Worker
            decoding::without_value(&error.into_inner().to_string())
        };
        anyhow!(
            "the API's answer to `{} {}` has another shape than documented: `{field}`: {why}",
            call.method,
            call.path
        )
    })
}

/// Reads a list: the result itself, or the member of it that the API keeps the list in. An absent list is empty.
pub(super) fn decode_list<T: DeserializeOwned>(
    call: Call<'_>,
    result: Json,
) -> anyhow::Result<Vec<T>> {
    let (place, items) = match result {
        Json::Object(mut fields) => {
            let list = ["items", "deployments"]
                .into_iter()
                .find_map(|name| Some((name, fields.remove(name)?)));
            match list {
                Some((name, items)) => (format!("result.{name}"), items),
                None => return Ok(Vec::new()),
            }
        }
        Json::Null => return Ok(Vec::new()),
        list => ("result".to_owned(), list),
    };
    decode(call, &place, items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(json: &Json) -> Json {
        parse(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn null_means_absent_at_every_depth() {
        let answer = json!({ "a": null, "b": [null, { "c": null, "d": [] }], "e": { "f": { "g": null } }, "h": false });
        assert_eq!(
            parsed(&answer),
            json!({ "b": [{ "d": [] }], "e": { "f": {} }, "h": false })
        );
    }

    #[test]
    fn the_data_of_a_json_binding_keeps_its_nulls() {
        let binding =
            json!({ "type": "json", "name": "SETTINGS", "json": { "a": null, "b": [null] } });
        let mut answer = binding.clone();
        answer["part"] = Json::Null;
        assert_eq!(
            parsed(&json!({ "bindings": [answer] })),
            json!({ "bindings": [binding] })
        );
    }

    #[test]
    fn only_what_says_that_it_is_a_success_is_one() {
        let open = |json: Json| Envelope::open(json.to_string().as_bytes()).unwrap();
        let recorded = open(
            json!({ "success": true, "errors": null, "messages": null, "result": { "items": [] }, "result_info": null }),
        );
        assert!(recorded.success && recorded.errors.is_empty() && recorded.info.is_none());
        assert!(!open(json!({})).success);
        assert!(!open(json!({ "success": null })).success);
        assert!(!open(json!({ "success": "true" })).success);
        assert!(Envelope::open(b"[]").is_none());
        assert!(Envelope::open(b"<html>").is_none());
    }

    #[test]
    fn an_error_is_read_whatever_else_is_null_or_unknown() {
        let errors = |json: Json| Envelope::open(json.to_string().as_bytes()).unwrap().errors;
        let bare = json!({ "success": false, "errors": [{ "message": "Broken" }] });
        let full = json!({
            "success": false, "messages": null, "result": null, "result_info": null, "unknown": [1],
            "errors": [null, { "code": null, "message": "Broken", "error_chain": null, "source": { "pointer": null }, "unknown": {} }],
        });
        let odd = json!({ "success": null, "errors": { "message": "Broken" } });
        let wanted = errors(bare);
        assert_eq!(wanted[0].message, "Broken");
        assert_eq!(errors(full), wanted);
        assert_eq!(errors(odd), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_call() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only its shape is read")]
        struct Thing {
            id: String,
            share: Option<f64>,
        }
        let call = Call {
            method: &Method::GET,
            path: "/things",
        };
        let said = |json| {
            decode::<Vec<Thing>>(call, "result.items", json)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            said(json!([{ "id": "a" }, { "share": 1 }])),
            "the API's answer to `GET /things` has another shape than documented: `result.items[1]`: missing field `id`"
        );
        assert_eq!(
            said(json!([{ "id": "a", "share": "half" }])),
            "the API's answer to `GET /things` has another shape than documented: `result.items[0].share`: invalid type: string, expected f64"
        );
        let one = decode::<Thing>(call, "result", Json::Null).unwrap_err();
        assert_eq!(
            one.to_string(),
            "the API's answer to `GET /things` has another shape than documented: `result`: it is missing"
        );
    }
}
