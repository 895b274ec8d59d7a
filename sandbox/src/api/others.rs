//! Products of which an account of the sandbox never has anything: empty lists, each in its product's own shape.

use axum::extract::Query;
use serde_json::json;

use super::call::{self, Call};
use crate::api::envelope::{self, Answer, result};
use crate::api::paging::{Asked, OTHERS, Pages};

/// The calls of these products.
pub(super) fn calls() -> Vec<Call> {
    vec![
        call::get("/accounts/{account}/storage/kv/namespaces", paged),
        call::get("/accounts/{account}/queues", paged),
        call::get(
            "/accounts/{account}/workers/scripts/{script}/queue-consumers",
            paged,
        ),
        call::get("/accounts/{account}/secrets_store/stores", paged),
        call::get("/accounts/{account}/r2/buckets", buckets),
        call::get("/accounts/{account}/containers/applications", whole),
        call::get("/accounts/{account}/containers/dash/applications", whole),
        call::get(
            "/accounts/{account}/workers/tails/by-consumer/{script}",
            whole,
        ),
    ]
}

async fn paged(Query(asked): Query<Asked>) -> Answer {
    envelope::page(Vec::new(), asked.page(OTHERS)?, Pages::Counted)
}

async fn whole() -> Answer {
    envelope::list([])
}

/// An object with a list in it (SDK, `BucketListResponse`).
async fn buckets() -> Answer {
    result(json!({"buckets": []}))
}
