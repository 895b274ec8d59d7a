//! A sender that publishes at a fixed rate with whatever key its file holds, and a client that resumes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edge_broadcast::live::site::{Handshake, Site, next_frame};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

/// A sender at work.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<(u64, u16)>>,
    period: Duration,
    began: Instant,
}

impl Publisher {
    /// Publishes `{"n": 1}`, `{"n": 2}`, … to the room `SOL`, ten times a second.
    pub(crate) fn start(site: Site, key: PathBuf) -> Self {
        Self::every(Duration::from_millis(100), site, key)
    }

    /// Each publish is sent on its tick, whether the ones before are answered or not.
    pub(crate) fn every(period: Duration, site: Site, key: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
            let mut publishes = JoinSet::new();
            for n in 1.. {
                ticks.tick().await;
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (site, key) = (site.clone(), key.clone());
                publishes.spawn(async move { (n, publish(&site, &key, n).await) });
            }
            let mut answers = publishes.join_all().await;
            answers.sort_unstable();
            answers
        });
        Self {
            stop,
            task,
            period,
            began: Instant::now(),
        }
    }

    /// Every publish so far: its number, and the status of its answer.
    pub(crate) async fn stop(self) -> Vec<(u64, u16)> {
        let ticks = self.began.elapsed().div_duration_f64(self.period);
        self.stop.store(true, Ordering::SeqCst);
        let answers = self.task.await.unwrap();
        let made = answers.len();
        assert!(
            made as f64 >= 0.9 * ticks,
            "{made} publishes in {ticks:.1} ticks"
        );
        answers
    }
}

async fn publish(site: &Site, key: &PathBuf, n: u64) -> u16 {
    let key = std::fs::read_to_string(key).unwrap();
    let body = json!({ "type": "PRICE_UPDATE", "n": n }).to_string();
    let authorization = [("authorization", format!("Bearer {key}"))];
    let answer = site.post("/broadcast/SOL", &authorization, body).await;
    answer.unwrap().0
}

/// A client of the room `SOL` that reconnects where it left off.
pub(crate) struct Client {
    task: JoinHandle<BTreeSet<u64>>,
}

impl Client {
    /// Receives until it has had the update number `last.get()`, which is set at the end.
    pub(crate) fn start(site: Site, last: tokio::sync::watch::Receiver<Option<u64>>) -> Self {
        Self {
            task: tokio::spawn(receive(site, last)),
        }
    }

    pub(crate) async fn received(self) -> BTreeSet<u64> {
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .expect("the last update arrives")
            .unwrap()
    }
}

async fn receive(site: Site, last: tokio::sync::watch::Receiver<Option<u64>>) -> BTreeSet<u64> {
    let mut received = BTreeSet::new();
    let mut position = String::new();
    loop {
        let path = format!("/ws/SOL{position}");
        let opened = site.socket(&path, Some("https://app.glow.trade")).await;
        let Ok(Handshake::Open(mut socket)) = opened else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while let Ok(frame) = next_frame(&mut socket).await {
            let updates = match frame["type"].as_str() {
                Some("connected") => {
                    // The sandbox restarts the room with the gateway. To the room that is a crash, after which its numbering
                    // begins anew: then the newest update comes as the snapshot
                    received.extend(frame["snapshot"]["n"].as_u64());
                    position = format!(
                        "?since={}&epoch={}",
                        frame["seq"],
                        frame["epoch"].as_str().unwrap()
                    );
                    continue;
                }
                Some("BATCH_UPDATE") => frame["updates"].as_array().unwrap().clone(),
                _ => vec![frame],
            };
            for update in updates {
                received.extend(update["n"].as_u64());
                position = format!(
                    "?since={}&epoch={}",
                    update["seq"],
                    update["epoch"].as_str().unwrap_or_default()
                );
            }
            if last.borrow().is_some_and(|last| received.contains(&last)) {
                return received;
            }
        }
    }
}

/// The publishes that were not taken.
pub(crate) fn refused(answers: &[(u64, u16)]) -> Vec<(u64, u16)> {
    answers
        .iter()
        .copied()
        .filter(|(_, status)| *status != 200)
        .collect()
}
