//! The `observability` setting: what may be sent, and what is answered. Pure.

use serde_json::{Value, json};

use crate::account::error::{ApiError, invalid};

/// Members that are flags for whoever sends them, although the answer may say null (SDK, `Observability`).
const FLAGS: [&str; 3] = ["enabled", "persist", "invocation_logs"];

/// Refuses what is no setting. A null that was read must not be sent back.
pub(crate) fn check(given: &Value) -> Result<(), ApiError> {
    let bad = |path: String| Err(invalid(10021, format!("`{path}` must be a boolean")));
    let sections = [
        ("observability", given),
        ("observability.logs", &given["logs"]),
        ("observability.traces", &given["traces"]),
    ];
    for (path, section) in sections {
        for flag in FLAGS {
            if section.get(flag).is_some_and(|value| !value.is_boolean()) {
                return bad(format!("{path}.{flag}"));
            }
        }
    }
    Ok(())
}

/// As it is answered: what was not said is filled in, some of it with null. Recorded from the live API for one that is enabled; one that
/// is not gets the same, so that switching it changes nothing else.
pub(crate) fn shown(given: &Value) -> Value {
    let mut whole = given.clone();
    fill(
        &mut whole,
        &[("head_sampling_rate", json!(1)), ("logs", json!({}))],
    );
    fill(
        &mut whole["logs"],
        &[
            ("enabled", json!(true)),
            ("head_sampling_rate", Value::Null),
            ("persist", Value::Null),
            ("invocation_logs", json!(true)),
        ],
    );
    whole
}

fn fill(object: &mut Value, members: &[(&str, Value)]) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    for (name, value) in members {
        object.entry(*name).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_answered_as_it_was_recorded() {
        assert_eq!(
            shown(&json!({"enabled": true})),
            json!({"enabled": true, "head_sampling_rate": 1, "logs": {"enabled": true, "head_sampling_rate": null, "persist": null, "invocation_logs": true}})
        );
        let own = json!({"enabled": true, "head_sampling_rate": 0.1, "logs": {"enabled": false}});
        assert_eq!(shown(&own)["head_sampling_rate"], 0.1);
        assert_eq!(shown(&own)["logs"]["enabled"], false);
        assert_eq!(shown(&json!({"enabled": false}))["enabled"], false);
    }

    #[test]
    fn a_null_that_was_read_may_not_be_sent_back_as_a_flag() {
        assert!(
            check(&json!({"enabled": true, "logs": {"persist": true, "head_sampling_rate": null}}))
                .is_ok()
        );
        let error = check(&shown(&json!({"enabled": true}))).unwrap_err();
        assert_eq!(
            error.problems,
            [(
                10021,
                "`observability.logs.persist` must be a boolean".to_owned()
            )]
        );
    }
}
