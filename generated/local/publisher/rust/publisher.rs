//! Generated from environments/local.toml: publishes updates; the README of the folder above says how.

pub(crate) mod credentials;
mod edge;
mod report;
pub(crate) mod update;

use std::mem;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use credentials::Credentials;
pub use edge::Edge;
pub use report::Report;
use update::Item;

const URL: &str = "https://broadcast.glow.localhost";
/// As the manifest has it.
pub const MODE: &str = "edge";
const PERCENT: u32 = 0;
const CREDENTIALS: &str = "bearer";
/// Updates in one request: it has room for so many that are as large as they may be.
const BATCH: usize = 63;

/// Publishes to the edge, and through `queue` to what there was before it.
pub struct Publisher<Q> {
    /// In the mode `edge` it gets what fails to reach the edge.
    pub queue: Option<Q>,
    pub edge: Edge,
    pub mode: &'static str,
    /// Of a call of `publish`.
    pub deadline: Duration,
    /// Gets what the mode `dual` compares.
    pub log: fn(Value),
}

impl<Q: AsyncFn(Vec<Value>) -> Result<()>> Publisher<Q> {
    /// As the environment says: `Publisher::new(MODE, |name| std::env::var(name).ok(), Some(queue))`.
    ///
    /// # Errors
    /// The mode needs a secret or a queue, and there is none.
    pub fn new(
        mode: &'static str,
        variable: impl Fn(&str) -> Option<String>,
        queue: Option<Q>,
    ) -> Result<Self> {
        let uses_edge = variable("USE_EDGE_BROADCAST").is_some_and(|value| value == "true");
        let mode = if uses_edge { mode } else { "sqs" };
        if mode != "edge" && queue.is_none() {
            bail!("the mode `{mode}` needs a queue (others need `USE_EDGE_BROADCAST=true`)");
        }
        let url = variable("EDGE_BROADCAST_URL").filter(|url| !url.is_empty());
        let secret = variable("EDGE_BROADCAST_SECRET").unwrap_or_default();
        let credentials = match mode {
            "sqs" => Credentials::None,
            _ => Credentials::new(CREDENTIALS, secret.trim())?,
        };
        Ok(Self {
            queue,
            edge: Edge::new(url.as_deref().unwrap_or(URL), credentials)?,
            mode,
            deadline: Duration::from_millis(900),
            log: |line| println!("{line}"),
        })
    }

    /// Sends updates, JSON objects that have a `token`, where the mode says.
    ///
    /// # Errors
    /// The report, where some failed. The call may be made again: the edge delivers nothing twice.
    pub async fn publish(&self, updates: &[Value]) -> Result<Report, Report> {
        let (end, mut report) = (Instant::now() + self.deadline, Report::default());
        let percent = match self.mode {
            "sqs" => 0,
            "percent" => PERCENT,
            _ => 100,
        };
        let items = update::items(updates, &mut report).into_iter();
        let (to_edge, others): (Vec<Item>, Vec<Item>) =
            items.partition(|item| item.is_within(percent));
        let is_dual = self.mode == "dual";
        let to_queue = if is_dual { &to_edge } else { &others }.iter();
        let mut to_queue: Vec<Value> = to_queue.map(|item| item.update.clone()).collect();
        let falls_back = self.mode == "edge" && self.queue.is_some();
        // A queue that gets what failed needs time too
        let spare = self.deadline / 3 * u32::from(falls_back);
        let at_edge = self.edge.send(&to_edge, BATCH, end - spare);
        let (results, mut queued) = tokio::join!(at_edge, self.enqueue(&to_queue, end));
        report.count(&to_edge, &results);
        if falls_back && !report.failed.is_empty() {
            let failed = mem::take(&mut report.failed).into_iter();
            to_queue = failed.map(|(update, _)| update).collect();
            queued = self.enqueue(&to_queue, end).await;
        }
        if is_dual {
            (self.log)(report.compare(to_queue.len(), &queued));
        }
        match queued {
            Ok(()) => report.queued = to_queue.len(),
            Err(_) if is_dual => {}
            Err(why) => {
                let failed = to_queue.into_iter().map(|update| (update, why.clone()));
                report.failed.extend(failed);
            }
        }
        report.done()
    }

    async fn enqueue(&self, updates: &[Value], end: Instant) -> Result<(), String> {
        let Some(queue) = self.queue.as_ref().filter(|_| !updates.is_empty()) else {
            return Ok(());
        };
        let sent = timeout_at(end, queue(updates.to_vec())).await;
        let sent = sent.context("it took too long").flatten();
        sent.map_err(|error| format!("the queue: {error:#}"))
    }
}
