//! The Durable Objects of an environment: its namespaces, and what is in them. Sends nothing but GETs.

use anyhow::ensure;
use serde::Serialize;

use super::client::Cloudflare;
use super::envelope::{Call, decode_list};
use super::namespaces;
use super::path::with_query;
use super::wire::Object;

/// The most that the API gives at once (docs: Cloudflare API, "List Objects").
const PER_CALL: &str = "10000";
/// So many calls at most: a million objects, in a twelfth of the calls that a user has in five minutes.
const MOST_CALLS: usize = 100;

/// A namespace: the objects of one class.
#[derive(Debug, Serialize)]
pub(crate) struct Namespace {
    pub(crate) id: String,
    pub(crate) class: String,
    /// How many objects there are, and how many of them have stored something.
    pub(crate) objects: usize,
    pub(crate) stored: usize,
    /// False where there are more than were counted.
    pub(crate) complete: bool,
    /// The first ones, in the API's order.
    pub(crate) listed: Vec<Listed>,
}

/// One object. Its id is a hash of its name, made with a key that only Cloudflare has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) stored: bool,
}

/// The namespaces of a script, each with its first `limit` objects.
pub(crate) async fn of_script(
    cloudflare: &Cloudflare,
    script: &str,
    limit: usize,
) -> anyhow::Result<Vec<Namespace>> {
    let mut found = Vec::new();
    for namespace in namespaces::all(cloudflare).await? {
        if namespace.script.as_deref() != Some(script) {
            continue;
        }
        let mut counted = Namespace {
            id: namespace.id,
            class: namespace.class.unwrap_or_default(),
            objects: 0,
            stored: 0,
            complete: false,
            listed: Vec::new(),
        };
        count(cloudflare, &mut counted, limit).await?;
        found.push(counted);
    }
    Ok(found)
}

/// Reads the objects, cursor by cursor.
async fn count(
    cloudflare: &Cloudflare,
    namespace: &mut Namespace,
    limit: usize,
) -> anyhow::Result<()> {
    let path = format!(
        "workers/durable_objects/namespaces/{}/objects",
        namespace.id
    );
    let path = cloudflare.of_account(&path);
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_CALLS {
        let mut pairs = vec![("limit", PER_CALL)];
        pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = with_query(&path, &pairs);
        let (result, info) = cloudflare.get_page(&page).await?;
        let objects: Vec<Object> = decode_list(Call::get(&page), result)?;
        let next = info.and_then(|info| info.cursor);
        ensure!(
            next.is_none() || next != cursor,
            "the list `{path}` does not go on: it gives the same cursor again"
        );
        namespace.objects += objects.len();
        namespace.stored += objects.iter().filter(|it| it.has_stored_data).count();
        let wanted = limit.saturating_sub(namespace.listed.len());
        let listed = objects.into_iter().take(wanted).map(|object| Listed {
            id: object.id,
            stored: object.has_stored_data,
        });
        namespace.listed.extend(listed);
        if next.is_none() {
            namespace.complete = true;
            return Ok(());
        }
        cursor = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Uri};
    use axum::response::IntoResponse;
    use serde_json::{Value as Json, json};

    use super::super::paged::answering;
    use super::*;

    fn page(objects: &Json, info: &Json) -> axum::response::Response {
        axum::Json(json!({ "success": true, "result": objects, "result_info": info }))
            .into_response()
    }

    async fn listed(
        pages: impl Fn(&str) -> (Json, Json) + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Vec<Namespace>> {
        let cloudflare = answering(move |_: &Method, uri: &Uri, _: &[u8]| {
            if !uri.path().ends_with("/objects") {
                let of = |id, script, class| json!({ "id": id, "script": script, "class": class });
                let all = json!([of("n1", "room", "Room"), of("n2", "other", "Other")]);
                return page(&all, &Json::Null);
            }
            assert!(uri.path().ends_with("/namespaces/n1/objects"), "{uri}");
            let (objects, info) = pages(uri.query().unwrap());
            page(&objects, &info)
        })
        .await;
        of_script(&cloudflare, "room", 2).await
    }

    #[tokio::test]
    async fn all_objects_are_counted_cursor_by_cursor_and_the_first_ones_listed() {
        let found = listed(|query| match query {
            "limit=10000" => (
                json!([{ "id": "a", "hasStoredData": true }]),
                json!({ "cursors": { "after": "x/y=" } }),
            ),
            "limit=10000&cursor=x%2Fy%3D" => (
                json!([{ "id": "b" }, { "id": "c", "hasStoredData": true }]),
                json!({ "cursor": "z" }),
            ),
            "limit=10000&cursor=z" => (json!([]), json!({ "cursor": "", "count": 0 })),
            other => panic!("{other}"),
        });
        let found = found.await.unwrap();
        assert_eq!(
            json!(found),
            json!([{
                "id": "n1", "class": "Room", "objects": 3, "stored": 2, "complete": true,
                "listed": [{ "id": "a", "stored": true }, { "id": "b", "stored": false }],
            }])
        );
    }

    #[tokio::test]
    async fn a_list_that_does_not_go_on_is_an_error_and_one_without_an_end_is_not_read_to_it() {
        let stuck = listed(|_| (json!([]), json!({ "cursor": "x" })));
        assert_eq!(
            stuck.await.unwrap_err().to_string(),
            "the list `/accounts/acc0/workers/durable_objects/namespaces/n1/objects` does not go on: it gives the same cursor again"
        );
        let endless = listed(|query| {
            let last: usize = query.rsplit('=').next().unwrap().parse().unwrap();
            (
                json!([{ "id": "o" }]),
                json!({ "cursor": (last + 1).to_string() }),
            )
        });
        let found = endless.await.unwrap();
        assert_eq!((found[0].objects, found[0].complete), (MOST_CALLS, false));
    }
}
