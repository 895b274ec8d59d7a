//! Certificate packs of a zone.

use axum::extract::Query;

use super::call::{Call, Sent};
use super::envelope::{self, Answer, result};
use super::paging::{Asked, FEW, Pages};
use crate::account::certificate::{self, Order, of_zone, shown};

/// All are active, so that `status=all` shows no more.
pub(super) async fn list(call: Call, Query(asked): Query<Asked>) -> Answer {
    let packs = of_zone(&call.state(), &call.account, &call.zone);
    envelope::page(packs, asked.page(FEW)?, Pages::Counted)
}

pub(super) async fn order(call: Call, Sent(given): Sent<Order>) -> Answer {
    let made = call.change(|state, call| certificate::order(state, &call.zone, given, &call.stamp));
    result(shown(&made.await?, "advanced"))
}
