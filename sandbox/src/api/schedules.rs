//! The cron triggers of a script. They are kept and shown; the sandbox does not run them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::context::{Shared, read, stamp};
use crate::account::script::{Schedule, Script};
use crate::api::envelope::{Answer, result};

const PATH: &str = "/accounts/{account}/workers/scripts/{script}/schedules";

/// The calls of this product.
pub(super) fn calls() -> Vec<Call> {
    vec![call::get(PATH, get), call::put(PATH, replace)]
}

fn shown(script: &Script) -> Value {
    json!({"schedules": script.schedules})
}

async fn get(State(context): Shared, Path((account, name)): Path<(String, String)>) -> Answer {
    result(shown(context.engine.state().script(&account, &name)?))
}

#[derive(Deserialize)]
struct Wanted {
    cron: String,
}

/// A full replace. A trigger that was there before keeps its age.
async fn replace(
    State(context): Shared,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let wanted: Vec<Wanted> = read(&body)?;
    let now = stamp(&headers).now;
    let edit = move |state: &mut crate::account::state::State| {
        let script = state.script_mut(&account, &name)?;
        let before = std::mem::take(&mut script.schedules);
        let schedule = |wanted: Wanted| {
            let known = before.iter().find(|known| known.cron == wanted.cron);
            known.cloned().unwrap_or_else(|| Schedule {
                cron: wanted.cron,
                created_on: now.clone(),
                modified_on: now.clone(),
            })
        };
        script.schedules = wanted.into_iter().map(schedule).collect();
        Ok(shown(script))
    };
    result(context.engine.change(edit).await?)
}
