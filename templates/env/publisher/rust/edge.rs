//! Requests to the gateway: updates in as few as may be, and again where that may help.

use std::time::Duration;

use anyhow::Result;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::credentials::Credentials;
use super::update::Item;

pub struct Edge {
    pub http: Client,
    pub(crate) url: String,
    pub(crate) credentials: Credentials,
}

impl Edge {
    pub(crate) fn new(url: &str, credentials: Credentials) -> Result<Self> {
        Ok(Self {
            // A redirect would turn a publish into a question, elsewhere
            http: Client::builder().redirect(Policy::none()).build()?,
            url: format!("{}/broadcast", url.trim_end_matches('/')),
            credentials,
        })
    }

    /// Publishes items, at most so many in a request; the results in order. What may fare better is sent again while
    /// there is time: after a random pause, or as late as was advised.
    pub(crate) async fn send(&self, items: &[Item<'_>], most: usize, end: Instant) -> Vec<Value> {
        let mut results = vec![Value::Null; items.len()];
        let mut open: Vec<usize> = (0..items.len()).collect();
        for tries in 0.. {
            for batch in open.chunks(most) {
                let texts: Vec<&str> = batch.iter().map(|at| items[*at].text.as_str()).collect();
                let body = format!("[{}]", texts.join(","));
                for (at, result) in batch.iter().zip(self.post(body, batch.len(), end).await) {
                    results[*at] = result;
                }
            }
            open.retain(|at| may_fare_better(&results[*at]));
            let advised = open.iter().map(|at| results[*at]["retry_after"].as_u64());
            let advised = Duration::from_secs(advised.flatten().max().unwrap_or(0));
            let pause = rand::random_range(0..=400.min(50 << tries.min(3)));
            let pause = Duration::from_millis(pause).max(advised);
            if open.is_empty() || Instant::now() + pause >= end {
                break;
            }
            sleep(pause).await;
        }
        results
    }

    /// The results of one request of so many items; where there are none, what there is for each.
    async fn post(&self, body: String, items: usize, end: Instant) -> Vec<Value> {
        let left = end.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(10));
        let request = self.http.post(&self.url).timeout(left);
        let one = match answer(self.credentials.of(request, &body).body(body)).await {
            Ok((status, advised, mut found)) => match found["results"].take() {
                Value::Array(results) if results.len() == items => return results,
                // Without results it is no success, whatever it says
                _ => {
                    json!({ "status": status.max(300), "retry_after": advised, "error": found["error"] })
                }
            },
            Err(error) if error.is_timeout() => {
                json!({ "status": 0, "error": { "code": "timeout" } })
            }
            Err(_) => json!({ "status": 0, "error": { "code": "unreachable" } }),
        };
        vec![one; items]
    }
}

async fn answer(request: RequestBuilder) -> reqwest::Result<(u16, u64, Value)> {
    let answer = request.send().await?;
    let advised = answer.headers().get(RETRY_AFTER);
    let advised = advised.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let (status, body) = (answer.status().as_u16(), answer.bytes().await?);
    let found = serde_json::from_slice(&body).ok().filter(Value::is_object);
    Ok((status, advised.unwrap_or(0), found.unwrap_or(json!({}))))
}

/// There was no answer, or it was: sign it anew, or not now.
fn may_fare_better(result: &Value) -> bool {
    matches!(result["status"].as_u64(), Some(0 | 401 | 429 | 500..))
}
