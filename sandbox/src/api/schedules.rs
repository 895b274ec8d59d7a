//! The cron triggers of a script. They are kept and shown; the sandbox does not run them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Sent};
use super::envelope::{Answer, result};
use crate::account::script::{Schedule, Script};

fn shown(script: &Script) -> Value {
    json!({"schedules": script.schedules})
}

pub(super) async fn get(call: Call) -> Answer {
    result(shown(call.script(&call.state())?))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    cron: String,
}

/// A full replace. A trigger that was there before keeps its age.
pub(super) async fn replace(call: Call, Sent(wanted): Sent<Vec<Wanted>>) -> Answer {
    let replaced = call.change_script(move |script, stamp| {
        let before = std::mem::take(&mut script.schedules);
        let schedule = |wanted: Wanted| {
            let known = before.iter().find(|known| known.cron == wanted.cron);
            known.cloned().unwrap_or_else(|| Schedule {
                cron: wanted.cron,
                created_on: stamp.now.clone(),
                modified_on: stamp.now.clone(),
            })
        };
        script.schedules = wanted.into_iter().map(schedule).collect();
        Ok(shown(script))
    });
    result(replaced.await?)
}
