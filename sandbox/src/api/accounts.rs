//! Who the token is, and the accounts it opens.

use axum::extract::Query;
use serde_json::{Value, json};

use super::call::Call;
use super::context::ACCOUNT;
use super::envelope::{self, Answer, result};
use super::paging::{Asked, FEW, Pages};
use crate::account::stamp::ALWAYS;

pub(super) async fn verify() -> Answer {
    result(json!({"id": "5a2db0c5a2db0c5a2db0c5a2db0c5a2e", "status": "active"}))
}

pub(super) async fn user() -> Answer {
    result(json!({"id": "sandbox", "email": "sandbox@localhost"}))
}

/// The token's own account. Calls may name any other one too.
pub(super) async fn accounts(Query(asked): Query<Asked>) -> Answer {
    let page = asked.page(FEW)?;
    envelope::page(vec![shown(ACCOUNT)], page, Pages::Counted)
}

pub(super) async fn account(call: Call) -> Answer {
    result(shown(&call.account))
}

fn shown(account: &str) -> Value {
    json!({
        "id": account, "name": "sandbox", "type": "standard", "created_on": ALWAYS,
        "settings": {"enforce_twofactor": false},
    })
}

pub(super) async fn memberships(Query(asked): Query<Asked>) -> Answer {
    let page = asked.page(FEW)?;
    let membership = json!({
        "id": "sandbox", "status": "accepted", "account": shown(ACCOUNT), "roles": [],
    });
    envelope::page(vec![membership], page, Pages::Counted)
}
