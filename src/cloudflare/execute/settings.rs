//! What belongs to a script and not to a version of it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::wire::ScriptSettings;
use crate::plan::{Kept, script_tags};

/// Adds tags and switches observability. Sends only what differs now: a rotation keeps its place in a tag, and whoever set how much
/// is sampled meant it.
pub(super) async fn set(
    cloudflare: &Cloudflare,
    script: &str,
    tags: &BTreeSet<String>,
    observability: bool,
) -> anyhow::Result<()> {
    let path = cloudflare.of_script(script, "script-settings");
    let now: ScriptSettings = cloudflare.get(&path).await?;
    let all = script_tags::merged(&now.tags, tags);
    if all != now.tags {
        cloudflare
            .write(Method::PATCH, &path, &json!({ "tags": all }))
            .await?;
    }
    if now.observability.enabled != observability {
        let kept = Kept {
            observability: now.observability.rest,
            ..Kept::default()
        };
        let body = json!({ "observability": kept.observability(observability) });
        cloudflare.write(Method::PATCH, &path, &body).await?;
    }
    Ok(())
}

/// Whether `workers.dev` serves the script; previews never.
pub(super) async fn workers_dev(
    cloudflare: &Cloudflare,
    script: &str,
    enabled: bool,
) -> anyhow::Result<()> {
    let path = cloudflare.of_script(script, "subdomain");
    let body = json!({ "enabled": enabled, "previews_enabled": false });
    cloudflare.write(Method::POST, &path, &body).await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http;
    use axum::response::IntoResponse;

    use serde_json::Value as Json;

    use super::*;
    use crate::cloudflare::paged::answering;

    #[tokio::test]
    async fn no_null_that_was_read_is_sent_back() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let got = Arc::clone(&sent);
        let answer = move |method: &Method, _: &http::Uri, body: &[u8]| {
            if method == Method::PATCH {
                let body: Json = serde_json::from_slice(body).unwrap();
                got.lock().unwrap().push(body);
            }
            // As recorded from the live API
            axum::Json(json!({ "success": true, "errors": null, "messages": null, "result": {
                "tags": null, "tail_consumers": null, "logpush": null,
                "observability": { "enabled": true, "head_sampling_rate": 1, "logs": { "enabled": true, "head_sampling_rate": null, "persist": null, "invocation_logs": true } },
            }}))
            .into_response()
        };
        let cloudflare = answering(answer).await;
        set(&cloudflare, "S", &["t".to_owned()].into(), false)
            .await
            .unwrap();
        assert_eq!(
            *sent.lock().unwrap(),
            [
                json!({ "tags": ["t"] }),
                json!({ "observability": { "enabled": false, "head_sampling_rate": 1, "logs": { "enabled": true, "invocation_logs": true } } }),
            ]
        );
    }
}
