//! What was read of lists, for a command that only reads: the environments of one run share those of their account and their zone.
//!
//! Whatever writes looks again each time. A client gets these only where it is asked for them, and forgets them with the first call
//! that is no GET.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

use super::envelope::Info;

/// A page: its items, and what the API tells about its list.
pub(super) type Page = (Json, Option<Info>);

/// The pages that were read, by path. Clones share them; all are of one API and one credential, as those of a process are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists(Arc<Mutex<BTreeMap<String, Page>>>);

impl Lists {
    pub(super) fn get(&self, path: &str) -> Option<Page> {
        self.pages().get(path).cloned()
    }

    pub(super) fn keep(&self, path: &str, page: &Page) {
        self.pages().insert(path.to_owned(), page.clone());
    }

    pub(super) fn forget(&self) {
        self.pages().clear();
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::{Method, StatusCode, Uri};
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::super::paged::answering;
    use super::*;
    use crate::cloudflare::Cloudflare;

    /// An account whose every answer is the number of calls that it got.
    async fn counting() -> Cloudflare {
        let calls = Arc::new(AtomicUsize::new(0));
        answering(move |_: &Method, _: &Uri, _: &[u8]| {
            let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
            axum::Json(json!({ "success": true, "result": [call] })).into_response()
        })
        .await
    }

    async fn read(cloudflare: &Cloudflare, path: &str) -> u64 {
        let (items, _) = cloudflare.get_page(path).await.unwrap();
        items[0].as_u64().unwrap()
    }

    #[tokio::test]
    async fn a_list_is_read_once_by_all_that_share_what_was_read_until_something_is_written() {
        let writer = counting().await;
        let lists = Lists::default();
        let (one, other) = (
            writer.clone().sharing(&lists),
            writer.clone().sharing(&lists),
        );
        assert_eq!(read(&one, "/list").await, 1);
        assert_eq!(read(&other, "/list").await, 1);
        assert_eq!(read(&other, "/list?page=2").await, 2);
        // Who does not share them reads again, each time
        assert_eq!(read(&writer, "/list").await, 3);
        assert_eq!(read(&writer, "/list").await, 4);
        one.write(Method::PUT, "/thing", &json!({})).await.unwrap();
        assert_eq!(read(&other, "/list").await, 6);
    }

    #[tokio::test]
    async fn what_could_not_be_read_is_asked_for_again() {
        let cloudflare = answering(|_: &Method, _: &Uri, _: &[u8]| {
            (StatusCode::FORBIDDEN, "no").into_response()
        });
        let lists = Lists::default();
        let cloudflare = cloudflare.await.sharing(&lists);
        cloudflare.get_page("/list").await.unwrap_err();
        assert!(lists.get("/list").is_none());
    }
}
