//! Which versions of a script get the traffic.

use serde_json::json;

use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::error::{ApiError, MayBeDone};
use crate::cloudflare::overtaken::{self, Overtaken};
use crate::cloudflare::{observe, once};
use crate::environment::CodeUpdateStrategy;
use crate::plan::Split;

/// A change of a script's split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) script: &'a str,
    /// The version that gets a share.
    pub(crate) to: &'a str,
    /// The wanted split.
    pub(crate) split: &'a Split,
    /// The split that this one replaces. Any other one is somebody else's.
    pub(crate) before: &'a Split,
    pub(crate) message: &'a str,
    pub(crate) code_update: CodeUpdateStrategy,
    /// Whether to repeat with `force` what is refused with 10220, because a secret changed since.
    pub(crate) secrets: OldSecrets,
}

/// Whether a version may come back with the secrets that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldSecrets {
    Refuse,
    Accept,
}

/// Changes the split, unless it is another one by now than the one to replace.
pub(crate) async fn shift(cloudflare: &Cloudflare, wanted: Change<'_>) -> anyhow::Result<()> {
    let script = wanted.script;
    let body = json!({
        "strategy": "percentage",
        "versions": wanted.split.sent(),
        "annotations": { "workers/message": wanted.message },
        "code_update_strategy": wanted.code_update,
    });
    let path = cloudflare.of_script(script, "deployments");
    let reached = async || -> anyhow::Result<Option<()>> {
        let now = observe::split(cloudflare, script).await?;
        let serving = |split: &Split| split.without_idle(wanted.to);
        if now.is_same(wanted.split) {
            Ok(Some(()))
        } else if serving(&now).is_same(&serving(wanted.before)) {
            Ok(None)
        } else {
            Err(overtaken::deployed(script, &now))
        }
    };
    if reached().await?.is_some() {
        return Ok(());
    }
    let send = async || match cloudflare.post_once(&path, &body).await {
        // Not at once: what else it makes the API overlook is documented nowhere
        Err(error) if wanted.secrets == OldSecrets::Accept && is_secret_change(&error) => {
            let forced = format!("{path}?force=true");
            cloudflare.post_once(&forced, &body).await
        }
        result => result,
    };
    once::send(send, &reached).await?;
    match reached().await? {
        Some(()) => Ok(()),
        None => {
            let what = format!("`{script}` was given another split in the same moment");
            Err(anyhow::Error::from(Overtaken::new(what)).context(MayBeDone::Accepted))
        }
    }
}

/// Whether a split was refused because a secret changed since the version that is to come back.
pub(crate) fn is_secret_change(error: &anyhow::Error) -> bool {
    error
        .downcast_ref()
        .is_some_and(|error: &ApiError| error.is(&[10220]))
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::http::{Method, StatusCode};
    use axum::response::IntoResponse;

    use super::*;
    use crate::cloudflare::error::was_not_made;
    use crate::cloudflare::paged;

    /// What comes of giving `two` all traffic, where a POST is answered with `status`, and a GET shows `one` whatever was sent.
    async fn shifted(status: StatusCode) -> anyhow::Error {
        let answer = move |method: &Method, _: &_, _: &[u8]| {
            let one = json!({ "version_id": "one", "percentage": 100 });
            let deployment = json!({ "id": "d", "versions": [one] });
            let refused = [json!({ "code": 10021, "message": "no such version" })];
            match *method {
                Method::GET => {
                    let result = json!({ "deployments": [deployment] });
                    Json(json!({ "success": true, "errors": [], "messages": [], "result": result }))
                        .into_response()
                }
                _ if status.is_success() => Json(
                    json!({ "success": true, "errors": [], "messages": [], "result": deployment }),
                )
                .into_response(),
                _ => {
                    let body = json!({ "success": false, "errors": refused, "messages": [], "result": null });
                    (status, Json(body)).into_response()
                }
            }
        };
        let cloudflare = paged::answering(answer).await;
        let [before, split] = ["one", "two"].map(Split::all);
        let change = Change {
            script: "s",
            to: "two",
            split: &split,
            before: &before,
            message: "",
            code_update: CodeUpdateStrategy::DEFAULT,
            secrets: OldSecrets::Refuse,
        };
        shift(&cloudflare, change).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_the_api_accepted_is_not_taken_for_not_done_when_the_state_before_is_read() {
        let stale = shifted(StatusCode::OK).await;
        assert_eq!(
            format!("{stale:#}"),
            "the API accepted it, and shows another state than that: `s` was given another split in the same moment"
        );
        assert!(stale.is::<Overtaken>() && !was_not_made(&stale));
        assert!(was_not_made(&shifted(StatusCode::BAD_REQUEST).await));
    }
}
