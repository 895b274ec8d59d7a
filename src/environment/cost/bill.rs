//! A month's bill, line by line. What sockets are sent is in none of the lines: it is free.

use serde::Serialize;

use super::price::{Price, Prices};
use super::traffic::Traffic;
use crate::environment::Environment;

/// A month of 30 days, in seconds.
const MONTH_S: f64 = 30.0 * 24.0 * 3600.0;
/// Memory with which an object that is awake is billed, in GB.
const OBJECT_GB: f64 = 0.128;
/// How long a call keeps an object awake, in seconds: it hibernates some milliseconds after the answer.
const AWAKE_S: f64 = 0.05;
/// CPU of the gateway for one request, in milliseconds.
const CPU_MS: f64 = 1.0;
/// A room stores where it stands at most so often in a second (`worker/protocol`, `Saver`).
const SAVES_PER_S: f64 = 2.0;
/// So many messages of clients are one request; the end of a socket is one.
const MESSAGES: f64 = 20.0;

/// What of an environment moves the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Objects of a room that have sockets: one for each region.
    pub objects: u32,
    /// `room.batch_window`.
    pub window_ms: u64,
    pub logs: Switch,
    pub hibernation: Switch,
    pub data_points: Switch,
}

/// Whether something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl Switch {
    fn times(self, amount: f64) -> f64 {
        match self {
            Self::On => amount,
            Self::Off => 0.0,
        }
    }
}

impl Setup {
    /// As an environment is set up.
    pub fn of(environment: &Environment) -> Self {
        let regions = u32::try_from(environment.gateway.regions.len()).unwrap_or(u32::MAX);
        Self {
            objects: regions.max(1),
            window_ms: environment.room.batch_window_ms.into(),
            logs: environment.observability.into(),
            hibernation: Switch::On,
            data_points: environment.dataset.is_some().into(),
        }
    }
}

/// What a month costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// The plan, and each thing that is counted.
    pub lines: Vec<Line>,
    /// Their sum.
    pub dollars: f64,
}

/// One thing that is paid for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub what: &'static str,
    /// How many in the month; none of the plan itself.
    pub amount: Option<f64>,
    /// How many of them the plan includes.
    pub included: Option<f64>,
    /// Dollars for each further million; 0 while it is not billed.
    pub million: Option<f64>,
    pub dollars: f64,
}

impl Bill {
    /// The bill of `traffic` through an environment that is set up so.
    pub fn of(traffic: &Traffic, setup: &Setup) -> Self {
        let prices = Prices::known();
        let plan = Line {
            what: &prices.plan.name,
            amount: None,
            included: None,
            million: None,
            dollars: prices.plan.dollars,
        };
        let counted = prices.counted().into_iter().zip(amounts(traffic, setup));
        let lines: Vec<Line> = std::iter::once(plan)
            .chain(counted.map(|(price, amount)| line(price, amount)))
            .collect();
        let dollars = lines.iter().map(|line| line.dollars).sum();
        Self { lines, dollars }
    }

    /// The line that costs most.
    pub fn greatest(&self) -> &Line {
        let mut greatest = &self.lines[0];
        for line in &self.lines[1..] {
            if line.dollars > greatest.dollars {
                greatest = line;
            }
        }
        greatest
    }
}

fn line(price: &'static Price, amount: f64) -> Line {
    Line {
        what: &price.name,
        amount: Some(amount),
        included: Some(price.included),
        million: Some(price.million),
        dollars: price.dollars(amount),
    }
}

/// How many of each thing that is counted, in the order of [`Prices::counted`].
fn amounts(traffic: &Traffic, setup: &Setup) -> [f64; 7] {
    let (updates, connects) = (traffic.updates(), traffic.connects());
    let published = updates / f64::from(traffic.batch.max(1));
    let requests = published + connects;
    // The root takes each update; the other objects are called once for what leaves together
    let frames = match setup.window_ms {
        0 => updates,
        window_ms => traffic.at_most(1000.0 / window_ms as f64),
    };
    let others = f64::from(setup.objects.max(1) - 1);
    let of_updates = updates + frames * others;
    let calls = of_updates + connects;
    let always = f64::from(traffic.tokens) * f64::from(setup.objects.max(1)) * MONTH_S;
    // Updates keep nothing awake in the hours in which none comes
    let by_updates = (always * traffic.active()).min(of_updates * AWAKE_S);
    let awake = match setup.hibernation {
        Switch::On => always.min(by_updates + connects * AWAKE_S),
        Switch::Off => always,
    };
    [
        requests,
        requests * CPU_MS,
        calls + connects / MESSAGES,
        awake * OBJECT_GB,
        traffic.at_most(SAVES_PER_S),
        // Each script logs each request once
        setup.logs.times(requests + calls),
        // A publish, its broadcast; a handshake, a socket opened and one closed
        setup.data_points.times(updates + frames + connects * 3.0),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traffic() -> impl Strategy<Value = Traffic> {
        let (users, tokens) = (0..10_000_000_u32, 0..100_000_u32);
        (
            users,
            tokens,
            0..10_000_u32,
            1..50_u32,
            1..20_u32,
            1..100_u32,
            1..=24_u32,
        )
            .prop_map(
                |(
                    users,
                    tokens,
                    updates_per_minute,
                    connects_per_day,
                    tokens_per_user,
                    batch,
                    active_hours_per_day,
                )| {
                    Traffic {
                        users,
                        tokens,
                        updates_per_minute,
                        connects_per_day,
                        tokens_per_user,
                        batch,
                        active_hours_per_day,
                    }
                },
            )
    }

    fn setup() -> impl Strategy<Value = Setup> {
        let switch = || any::<bool>().prop_map(Switch::from);
        (1..64_u32, 0..5000_u64, switch(), switch(), switch()).prop_map(
            |(objects, window_ms, logs, hibernation, data_points)| Setup {
                objects,
                window_ms,
                logs,
                hibernation,
                data_points,
            },
        )
    }

    /// Half the hours, half of what updates cause; what clients cause stays.
    #[test]
    fn hours_in_which_no_update_comes_cost_what_clients_do_alone() {
        let all_day = Traffic {
            users: 1000,
            tokens: 100,
            updates_per_minute: 60,
            connects_per_day: 4,
            tokens_per_user: 1,
            batch: 1,
            active_hours_per_day: 24,
        };
        let setup = Setup {
            objects: 1,
            window_ms: 0,
            logs: Switch::Off,
            hibernation: Switch::On,
            data_points: Switch::Off,
        };
        let awake = |traffic: &Traffic| amounts(traffic, &setup);
        let (requests, seconds) = (0, 3);
        let with = |active_hours_per_day, updates_per_minute| {
            awake(&Traffic {
                updates_per_minute,
                active_hours_per_day,
                ..all_day
            })
        };
        let (day, half, clients) = (with(24, 60), with(12, 60), with(24, 0));
        for amount in [requests, seconds] {
            let of_clients = clients[amount];
            let share = (half[amount] - of_clients) / (day[amount] - of_clients);
            assert!((share - 0.5).abs() < 1e-9, "{half:?} of {day:?}");
        }
        // So many updates that a room never sleeps while they come
        let (day, half) = (with(24, 6000), with(12, 6000));
        assert!(half[seconds] < day[seconds] * 0.51, "{half:?} of {day:?}");
        let never = Setup {
            hibernation: Switch::Off,
            ..setup
        };
        let rested = Traffic {
            active_hours_per_day: 12,
            ..all_day
        };
        assert_eq!(
            amounts(&rested, &never)[seconds],
            amounts(&all_day, &never)[seconds]
        );
    }

    proptest! {
        /// More of anything never costs less: in the sum, and in no line.
        #[test]
        fn no_line_shrinks_when_there_is_more_of_anything(traffic in traffic(), setup in setup(), more in 1..1000_u32) {
            let before = Bill::of(&traffic, &setup);
            let window_ms = setup.window_ms.saturating_sub(more.into());
            let grown = [
                (Traffic { users: traffic.users + more, ..traffic }, setup),
                (Traffic { tokens: traffic.tokens + more, ..traffic }, setup),
                (Traffic { updates_per_minute: traffic.updates_per_minute + more, ..traffic }, setup),
                (Traffic { connects_per_day: traffic.connects_per_day + more, ..traffic }, setup),
                (Traffic { tokens_per_user: traffic.tokens_per_user + more, ..traffic }, setup),
                (Traffic { batch: traffic.batch.saturating_sub(more).max(1), ..traffic }, setup),
                (Traffic { active_hours_per_day: (traffic.active_hours_per_day + more).min(24), ..traffic }, setup),
                (traffic, Setup { objects: setup.objects + more, ..setup }),
                (traffic, Setup { window_ms: if window_ms == 0 { setup.window_ms } else { window_ms }, ..setup }),
                (traffic, Setup { window_ms: 0, ..setup }),
                (traffic, Setup { logs: Switch::On, ..setup }),
                (traffic, Setup { hibernation: Switch::Off, ..setup }),
                (traffic, Setup { data_points: Switch::On, ..setup }),
            ];
            for (traffic, setup) in grown {
                let after = Bill::of(&traffic, &setup);
                prop_assert!(after.dollars >= before.dollars);
                for (after, before) in after.lines.iter().zip(&before.lines) {
                    prop_assert!(after.amount >= before.amount, "{after:?} after {before:?}");
                }
            }
        }
    }
}
