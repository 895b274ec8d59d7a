//! Answers of the API without the values that were sent: what refuses a body may quote it.

use super::error::{ApiError, Entry};
use crate::secret::Value;

/// What a call gave that sent `values`; an error says `[redacted]` where the API repeated one of them.
pub(super) fn redacted<'a, T>(
    result: anyhow::Result<T>,
    values: impl IntoIterator<Item = &'a Value>,
) -> anyhow::Result<T> {
    result.map_err(|mut error| {
        if let Some(refused) = error.downcast_mut::<ApiError>() {
            for value in values {
                redact(&mut refused.entries, value.expose());
            }
        }
        error
    })
}

fn redact(entries: &mut [Entry], value: &str) {
    for entry in entries {
        if !value.is_empty() {
            entry.message = entry.message.replace(value, "[redacted]");
        }
        redact(&mut entry.chain, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_that_repeats_a_value_is_shown_without_it_at_every_depth() {
        let error = ApiError {
            method: "PATCH".into(),
            path: "/accounts/a/workers/scripts/s/secrets-bulk".into(),
            account: "a".into(),
            status: 400,
            entries: Entry::list(json!([{
                "code": 10021,
                "message": "binding text 'hunter2' is bad",
                "error_chain": [{ "code": 1, "message": "got hunter2 and hunter2" }],
            }])),
            detail: String::new(),
            wait: None,
            fix: None,
        };
        let values = [Value::new(String::new()), Value::new("hunter2".to_owned())];
        let told = redacted::<()>(
            Err(anyhow::Error::from(error).context("uploading")),
            &values,
        );
        assert_eq!(
            format!("{:#}", told.unwrap_err()),
            "uploading: `PATCH /accounts/a/workers/scripts/s/secrets-bulk` in the account `a` was answered with 400: binding text '[redacted]' is bad (code 10021): got [redacted] and [redacted] (code 1)"
        );
    }
}
