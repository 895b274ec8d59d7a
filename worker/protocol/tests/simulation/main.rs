//! A room in simulation: its root and shards on a network that loses, repeats and delays, with machines that die and clocks
//! that step. One seed is one run, and always the same run; `docs/architecture.md` says which laws are checked, and when.
//!
//! | to | run |
//! |---|---|
//! | try 10,000 seeds | `cargo test --locked -p edge-broadcast-protocol --test simulation` |
//! | try others | `FIRST=10000 SEEDS=50000 cargo test --locked -p edge-broadcast-protocol --test simulation the_laws` |
//! | see one of them | `SEED=1234 cargo test --locked -p edge-broadcast-protocol --test simulation the_laws -- --nocapture` |
//! | go on until one fails | `SEEDS=forever cargo test --locked -p edge-broadcast-protocol --test simulation the_laws` |

mod bounds;
mod client;
mod gateway;
mod host;
mod law;
mod ledger;
mod network;
mod object;
mod plan;
mod publisher;
mod random;
mod rule;
mod runtime;
mod slots;
mod storage;
mod taken;
mod update;
mod world;

use law::Violation;
use object::Sabotage;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Traced, judge};

/// Seeds of every run of the tests.
const SEEDS: u64 = 10_000;
const THREADS: u64 = 2;

/// The environment's number, if there is one.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
#[expect(clippy::print_stdout, reason = "who asks for one seed wants to see it")]
fn the_laws_hold_for_all_seeds() {
    if let Some(seed) = number("SEED") {
        let (world, held) = world::run(seed, Sabotage::Nothing, Traced::Yes);
        println!("{}", world.trace().join("\n"));
        assert_eq!(held, Ok(()), "seed {seed}");
        return;
    }
    let first = number("FIRST").unwrap_or_default();
    let is_endless = std::env::var("SEEDS").is_ok_and(|seeds| seeds == "forever");
    let last = if is_endless {
        u64::MAX
    } else {
        first + number("SEEDS").unwrap_or(SEEDS)
    };
    let broken = try_all(first..last, |broken| is_endless && !broken.is_empty());
    let mut text = String::new();
    for law in 0..law::LAWS.len() {
        let mut seeds = broken
            .iter()
            .filter(|(_, violation)| usize::from(violation.law) == law);
        if let Some((seed, _)) = seeds.clone().min_by_key(|(seed, _)| seed) {
            let failure = judge(*seed, Sabotage::Nothing)
                .err()
                .expect("the same seed is the same run");
            let others: Vec<u64> = seeds.by_ref().map(|(seed, _)| *seed).take(20).collect();
            text += &format!("{failure}\nlaw {law} is broken by {others:?}, …\n\n");
        }
    }
    assert!(
        broken.is_empty(),
        "{} seeds break a law\n{text}",
        broken.len()
    );
}

/// Tries seeds until one says that it is enough: those that break a law, and how.
fn try_all(
    seeds: std::ops::Range<u64>,
    is_enough: impl Fn(&[(u64, Violation)]) -> bool + Sync,
) -> Vec<(u64, Violation)> {
    let next = AtomicU64::new(seeds.start);
    let broken: Mutex<Vec<(u64, Violation)>> = Mutex::default();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || is_enough(&broken.lock().unwrap()) {
                return;
            }
            if let Err(violation) = world::run(seed, Sabotage::Nothing, Traced::No).1 {
                broken.lock().unwrap().push((seed, violation));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    broken.into_inner().unwrap()
}

/// Seeds in which a law was broken once, and how it showed. A seed is a run of the simulator as it draws now: after any
/// change of that it is another run, and no better than others.
const MENDED: [(u64, &str); 11] = [
    (22, "a root that died twice in a row gave a number twice"),
    (
        358,
        "a socket of a shard missed an update that its root still had",
    ),
    (706, "a greeting lacked the newest value of a key"),
    (151, "a shard sent its sockets what they had"),
    (
        23,
        "clients that waited for one answer were all let in, above the cap",
    ),
    (11164, "a root did not know a shard that had sockets"),
    (
        20841,
        "a farewell from before a root's restart took a shard that had come back",
    ),
    (4566, "a shard asked its root for ever"),
    (12231, "a client was sent older updates than it had"),
    (
        117_241,
        "a shard whose clock was set back returned to a past epoch",
    ),
    (
        113_790,
        "a farewell by a clock that was set back did not count",
    ),
];

#[test]
fn what_was_mended_stays_mended() {
    for (seed, what) in MENDED {
        if let Err(failure) = judge(seed, Sabotage::Nothing) {
            panic!("{what}: {failure}");
        }
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    for seed in 0..20 {
        let trace = || {
            world::run(seed, Sabotage::Nothing, Traced::Yes)
                .0
                .trace()
                .join("\n")
        };
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}

/// What the simulator is for must happen in it, and not once in a blue moon.
#[test]
fn everything_that_matters_happens() {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..500 {
        let (world, _) = world::run(seed, Sabotage::Nothing, Traced::No);
        for (what, times) in world.tally {
            *tally.entry(what).or_default() += times;
        }
    }
    for what in [
        "connected",
        "refused",
        "fresh",
        "recovered",
        "unrecovered",
        "behind",
        "published",
        "batched",
        "repeated",
        "reused",
        "stale",
        "implausible",
        "loud",
        "hibernated",
        "crashed",
        "started",
    ] {
        let times = tally.get(what).copied().unwrap_or_default();
        assert!(times >= 20, "`{what}` happens {times} times: {tally:?}");
    }
}

/// Breaks a law on purpose: within a few hundred seeds a run fails, and says which law it was.
fn breaks(sabotage: Sabotage, law: u8) {
    let is_seen = |seed: &u64| {
        let held = world::run(*seed, sabotage, Traced::No).1;
        held.is_err_and(|violation| violation.law == law)
    };
    let seed = (0..400).find(is_seen);
    let seed = seed.unwrap_or_else(|| panic!("{sabotage:?} does not break law {law}"));
    let broken = judge(seed, sabotage).err();
    let text = broken.expect("the same seed is the same run").to_string();
    assert!(
        text.contains(&format!("breaks law {law} ({})", law::LAWS[law as usize])),
        "{text}"
    );
}

macro_rules! mutations {
    ($($name:ident: $sabotage:ident breaks $law:literal;)*) => {
        $(#[test] fn $name() { breaks(Sabotage::$sabotage, $law); })*
    };
}

mutations! {
    a_panic_is_seen: Panic breaks 0;
    a_number_of_two_updates_is_seen: SameEpoch breaks 1;
    a_lost_frame_is_seen: LoseFrame breaks 2;
    a_false_recovery_is_seen: AlwaysRecovered breaks 2;
    missing_values_are_seen: NoValues breaks 3;
    a_missing_history_is_seen: NoHistory breaks 3;
    a_frame_sent_twice_is_seen: SendTwice breaks 4;
    a_wrong_order_is_seen: Reverse breaks 4;
    a_socket_too_many_in_a_receipt_is_seen: CountMore breaks 5;
    an_update_that_waits_and_is_dropped_is_seen: DropWaiting breaks 5;
    an_update_that_another_key_replaces_is_seen: OneKey breaks 5;
    a_stale_update_that_is_taken_is_seen: NoSlots breaks 5;
    an_exceeded_cap_is_seen: CountLess breaks 6;
    a_cap_held_by_the_dead_is_seen: SpareTheDead breaks 6;
    a_rate_without_a_limit_is_seen: NoRate breaks 6;
    a_socket_that_sends_too_much_is_seen: SpareTheLoud breaks 6;
    a_shard_that_does_not_leave_is_seen: NoFarewell breaks 7;
    a_room_that_takes_nothing_is_seen: RefuseAll breaks 7;
    a_timer_without_an_end_is_seen: KeepTimer breaks 8;
    a_timer_that_is_too_long_is_seen: LongTimer breaks 8;
    a_row_of_an_unused_room_is_seen: StoreNothing breaks 8;
    a_repeat_that_is_delivered_is_seen: NoIds breaks 9;
    an_id_of_two_bodies_is_seen: ReuseIds breaks 9;
    a_room_that_is_behind_in_silence_is_seen: NotBehind breaks 10;
}
