//! Proves from outside which values the gateway accepts: publishes through the real route, into a room that no client sees.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;

use crate::environment::Environment;
use crate::secret::Value;
use crate::site::Site;
use crate::verify::publish;

/// How long a change may take to reach the place that answers us.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers in a row that make a proof: versions change over place by place, and one place may answer with both for a moment.
const PROOF: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// What the gateway makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    Refused,
}

/// Asks once, or a few times where the answer is neither.
pub async fn ask(site: &Site, environment: &Environment, value: &Value) -> anyhow::Result<Answer> {
    let until = Instant::now() + PATIENCE;
    loop {
        match once(site, environment, value).await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits until the gateway answers `value` with `wanted`, several times in a row.
pub async fn prove(
    site: &Site,
    environment: &Environment,
    value: &Value,
    wanted: Answer,
) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut in_a_row = 0;
    loop {
        let answer = once(site, environment, value).await;
        in_a_row = match &answer {
            Ok(answer) if *answer == wanted => in_a_row + 1,
            _ => 0,
        };
        if in_a_row == PROOF {
            return Ok(());
        }
        if in_a_row == 0 {
            if Instant::now() > until {
                answer?;
                bail!(
                    "the gateway still {} it after {}",
                    match wanted {
                        Answer::Accepted => "refuses",
                        Answer::Refused => "accepts",
                    },
                    humantime::format_duration(PATIENCE)
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn once(site: &Site, environment: &Environment, value: &Value) -> anyhow::Result<Answer> {
    let token = format!("edge-broadcast-rotate-{:016x}", rand::random::<u64>());
    let body = json!({ "type": "EDGE_BROADCAST_VERIFY", "token": token }).to_string();
    let (status, _) = publish(site, environment, &token, Some(value), body)
        .await
        .context("publishing as a sender would")?;
    match status {
        200 => Ok(Answer::Accepted),
        403 => Ok(Answer::Refused),
        status => bail!("a publish was answered with {status}"),
    }
}
