//! Zone routes: added and removed, and taken from no script but the one that is named.

use reqwest::Method;
use serde_json::json;

use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::overtaken::taken;
use crate::cloudflare::{observe, once};

/// Routes `pattern` to `script`.
pub(super) async fn add(
    cloudflare: &Cloudflare,
    zone: &str,
    pattern: &str,
    script: &str,
) -> anyhow::Result<()> {
    let zone = observe::zone_id(cloudflare, zone).await?;
    let path = format!("/zones/{zone}/workers/routes");
    let body = json!({ "pattern": pattern, "script": script });
    let add = async || cloudflare.post_once(&path, &body).await;
    let added = async || {
        let routes = observe::routes(cloudflare, &zone).await?;
        match routes.into_iter().find(|route| route.is_for(pattern)) {
            None => Ok(None),
            Some(route) if route.script.as_deref() == Some(script) => Ok(Some(())),
            Some(route) => Err(taken(&format!("the route `{pattern}`"), route.script)),
        }
    };
    match added().await? {
        Some(()) => Ok(()),
        None => once::send(add, added).await,
    }
}

/// Gives the route `id` of `from` to `script`, in place.
pub(super) async fn hand_over(
    cloudflare: &Cloudflare,
    zone: &str,
    (id, pattern): (&str, &str),
    from: &str,
    script: &str,
) -> anyhow::Result<()> {
    let zone = observe::zone_id(cloudflare, zone).await?;
    let routes = observe::routes(cloudflare, &zone).await?;
    let route = routes.into_iter().find(|route| route.id == id);
    let owner = route.and_then(|route| route.script);
    match owner.as_deref() {
        Some(owner) if owner == script => Ok(()),
        Some(owner) if owner == from => {
            let path = format!("/zones/{zone}/workers/routes/{id}");
            let body = json!({ "pattern": pattern, "script": script });
            cloudflare.write(Method::PUT, &path, &body).await
        }
        _ => Err(taken(&format!("the route `{pattern}`"), owner)),
    }
}

/// Removes the route `id` of the zone with the id `zone`, unless it is another script's by now.
pub(super) async fn remove(
    cloudflare: &Cloudflare,
    zone: &str,
    (id, pattern): (&str, &str),
    script: &str,
) -> anyhow::Result<()> {
    let routes = observe::routes(cloudflare, zone).await?;
    match routes.into_iter().find(|route| route.id == id) {
        None => Ok(()),
        Some(route) if route.script.as_deref() == Some(script) => {
            let path = format!("/zones/{zone}/workers/routes/{id}");
            cloudflare.delete(&path).await
        }
        Some(route) => Err(taken(&format!("the route `{pattern}`"), route.script)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, StatusCode, Uri};
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;
    use crate::cloudflare::paged::answering;

    #[tokio::test]
    async fn a_route_that_is_there_in_other_letters_is_not_made_twice() {
        let cloudflare = answering(|method: &Method, uri: &Uri, _: &[u8]| {
            let result = match (method.as_str(), uri.path()) {
                ("GET", "/zones") => json!([{ "id": "z1", "name": "glow.trade" }]),
                ("GET", "/zones/z1/workers/routes") => {
                    json!([{ "id": "r1", "pattern": "W.Glow.trade/*", "script": "w-e" }])
                }
                _ => return StatusCode::CONFLICT.into_response(),
            };
            let answer = json!({ "success": true, "errors": [], "messages": [], "result": result });
            axum::Json(answer).into_response()
        })
        .await;
        let add = add(&cloudflare, "glow.trade", "w.glow.trade/*", "w-e");
        add.await.unwrap();
    }
}
