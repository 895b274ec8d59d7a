//! What a seed makes of a room: its settings, who takes part, and what goes wrong how often.

use crate::random::Random;
use edge_broadcast_protocol::contract::settings::{Conflate, Region, RoomSettings};

/// The room of every run.
pub(crate) const TOKEN: &str = "SOL";
/// Most updates that are published at once.
pub(crate) const MAX_BATCH: u32 = 4;

/// Each seed draws what can go wrong at all, so that faults meet each other in all combinations and are not all there
/// always (swarm testing).
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: RoomSettings,
    pub(crate) regions: Vec<Region>,
    /// Sockets that one address may hold in one object.
    pub(crate) per_address: u32,
    pub(crate) clients: u64,
    pub(crate) addresses: u64,
    pub(crate) publishes: u64,
    /// The time until everything heals.
    pub(crate) troubles_ms: u64,
    pub(crate) faults: Faults,
}

/// Thousandths, unless a unit is named.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Most milliseconds that a call, an answer or a frame takes.
    pub(crate) delay_ms: u64,
    pub(crate) lost_call: u32,
    pub(crate) lost_answer: u32,
    pub(crate) repeated_call: u32,
    /// For each effect that an object has carried out.
    pub(crate) crash: u32,
    /// For each event that an object has answered and then nothing holds it.
    pub(crate) doze: u32,
    pub(crate) failed_read: u32,
    pub(crate) failed_write: u32,
    /// Most milliseconds until a write is durable.
    pub(crate) write_ms: u64,
    /// Clocks that step, for each second.
    pub(crate) clock_step: u32,
    /// Most milliseconds of such a step.
    pub(crate) clock_step_ms: u64,
    /// Clients that go, for each second and client.
    pub(crate) farewell: u32,
    /// Connections that break with a word, and those that do without.
    pub(crate) broken: u32,
    pub(crate) silence: u32,
    /// Sockets whose write fails.
    pub(crate) failed_send: u32,
    /// Sockets that the runtime does not take.
    pub(crate) not_accepted: u32,
}

impl Plan {
    pub(crate) fn new(random: &mut Random) -> Self {
        let max_connections = random.pick(&[2, 3, 4, 20]);
        let conflate_key = random.pick(&[&["type"][..], &["type", "pool"][..]]);
        let settings = RoomSettings {
            max_connections,
            max_shards: random.pick(&[1, 2, 3, 5]),
            batch_window_ms: random.pick(&[0, 10, 50, 500]),
            conflate: random.pick(&[Conflate::Latest, Conflate::All]),
            history: random.pick(&[0, 3, 8, 64]),
            idle_timeout_ms: random.pick(&[0, 20_000, 20_000, 90_000]),
            publish_rate: random.pick(&[0, 0, 3, 100]),
            conflate_key: conflate_key.iter().map(|name| (*name).to_owned()).collect(),
        };
        let regions = match random.between(0, 2) {
            0 => &[][..],
            1 => &["us"][..],
            _ => &["us", "eu"][..],
        };
        let regions = regions.iter().map(|name| Region {
            name: (*name).to_owned(),
            host: format!("{name}.glow.trade"),
            location_hint: String::new(),
            continents: Vec::new(),
        });
        Self {
            settings,
            regions: regions.collect(),
            per_address: random.pick(&[0, 1, 2, 100]),
            clients: random.between(1, 9),
            addresses: random.between(1, 4),
            publishes: random.pick(&[0, 1, 6, 15, 30]),
            troubles_ms: random.pick(&[5_000, 30_000, 100_000]),
            faults: Faults::new(random),
        }
    }
}

impl Faults {
    fn new(random: &mut Random) -> Self {
        let mut faults = Self {
            delay_ms: random.pick(&[1, 20, 300, 4_000]),
            write_ms: random.pick(&[0, 5, 50, 2_000]),
            doze: random.pick(&[0, 100, 500, 1000]),
            clock_step_ms: random.pick(&[20, 2_000, 60_000]),
            ..Self::default()
        };
        let each = [
            (&mut faults.lost_call, 150),
            (&mut faults.lost_answer, 150),
            (&mut faults.repeated_call, 200),
            (&mut faults.crash, 40),
            (&mut faults.failed_read, 200),
            (&mut faults.failed_write, 200),
            (&mut faults.clock_step, 100),
            (&mut faults.farewell, 30),
            (&mut faults.broken, 60),
            (&mut faults.silence, 60),
            (&mut faults.failed_send, 20),
            (&mut faults.not_accepted, 100),
        ];
        for (share, most) in each {
            // Two of three faults are absent from a run.
            if random.between(0, 2) == 0 {
                *share = u32::try_from(random.between(1, most)).unwrap_or_default();
            }
        }
        faults
    }

    /// The network heals, machines stay up and clients stay where they are.
    pub(crate) fn healed() -> Self {
        Self {
            delay_ms: 20,
            write_ms: 5,
            doze: 500,
            ..Self::default()
        }
    }
}
