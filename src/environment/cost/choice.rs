//! What else the same traffic would cost, and what it would cost if sockets were billed for what they are sent.

use serde::Serialize;

use super::bill::{Bill, Setup, Switch};
use super::traffic::Traffic;

/// Updates that an array of `POST /broadcast` holds, where a publisher collects them.
const ARRAY: u32 = 100;
/// A long window, which clients hardly notice where prices come twice a minute.
const WINDOW_MS: u64 = 1000;

/// Another way to carry the same traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// What is different.
    pub what: String,
    /// The whole bill then.
    pub dollars: f64,
}

/// What batching, shards, hibernation and logs change; only what is different from `setup`.
pub fn choices(traffic: &Traffic, setup: &Setup, max_shards: u32) -> Vec<Choice> {
    let mut found = Vec::new();
    let mut choice = |what: String, traffic: &Traffic, setup: &Setup| {
        let dollars = Bill::of(traffic, setup).dollars;
        found.push(Choice { what, dollars });
    };
    if traffic.batch < ARRAY {
        let batched = Traffic {
            batch: ARRAY,
            ..*traffic
        };
        choice(format!("publishing in arrays of {ARRAY}"), &batched, setup);
    }
    if setup.objects > 1 {
        let one = Setup {
            objects: 1,
            ..*setup
        };
        choice(
            "one object for each room, without regions".to_owned(),
            traffic,
            &one,
        );
    }
    if max_shards > setup.objects {
        let all = Setup {
            objects: max_shards,
            ..*setup
        };
        choice(
            format!("rooms so large that each fills {max_shards} objects"),
            traffic,
            &all,
        );
    }
    if setup.window_ms < WINDOW_MS {
        let wide = Setup {
            window_ms: WINDOW_MS,
            ..*setup
        };
        choice("a batch window of 1 s".to_owned(), traffic, &wide);
    }
    let (logs, turned) = match setup.logs {
        Switch::On => ("without Workers Logs", Switch::Off),
        Switch::Off => ("with Workers Logs", Switch::On),
    };
    choice(
        logs.to_owned(),
        traffic,
        &Setup {
            logs: turned,
            ..*setup
        },
    );
    let awake = Setup {
        hibernation: Switch::Off,
        ..*setup
    };
    choice("rooms that never hibernate".to_owned(), traffic, &awake);
    found
}

/// The bill as it would be if every delivery were a request to a Worker and to an object, as the first estimate of this system had
/// it: $0.15 for a million of each, and $100 for time. Cloudflare bills what comes in, and nothing that a socket is sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Naive {
    /// Frames that sockets are sent in a month, if all users are there all day.
    pub deliveries: f64,
    pub dollars: f64,
}

impl Naive {
    /// Of so much traffic.
    pub fn of(traffic: &Traffic) -> Self {
        let of_one_socket = Traffic {
            tokens: 1,
            ..*traffic
        }
        .updates();
        let sockets = f64::from(traffic.users) * f64::from(traffic.tokens_per_user);
        let deliveries = sockets * of_one_socket;
        Self {
            deliveries,
            dollars: deliveries * 2.0 * 0.15 / 1e6 + 100.0,
        }
    }
}
