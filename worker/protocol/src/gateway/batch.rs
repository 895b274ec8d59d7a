//! `POST /broadcast`: the items of a batch, and its answer, item by item.

use crate::contract::head::MAX_ITEMS;
use crate::contract::refusal::{self, Refusal};
use serde_json::value::RawValue;

/// The largest body of `POST /broadcast`, in bytes, unless one message may be larger still.
pub const MAX_BATCH_BYTES: u32 = 1 << 20;
/// The time in which items of a batch may begin. Items of one room follow each other, and each may wait for a shard that hangs:
/// without this, a hundred of them would take a quarter of an hour.
pub const TIME_LIMIT_MS: u64 = 10_000;

/// The items of `POST /broadcast`, each as it came.
///
/// # Errors
/// 400 for what is not a JSON array of 1 to 100 items.
pub fn items(body: &str) -> Result<Vec<&str>, Refusal> {
    let items: Vec<&RawValue> = serde_json::from_str(body).map_err(|_| refusal::NOT_AN_ARRAY)?;
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(refusal::INVALID_COUNT);
    }
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// Checks that an item may still begin.
///
/// # Errors
/// 503 when the batch has taken too long: this item was not published.
pub fn check_time(started_ms: u64, now_ms: u64) -> Result<(), Refusal> {
    if now_ms.saturating_sub(started_ms) < TIME_LIMIT_MS {
        return Ok(());
    }
    Err(refusal::BATCH_TIME)
}

/// The idempotency key of a batch's item. No publish has it by itself: a key of a client has no space.
pub fn id(batch: &str, index: usize) -> String {
    format!("{batch} {index}")
}

/// An item's result: `status`, `retry_after` where there is one, and the members of what a single publish would have been
/// answered.
pub fn result(status: u16, retry_after: Option<u32>, answer: &str) -> String {
    let Some(members) = members(answer) else {
        return refused(&refusal::UNREADABLE_ANSWER);
    };
    let mut result = format!(r#"{{"status":{status}"#);
    if let Some(seconds) = retry_after {
        result += &format!(r#","retry_after":{seconds}"#);
    }
    if !members.is_empty() {
        result.push(',');
        result += members;
    }
    result.push('}');
    result
}

/// The result of an item that is not published.
pub fn refused(refusal: &Refusal) -> String {
    result(refusal.status, refusal.retry_after, &refusal.body())
}

/// The whole answer. The results are in the order of the items.
pub fn answer(results: &[String]) -> String {
    format!(r#"{{"results":[{}]}}"#, results.join(","))
}

/// The text between the braces of a JSON object.
fn members(answer: &str) -> Option<&str> {
    let object: &RawValue = serde_json::from_str(answer).ok()?;
    let inside = object.get().strip_prefix('{')?.strip_suffix('}')?;
    Some(inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn a_result_is_the_answer_of_a_single_publish_with_its_status() {
        assert_eq!(
            result(200, None, r#" {"seq":7,"epoch":"e1"} "#),
            r#"{"status":200,"seq":7,"epoch":"e1"}"#
        );
        assert_eq!(result(200, None, "{ }"), r#"{"status":200}"#);
        assert_eq!(
            refused(&refusal::BROADCAST_RATE.retry_after(60)),
            r#"{"status":429,"retry_after":60,"error":{"code":"broadcast_rate","message":"this room is published to more often than this deployment accepts"}}"#
        );
    }

    #[test]
    fn an_answer_that_cannot_be_read_becomes_a_refusal_of_that_item_alone() {
        for answer in ["", "null", "[1]", "{", "}", "{\"seq\":}", "{}{}", "<html>"] {
            let results = [result(200, None, answer), result(200, None, "{\"seq\":1}")];
            let value: Value = serde_json::from_str(&super::answer(&results)).unwrap();
            assert_eq!(value["results"][0]["error"]["code"], "unreadable_answer");
            assert_eq!(value["results"][1], json!({"status": 200, "seq": 1}));
        }
    }

    #[test]
    fn an_item_has_a_key_that_no_client_can_send() {
        assert_eq!(id("batch-1", 0), "batch-1 0");
        assert!(!crate::contract::signature::is_id(&id("x", 0)));
    }

    #[test]
    fn items_begin_for_ten_seconds() {
        assert_eq!(check_time(1_000, 10_999), Ok(()));
        assert_eq!(check_time(1_000, 900), Ok(()), "the clock was set back");
        assert_eq!(check_time(1_000, 11_000).unwrap_err().code, "batch_time");
    }

    #[test]
    fn an_array_has_one_to_a_hundred_items() {
        assert_eq!(items(r#"[{"a":1}, 2]"#).unwrap(), [r#"{"a":1}"#, "2"]);
        assert_eq!(items("[]").unwrap_err().code, "invalid_count");
        assert_eq!(items("{}").unwrap_err().code, "invalid_json");
        let many = format!("[{}0]", "0,".repeat(MAX_ITEMS));
        assert_eq!(items(&many).unwrap_err().code, "invalid_count");
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".*") {
            let _ = items(&body);
        }

        #[test]
        fn every_answer_makes_a_json_object_with_a_status(
            answers in proptest::collection::vec((200u16..600, proptest::option::of(any::<u32>()), "[{}\\[\\]\",:a1 \\\\]{0,12}|.*"), 0..8),
        ) {
            let results: Vec<String> =
                answers.iter().map(|(status, seconds, text)| result(*status, *seconds, text)).collect();
            let value: Value = serde_json::from_str(&answer(&results)).unwrap();
            let results = value["results"].as_array().unwrap();
            prop_assert_eq!(results.len(), answers.len());
            prop_assert!(results.iter().all(|result| result["status"].is_u64()));
        }
    }
}
