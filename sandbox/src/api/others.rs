//! Products of which an account of the sandbox never has anything: empty lists, each in its product's own shape.

use axum::extract::Query;
use serde_json::json;

use super::envelope::{self, Answer, result};
use super::paging::{Asked, OTHERS, Pages};

pub(super) async fn paged(Query(asked): Query<Asked>) -> Answer {
    envelope::page(Vec::new(), asked.page(OTHERS)?, Pages::Counted)
}

pub(super) async fn whole() -> Answer {
    envelope::list([])
}

/// An object with a list in it (SDK, `BucketListResponse`).
pub(super) async fn buckets() -> Answer {
    result(json!({"buckets": []}))
}
