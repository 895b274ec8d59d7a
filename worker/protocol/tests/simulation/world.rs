//! One run: a clock, a queue of what will happen, and everybody who takes part.

use crate::client::{Client, Message, Wire};
use crate::gateway::Gateway;
use crate::host::Host;
use crate::law::{Held, LAWS, Violation, check};
use crate::ledger::Ledger;
use crate::network::{Flight, Network};
use crate::object::Sabotage;
use crate::plan::{Faults, Plan, TOKEN};
use crate::publisher::Publisher;
use crate::random::Random;
use crate::slots::Slots;
use crate::taken::Outstanding;
use edge_broadcast_protocol::room::event::Timer;
use std::collections::BTreeMap;

/// The true time at which every run begins, in unix milliseconds.
const STARTED_MS: u64 = 1_796_083_200_000;
/// More than any run needs: beyond, something goes in a circle.
const MOST_STEPS: u32 = 200_000;

pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    pub(crate) sabotage: Sabotage,
    pub(crate) ledger: Ledger,
    pub(crate) outstanding: Outstanding,
    pub(crate) slots: Slots,
    pub(crate) network: Network,
    pub(crate) flights: BTreeMap<u64, Flight>,
    pub(crate) hosts: BTreeMap<String, Host>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) clients: Vec<Client>,
    pub(crate) gateway: Gateway,
    pub(crate) publisher: Publisher,
    /// Whether nothing goes wrong any more.
    pub(crate) is_healed: bool,
    /// Whether the farewell of a shard, or what the root wrote of it, may have been lost: then a root goes on knowing a shard
    /// without sockets until a push tells it better, which is never where nothing is published.
    pub(crate) is_unsaid: bool,
    /// Whether clients send too much now and then.
    pub(crate) floods: bool,
    /// What a test wants to know of what has happened.
    pub(crate) tally: BTreeMap<&'static str, u64>,
    queue: BTreeMap<(u64, u64), Happening>,
    last: u64,
    trace: Option<Vec<String>>,
}

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A call reaches its object.
    Call {
        flight: Box<Flight>,
        number: Option<u64>,
    },
    /// An answer reaches whoever has called.
    Answer {
        flight: u64,
        answer: Answer,
    },
    Timer {
        object: String,
        life: u32,
        timer: Timer,
    },
    /// Rows have been read.
    Loaded {
        object: String,
        life: u32,
    },
    /// A write ends.
    Written {
        object: String,
        life: u32,
    },
    Doze {
        object: String,
        life: u32,
    },
    ToClient {
        socket: u64,
        message: Message,
    },
    ToObject {
        socket: u64,
        message: crate::client::Word,
    },
    Connect {
        client: usize,
    },
    Ping {
        client: usize,
    },
    Publish {
        message: usize,
    },
    /// What goes wrong from second to second.
    Second,
    Heal,
}

/// The answer to a call, as the caller sees it.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Json(String),
    Refused {
        status: u16,
        code: &'static str,
    },
    Full {
        next: u32,
    },
    Socket(u64),
    Snapshot {
        body: Option<String>,
    },
    /// The object is not reached, or has died.
    Failed,
}

/// A run that went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) violation: Violation,
    pub(crate) trace: Vec<String>,
}

/// Runs one seed; what happened is told only when it is to be `traced`.
pub(crate) fn run(seed: u64, sabotage: Sabotage, traced: Traced) -> (World, Held) {
    let mut world = World::new(seed, sabotage, traced);
    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.live()));
    let held = held.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation {
            law: 0,
            how: text.unwrap_or_default(),
        })
    });
    (world, held)
}

/// Whether a run tells what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    No,
    Yes,
}

/// Runs one seed, and where a law is broken once more, to tell how it came.
pub(crate) fn judge(seed: u64, sabotage: Sabotage) -> Result<World, Failure> {
    let (world, held) = run(seed, sabotage, Traced::No);
    let Err(violation) = held else {
        return Ok(world);
    };
    let trace = run(seed, sabotage, Traced::Yes).0.trace.unwrap_or_default();
    Err(Failure {
        seed,
        violation,
        trace,
    })
}

impl World {
    fn new(seed: u64, sabotage: Sabotage, traced: Traced) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random);
        // What comes on top of all that a plan can be: a source of its own, so that it meets every plan.
        let mut extra = Random::new(!seed);
        let (floods, reuses) = (extra.happens(125), extra.happens(125));
        let mut world = Self {
            now_ms: STARTED_MS,
            clients: Client::several(&plan, &mut random),
            publisher: Publisher::new(&plan, &mut random, &mut extra),
            random,
            sabotage,
            ledger: Ledger::new(plan.settings.history),
            outstanding: Outstanding::default(),
            slots: Slots::default(),
            network: Network::default(),
            flights: BTreeMap::new(),
            hosts: BTreeMap::new(),
            wires: BTreeMap::new(),
            gateway: Gateway::default(),
            is_healed: false,
            is_unsaid: false,
            floods,
            tally: BTreeMap::new(),
            queue: BTreeMap::new(),
            last: 0,
            trace: (traced == Traced::Yes).then(Vec::new),
            plan,
        };
        if reuses {
            world.publisher.reuse_ids();
        }
        world.tell(|world| format!("{:?}", world.plan));
        world
    }

    /// The whole run.
    fn live(&mut self) -> Held {
        for client in 0..self.clients.len() {
            let after_ms = self.random.between(0, self.plan.troubles_ms);
            self.after(after_ms, Happening::Connect { client });
            self.after(after_ms, Happening::Ping { client });
        }
        for message in 0..self.publisher.messages.len() {
            let after_ms = self.publisher.messages[message].after_ms;
            self.after(after_ms, Happening::Publish { message });
        }
        self.after(1000, Happening::Second);
        self.after(self.plan.troubles_ms, Happening::Heal);
        self.settle()?;
        if self.plan.publishes > 0 {
            self.publish_last();
            self.settle()?;
        }
        self.end()
    }

    /// Goes on until nothing happens any more.
    pub(crate) fn settle(&mut self) -> Held {
        for _ in 0..MOST_STEPS {
            let Some(((at_ms, _), happening)) = self.queue.pop_first() else {
                return Ok(());
            };
            self.now_ms = at_ms;
            self.happen(happening)?;
        }
        check(8, false, || "the room does not come to rest".to_owned())
    }

    fn happen(&mut self, happening: Happening) -> Held {
        match happening {
            Happening::Call { flight, number } => self.called(*flight, number),
            Happening::Answer { flight, answer } => self.answered(flight, answer),
            Happening::Timer {
                object,
                life,
                timer,
            } => self.rang(&object, life, timer),
            Happening::Loaded { object, life } => self.loaded(&object, life),
            Happening::Written { object, life } => self.written(&object, life),
            Happening::Doze { object, life } => self.doze(&object, life),
            Happening::ToClient { socket, message } => {
                self.hear(socket, message);
                Ok(())
            }
            Happening::ToObject { socket, message } => self.word(socket, message),
            Happening::Connect { client } => {
                self.connect(client);
                Ok(())
            }
            Happening::Ping { client } => {
                self.ping(client);
                Ok(())
            }
            Happening::Publish { message } => {
                self.publish(message);
                Ok(())
            }
            Happening::Second => {
                self.second();
                Ok(())
            }
            Happening::Heal => {
                self.heal();
                Ok(())
            }
        }
    }

    /// Something happens in `after_ms` milliseconds.
    pub(crate) fn after(&mut self, after_ms: u64, happening: Happening) {
        self.at(self.now_ms + after_ms, happening);
    }

    /// Something happens at `at_ms`; what was said to happen then before, happens before.
    pub(crate) fn at(&mut self, at_ms: u64, happening: Happening) {
        let number = self.number();
        self.queue.insert((at_ms, number), happening);
    }

    /// A number that nothing else has.
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A time that something takes.
    pub(crate) fn delay(&mut self) -> u64 {
        let most_ms = self.plan.faults.delay_ms;
        self.random.between(0, most_ms)
    }

    /// Whether something goes wrong now.
    pub(crate) fn fails(&mut self, share: impl FnOnce(&Faults) -> u32) -> bool {
        let share = share(&self.plan.faults);
        self.random.happens(share)
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Says what happens, where somebody wants to know.
    pub(crate) fn tell(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>7} ms  {}", self.now_ms - STARTED_MS, what(self));
            self.trace.get_or_insert_default().push(line);
        }
    }

    /// Whether clients and pollers still come of themselves.
    pub(crate) fn is_over(&self) -> bool {
        self.now_ms > STARTED_MS + self.plan.troubles_ms + 60_000
    }

    fn heal(&mut self) {
        self.tell(|_| "all is well from here on".to_owned());
        self.plan.faults = Faults::healed();
        self.is_healed = true;
    }

    /// The objects of the room.
    pub(crate) fn host(&mut self, name: &str) -> &mut Host {
        if !self.hosts.contains_key(name) {
            self.hosts.insert(name.to_owned(), Host::default());
        }
        self.hosts.get_mut(name).expect("it is there")
    }

    pub(crate) fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }
}

/// Whether an object is the root of its room.
pub(crate) fn is_root(name: &str) -> bool {
    name == TOKEN
}

impl std::fmt::Display for Failure {
    /// What was broken and how it came, and how to see it again.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation { law, how } = &self.violation;
        writeln!(
            to,
            "seed {} breaks law {law} ({}): {how}",
            self.seed, LAWS[*law as usize]
        )?;
        let skipped = self.trace.len().saturating_sub(40);
        for line in &self.trace[skipped..] {
            writeln!(to, "  {line}")?;
        }
        write!(
            to,
            "all of it again:\n  SEED={} cargo test --locked -p edge-broadcast-protocol --test simulation the_laws -- --nocapture",
            self.seed
        )
    }
}
