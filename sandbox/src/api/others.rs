//! Products of which an account of the sandbox never has anything: empty lists, each in its product's own shape.

use axum::extract::Query;
use serde_json::json;

use super::endpoint::{ACCOUNT, Endpoint, SCRIPT, WORKERS, get};
use super::envelope::{self, Answer, result};
use super::paging::{Asked, OTHERS, Pages};

/// The endpoints of these products.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(ACCOUNT, "/storage/kv/namespaces", paged),
        get(ACCOUNT, "/queues", paged),
        get(SCRIPT, "/queue-consumers", paged),
        get(ACCOUNT, "/secrets_store/stores", paged),
        get(ACCOUNT, "/r2/buckets", buckets),
        get(ACCOUNT, "/containers/applications", whole),
        get(ACCOUNT, "/containers/dash/applications", whole),
        get(WORKERS, "/tails/by-consumer/{script}", whole),
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
