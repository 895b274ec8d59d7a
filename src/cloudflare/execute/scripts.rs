//! Scripts: deleted, and only ours.

use anyhow::bail;

use crate::build::Worker;
use crate::cloudflare::account;
use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::wire::ScriptSettings;
use crate::plan::destroy::{Identity, Refusal, Refused};
use crate::plan::pair::Tagged;

/// Deletes a script with all that it has stored, unless it is not the one that it `was` by now, or other Workers than its gateway
/// use its objects.
pub(super) async fn delete(
    cloudflare: &Cloudflare,
    script: &str,
    role: Worker,
    was: &Identity,
) -> anyhow::Result<()> {
    let settings = cloudflare.of_script(script, "script-settings");
    let Some(settings) = cloudflare.find::<ScriptSettings>(&settings).await? else {
        return Ok(());
    };
    let now = Tagged {
        name: script.to_owned(),
        tags: settings.tags,
    };
    if Identity::of(&now) != *was {
        bail!(Refused(vec![Refusal::Changed(script.to_owned())]));
    }
    let path = cloudflare.of_account(&format!("workers/scripts/{script}"));
    match role {
        // Whoever else calls it stops the API
        Worker::Gateway => cloudflare.delete(&path).await,
        Worker::Room => {
            let mut others = account::users(cloudflare, script).await?;
            // Deleted by now, whether the API knows it everywhere or not
            let gateway = was.gateway();
            others.retain(|other| Some(other) != gateway.as_ref());
            if !others.is_empty() {
                bail!(Refused(vec![Refusal::InUse(script.to_owned(), others)]));
            }
            // Its own objects stop the API, which deletes them with it when it is forced (API documentation, "Delete Worker")
            cloudflare.delete(&format!("{path}?force=true")).await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::{Method, StatusCode, Uri};
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    use super::*;
    use crate::cloudflare::paged::answering;
    use crate::terminal::advice::Advice;

    const OURS: [&str; 3] = [
        "cf:service=w-room",
        "cf:environment=e",
        "edge-broadcast:owner=us",
    ];

    fn tagged(tags: &[&str]) -> Tagged {
        Tagged {
            name: "w-e-room".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        }
    }

    /// The end of a room that was confirmed with the tags [`OURS`] and has `tags` now, and the deletions that were sent.
    async fn deleted(tags: &[&str], references: Option<Value>) -> (Result<(), String>, usize) {
        let sent = Arc::new(Mutex::new(0));
        let (counted, tags) = (Arc::clone(&sent), json!(tags));
        let cloudflare = answering(move |method: &Method, uri: &Uri, _: &[u8]| {
            let part = uri.path().rsplit('/').next().unwrap_or_default();
            let result = match (method.as_str(), part, &references) {
                ("GET", "script-settings", _) => json!({ "tags": tags }),
                ("GET", "references", Some(references)) => references.clone(),
                ("DELETE", "w-e-room", _) => {
                    *counted.lock().unwrap() += 1;
                    Value::Null
                }
                _ => {
                    let error = json!({ "code": 10007, "message": "This Worker does not exist" });
                    let absent = json!({ "success": false, "errors": [error], "messages": [], "result": null });
                    return (StatusCode::NOT_FOUND, axum::Json(absent)).into_response();
                }
            };
            let answer = json!({ "success": true, "errors": [], "messages": [], "result": result });
            axum::Json(answer).into_response()
        })
        .await;
        let was = Identity::of(&tagged(&OURS));
        let result = delete(&cloudflare, "w-e-room", Worker::Room, &was).await;
        let result = result.map_err(|error| Advice::of(&error).line());
        let sent = *sent.lock().unwrap();
        (result, sent)
    }

    fn of(user: &str) -> Option<Value> {
        Some(json!({ "durable_objects": [{ "service": user }] }))
    }

    #[tokio::test]
    async fn what_was_confirmed_is_deleted_and_nothing_that_took_its_place() {
        assert_eq!(deleted(&OURS, of("w-e")).await, (Ok(()), 1));
        let [service, environment, _] = OURS;
        for tags in [
            &[service, environment][..],
            &[service, environment, "edge-broadcast:owner=them"],
            &[
                "cf:service=w-e",
                "cf:environment=room",
                "edge-broadcast:owner=us",
            ],
            &[],
        ] {
            let (result, sent) = deleted(tags, of("w-e")).await;
            let told = result.unwrap_err();
            assert!(told.contains("is not the one that was confirmed"), "{told}");
            assert_eq!(sent, 0, "{tags:?}");
        }
    }

    #[tokio::test]
    async fn a_room_that_others_use_or_of_which_the_api_does_not_say_who_does_stays() {
        let (result, sent) = deleted(&OURS, of("theirs")).await;
        assert!(result.unwrap_err().contains("are used by `theirs`"));
        assert_eq!(sent, 0);
        let (result, sent) = deleted(&OURS, None).await;
        assert!(result.unwrap_err().contains("10007"));
        assert_eq!(sent, 0);
    }
}
