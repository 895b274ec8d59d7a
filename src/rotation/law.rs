//! A model of the world around a rotation: every state that runs can leave behind when each may be killed before any of its writes, and
//! what the three ways make of each, whether the deployed version is the newest or somebody uploaded another one since.

use edge_broadcast_protocol::contract::slot::Slot;
use strum::IntoEnumIterator;

use super::blocked::Blocked;
use super::idle::{Evidence, Seen};
use super::note::{Handed, Note, Print, State};
use super::position::{Facts, Filled, Position, Step};
use super::run_id::RunId;
use crate::cloudflare::secrets::Holding;
use crate::plan::Way as Change;
use crate::plan::history::Listed;
use crate::secret::Value;

/// A value; equal numbers are equal values.
type Number = u32;
/// Stands for every value that no slot has.
const LOST: Number = 99;

/// The values of the two slots of a version.
type Slots = [Option<Number>; 2];

#[derive(Clone, Debug, PartialEq, Eq)]
struct World {
    /// Of the deployed version.
    slots: Slots,
    /// Of the newest version, where that is not the deployed one.
    newest: Option<Slots>,
    /// What each sender publishes with.
    senders: Vec<Number>,
    note: Option<(State, Slot, usize)>,
}

/// One of the three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Next,
    Undo,
    Compromise,
}

pub(super) const STATES: [State; 6] = [
    State::Writing,
    State::Giving,
    State::Given,
    State::Returning,
    State::Returned,
    State::Replacing,
];

/// A note of this run.
pub(super) fn note(state: State, new: Slot, handed: Handed) -> Note {
    Note {
        state,
        new,
        print: Print::of(&Value::new("x".to_owned())),
        run_id: RunId::this(),
        handed,
        uses: None,
    }
}

fn at(slot: Slot) -> usize {
    usize::from(slot == Slot::Alternate)
}

/// The worlds that the writes of a step make, one after the other.
struct Trail {
    now: World,
    worlds: Vec<World>,
}

impl Trail {
    fn write(&mut self, write: impl Fn(&mut World)) {
        write(&mut self.now);
        self.worlds.push(self.now.clone());
    }

    fn note(&mut self, note: (State, Slot, usize)) {
        self.write(|world| world.note = Some(note));
    }

    /// A change of secrets, as it is made where the newest version is the deployed one and where it is not.
    fn change(&mut self, change: impl Fn(&mut Slots)) {
        let World { slots, newest, .. } = self.now;
        let changed = |mut slots: Slots| {
            change(&mut slots);
            slots
        };
        match self.now.holding().way().unwrap() {
            // Cloudflare takes the newest version
            Change::InPlace(_) => self.write(|world| {
                world.slots = changed(newest.unwrap_or(slots));
                world.newest = None;
            }),
            Change::Copy(_) => {
                self.write(|world| world.newest = Some(changed(slots)));
                self.write(|world| world.slots = world.newest.take().unwrap());
            }
        }
    }
}

impl World {
    fn filled(&self) -> Filled {
        match self.slots {
            [None, None] => Filled::Neither,
            [Some(_), None] => Filled::One(Slot::Primary),
            [None, Some(_)] => Filled::One(Slot::Alternate),
            [Some(_), Some(_)] => Filled::Both,
        }
    }

    fn holding(&self) -> Holding {
        let newest = if self.newest.is_some() {
            "newest"
        } else {
            "deployed"
        };
        let listed = |id: &str| Listed {
            id: id.to_owned(),
            tag: None,
            message: None,
            created_on: String::new(),
        };
        Holding {
            live: vec!["deployed".to_owned()],
            versions: vec![listed(newest)],
            ..Holding::default()
        }
    }

    fn note(&self) -> Option<Note> {
        let of = self.senders.len();
        let handed = |begun| Handed { begun, of };
        self.note
            .map(|(state, new, begun)| note(state, new, handed(begun)))
    }

    fn position(&self) -> Position {
        Position::of(self.filled(), self.note().as_ref())
    }

    fn new_slot(&self) -> Slot {
        self.filled().new_slot(self.note().as_ref())
    }

    fn accepts(&self, value: Number) -> bool {
        self.slots.contains(&Some(value))
    }

    /// What a run that knows `values` decides on. The counters tell the truth.
    fn facts(&self, values: &[Number]) -> Facts {
        let new = self.new_slot();
        let is_known = |slot: &Slot| self.slots[at(*slot)].is_some_and(|it| values.contains(&it));
        let is_used = |slot| self.slots[at(slot)].is_some_and(|it| self.senders.contains(&it));
        Facts {
            note: self.note(),
            new,
            held: Slot::ALL.into_iter().filter(is_known).collect(),
            seen: match (is_used(new), is_used(new.other())) {
                (true, false) => Seen::NewOnly,
                (true, true) => Seen::Both,
                (false, _) => Seen::Nobody,
            },
            senders: self.senders.len(),
            evidence: Evidence::Counters,
        }
    }

    /// The worlds that `step` makes, one after each of its writes; `fresh` is the value that it generates.
    fn after(&self, step: Step, fresh: Number) -> Vec<Self> {
        let mut trail = Trail {
            now: self.clone(),
            worlds: Vec::new(),
        };
        let count = self.senders.len();
        let (new, begun) = self
            .note
            .map_or((Slot::Primary, 0), |(_, new, begun)| (new, begun));
        let [handing, handed] = match step {
            Step::HandOver(kept) if kept == new => [State::Giving, State::Given],
            Step::Retire(leaving) | Step::Revoke(leaving) if leaving != new => [State::Given; 2],
            _ => [State::Returning, State::Returned],
        };
        match step {
            Step::Write(slot) => {
                trail.note((State::Writing, slot, 0));
                trail.change(|slots| slots[at(slot)] = Some(fresh));
                trail.note((State::Giving, slot, 0));
            }
            Step::HandOver(kept) => {
                let value = self.slots[at(kept)].unwrap();
                for sender in 0..count {
                    trail.note((handing, new, sender + 1));
                    trail.write(|world| world.senders[sender] = value);
                }
                trail.note((handed, new, count));
            }
            Step::Retire(leaving) | Step::Revoke(leaving) => {
                trail.note((handed, new, begun));
                trail.change(|slots| slots[at(leaving)] = None);
            }
            Step::Close(kept) => {
                assert!(self.slots[at(kept)].is_some() && self.slots[at(kept.other())].is_none());
                trail.write(|world| world.note = None);
            }
            Step::Replace(slot) => {
                trail.note((State::Replacing, slot, 0));
                trail.change(|slots| {
                    *slots = [None; 2];
                    slots[at(slot)] = Some(fresh);
                });
                for sender in 0..count {
                    trail.note((State::Replacing, slot, sender + 1));
                    trail.write(|world| world.senders[sender] = fresh);
                }
            }
        }
        trail.worlds
    }

    /// One run that knows `source`, from here to its end: the worlds that it makes, and why it stops before the end, if it does.
    fn run(&self, way: Way, source: Option<Number>) -> (Vec<Self>, Option<Blocked>) {
        let mut trail = vec![self.clone()];
        let mut values: Vec<Number> = source.into_iter().collect();
        for fresh in 10.. {
            assert!(fresh < 20, "no end: {trail:?}");
            let now = trail.last().unwrap().clone();
            let facts = now.facts(&values);
            let step = match way {
                Way::Next => now.position().next(&facts),
                Way::Undo => now.position().undo(&facts),
                Way::Compromise => now.position().compromise(facts.new),
            };
            let step = match step {
                Ok(step) => step,
                Err(blocked) => return (trail, Some(blocked)),
            };
            trail.extend(now.after(step, fresh));
            values.push(fresh);
            if way == Way::Compromise {
                let mut end = trail.last().unwrap().clone();
                end.note = None;
                trail.push(end);
            }
            if trail.last().unwrap().note.is_none() {
                return (trail, None);
            }
        }
        unreachable!()
    }

    /// The same after somebody uploaded a version, with values that nobody knows.
    fn overlaid(mut self) -> Self {
        self.newest = Some([Some(LOST); 2]);
        self
    }

    /// The same with the least numbers.
    fn normal(mut self) -> Self {
        if self.newest.is_some() {
            self = self.overlaid();
        }
        let slots = self.slots;
        for sender in &mut self.senders {
            let slot = slots.iter().position(|value| *value == Some(*sender));
            *sender = slot.map_or(LOST, |slot| slot as Number);
        }
        for (number, value) in self.slots.iter_mut().enumerate() {
            *value = value.map(|_| number as Number);
        }
        self
    }

    /// What the source may give.
    fn sources(&self) -> [Option<Number>; 3] {
        [None, self.slots[0], self.slots[1]]
    }
}

/// Every world that runs can leave behind, with one sender or two, each also after somebody uploaded a version.
fn reachable() -> Vec<World> {
    let mut worlds: Vec<World> = [1, 2]
        .map(|senders| World {
            slots: [Some(0), None],
            newest: None,
            senders: vec![0; senders],
            note: None,
        })
        .into();
    let mut next = 0;
    while let Some(world) = worlds.get(next).cloned() {
        let overlaid = world.clone().overlaid();
        if !worlds.contains(&overlaid) {
            worlds.push(overlaid);
        }
        for way in [Way::Next, Way::Undo, Way::Compromise] {
            for source in world.sources() {
                for left in world.run(way, source).0 {
                    let left = left.normal();
                    if !worlds.contains(&left) {
                        worlds.push(left);
                    }
                }
            }
        }
        next += 1;
    }
    worlds
}

/// No note, and one value, which every sender has: all that could publish before, and those that were refused, unless the run only went
/// back to what was there.
fn assert_at_rest(trail: &[World]) {
    let (start, end) = (&trail[0], &trail[trail.len() - 1]);
    let values: Vec<Number> = end.slots.iter().copied().flatten().collect();
    assert_eq!((end.note, values.len()), (None, 1), "{trail:?}");
    for (before, after) in start.senders.iter().zip(&end.senders) {
        if start.accepts(*before) || start.position() != Position::Returned {
            assert_eq!(*after, values[0], "{trail:?}");
        }
    }
}

/// A sender that can publish can do so all the time.
fn assert_nobody_is_refused(trail: &[World]) {
    for (number, sender) in trail[0].senders.iter().enumerate() {
        if trail[0].accepts(*sender) {
            let accepted = |world: &World| world.accepts(world.senders[number]);
            assert!(trail.iter().all(accepted), "{trail:?}");
        }
    }
}

/// What is live, without what is not.
fn live(trail: &[World]) -> Vec<World> {
    let mut live: Vec<World> = trail.to_vec();
    for world in &mut live {
        world.newest = None;
    }
    live.dedup();
    live
}

#[test]
fn a_version_that_is_not_deployed_changes_nothing_of_what_a_run_does_and_is_never_deployed() {
    for world in reachable() {
        for source in world.sources() {
            for way in [Way::Next, Way::Undo, Way::Compromise] {
                let (plain, why) = World {
                    newest: None,
                    ..world.clone()
                }
                .run(way, source);
                let (trail, blocked) = world.clone().overlaid().run(way, source);
                assert_eq!((live(&trail), blocked), (live(&plain), why));
                assert!(!trail.iter().any(|now| now.accepts(LOST)), "{trail:?}");
                let (start, end) = (&trail[0], &trail[trail.len() - 1]);
                let is_changed = start.slots != end.slots;
                assert_eq!(end.newest.is_none(), is_changed, "{trail:?}");
            }
        }
    }
}

#[test]
fn wherever_a_run_was_killed_the_next_one_comes_to_rest_and_refuses_no_sender() {
    for world in reachable() {
        for source in world.sources() {
            let (trail, blocked) = world.run(Way::Next, source);
            assert_nobody_is_refused(&trail);
            match (blocked, world.position()) {
                (None, _) => assert_at_rest(&trail),
                (Some(Blocked::Undoing), Position::HandingBack | Position::WaitingToAbort)
                | (Some(Blocked::Replacing), Position::Replacing)
                | (Some(Blocked::Torn(..)), Position::HandingOver) => {}
                other => panic!("{other:?}: {trail:?}"),
            }
        }
    }
}

#[test]
fn an_abort_comes_to_rest_with_the_old_value_alone_and_refuses_no_sender() {
    for world in reachable() {
        let old = at(world.new_slot().other());
        let (trail, blocked) = world.run(Way::Undo, world.slots[old]);
        assert_nobody_is_refused(&trail);
        match (blocked, world.position()) {
            (None, _) => {
                let end = trail.last().unwrap();
                let mut wanted = [None; 2];
                wanted[old] = world.slots[old];
                assert_eq!((end.note, end.slots), (None, wanted), "{trail:?}");
            }
            (Some(Blocked::NotOpen), Position::AtRest | Position::Revoked | Position::Replaced)
            | (Some(Blocked::Replacing), Position::Replacing) => {}
            other => panic!("{other:?}: {trail:?}"),
        }
    }
}

#[test]
fn a_replacement_comes_to_rest_with_one_write_after_which_no_old_value_is_accepted() {
    for world in reachable() {
        let (trail, blocked) = world.run(Way::Compromise, None);
        assert_eq!(blocked, None, "{trail:?}");
        assert_at_rest(&trail);
        // All that is accepted, but for a new value that every sender has already
        let mut leaked: Vec<Number> = world.slots.iter().copied().flatten().collect();
        match world.position() {
            Position::Waiting => leaked.retain(|it| Some(*it) != world.slots[at(world.new_slot())]),
            Position::Revoked => leaked.clear(),
            _ => {}
        }
        for now in trail.iter().filter(|now| now.slots != world.slots) {
            assert!(!leaked.iter().any(|it| now.accepts(*it)), "{trail:?}");
        }
        assert!(!leaked.iter().any(|it| trail.last().unwrap().accepts(*it)));
    }
}

#[test]
fn every_position_but_those_of_other_tools_is_reached() {
    let reached: Vec<Position> = reachable().iter().map(World::position).collect();
    for position in Position::iter() {
        let is_of_others = matches!(position, Position::Empty | Position::Unclear);
        assert_ne!(reached.contains(&position), is_of_others, "{position:?}");
    }
}
