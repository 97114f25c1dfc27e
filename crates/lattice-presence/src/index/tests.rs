//! The index beside a list of entries, which is asked the same.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lattice_causal::{Dot, dot_fingerprint};

use super::hashing::Hashing;
use super::*;
use crate::steps;

/// How much of what is drawn is shared: so large is each choice.
#[derive(Clone, Copy, Debug)]
struct World {
    replicas: u64,
    topics: u64,
    keys: u64,
    pids: u64,
    /// How many entries there are before most of what comes next are removals.
    most: usize,
    /// Hashes are cut to so many bits.
    bits: u32,
}

/// A list of entries, by dot, and who is hidden.
struct Model {
    world: World,
    seed: u64,
    drawn: u64,
    index: Index<u64>,
    entries: BTreeMap<(String, u64), Presence<u64>>,
    down: Down,
    clock: u64,
}

fn key_of(entry: &Presence<u64>) -> (&str, &str) {
    (entry.topic(), entry.key())
}

impl Model {
    fn new(world: World, seed: u64) -> Self {
        Self {
            world,
            seed,
            drawn: 0,
            index: Index::new(Hashing::keyed([seed, 1]).cut_to(world.bits)),
            entries: BTreeMap::new(),
            down: Down::new("local".into()),
            clock: 0,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.drawn += 1;
        dot_fingerprint(self.drawn, self.seed) % below.max(1)
    }

    fn replica(&mut self) -> ReplicaId {
        let replicas = self.world.replicas;
        ReplicaId::new(format!("node-{}", self.draw(replicas)))
    }

    fn visible(&self) -> impl Iterator<Item = &Presence<u64>> {
        let entries = self.entries.values();
        entries.filter(|entry| !self.down.hides(entry.owner()))
    }

    /// Whether another visible entry has the key of that one.
    fn is_accompanied(&self, entry: &Presence<u64>) -> bool {
        let mut visible = self.visible();
        visible.any(|other| !other.is(entry) && key_of(other) == key_of(entry))
    }

    /// Adds an entry: mostly the newest of its replica, at times one that comes late.
    fn insert(&mut self) {
        let World {
            topics, keys, pids, ..
        } = self.world;
        self.clock += 8;
        let clock = match self.draw(4) {
            0 => self.draw(self.clock) + 1,
            _ => self.clock,
        };
        let replica = self.replica();
        let topic = format!("room:{}", self.draw(topics));
        let key = format!("user-{}", self.draw(keys));
        let pid = format!("pid-{}", self.draw(pids));
        let place = (String::from(replica.as_str()), clock);
        if self.entries.contains_key(&place) {
            return;
        }
        let entry = Presence::new(Dot::new(replica, clock), topic, &key, &pid, clock);
        let mut hash = self.index.hash(pid.as_bytes());
        if self.draw(2) == 0 {
            let owner = entry.owner().clone();
            let held = self.index.held_in(entry.slot(), &mut hash, &owner);
            let own = self.entries.values();
            let own = own.filter(|other| *other.owner() == owner && other.same_slot(&entry));
            assert!(held.iter().map(Presence::dot).eq(own.map(Presence::dot)));
        }
        let is_only = self.index.insert(&entry, hash, &self.down);
        if !self.down.hides(entry.owner()) {
            assert_eq!(is_only, !self.is_accompanied(&entry), "{entry:?}");
        }
        self.entries.insert(place, entry);
    }

    fn remove(&mut self) {
        let at = self.draw(self.entries.len() as u64);
        let Some(place) = self.entries.keys().nth(at as usize).cloned() else {
            return;
        };
        let Some(entry) = self.entries.remove(&place) else {
            return;
        };
        let pid = self.index.pid_hash(&entry);
        let is_last = self.index.remove(&entry, pid);
        if !self.down.hides(entry.owner()) {
            assert_eq!(is_last, !self.is_accompanied(&entry), "{entry:?}");
        }
    }

    /// Lets an entry that came with names of its own share those of others.
    fn intern(&mut self) {
        for _ in 0..self.index.uninterned() {
            let Some(entry) = self.index.pop_uninterned() else {
                break;
            };
            let place = (String::from(entry.owner().as_str()), entry.dot().clock);
            let stands = self.entries.get(&place).is_some_and(|own| own.is(&entry));
            drop(entry);
            if let Some(own) = self.entries.remove(&place).filter(|_| stands) {
                let own = self.index.intern(own, &self.down);
                self.entries.insert(place, own);
            }
        }
    }

    /// Hides a replica, or shows it.
    fn turn(&mut self) {
        let replica = self.replica();
        let hide = !self.down.hides(&replica);
        let owned: Vec<_> = self.entries.values().cloned().collect();
        let owned: Vec<_> = owned
            .into_iter()
            .filter(|entry| *entry.owner() == replica)
            .collect();
        let expected = |model: &Self| -> BTreeSet<u64> {
            let accompanied = owned
                .iter()
                .filter(|entry| model.is_accompanied_by_others(entry));
            accompanied.map(|entry| entry.dot().clock).collect()
        };
        let expected = expected(self);
        if hide {
            self.down.mark(&replica);
        } else {
            self.down.unmark(&replica);
        }
        let mut found = BTreeSet::new();
        self.index
            .set_hidden(&replica, hide, owned.iter(), |entry| {
                assert!(found.insert(entry.dot().clock), "found twice");
            });
        assert_eq!(found, expected, "{replica:?} {hide}");
    }

    /// Whether a visible entry of another replica has the key of that one.
    fn is_accompanied_by_others(&self, entry: &Presence<u64>) -> bool {
        let mut visible = self.visible();
        visible.any(|other| other.owner() != entry.owner() && key_of(other) == key_of(entry))
    }

    fn check(&self) {
        assert!(self.index.check_invariants());
        assert_eq!(self.index.len(), self.entries.len());
        let dots = |entries: Vec<&Presence<u64>>| -> Vec<Dot<ReplicaId>> {
            entries
                .into_iter()
                .map(|entry| entry.dot().clone())
                .collect()
        };
        let that = |is_it: &dyn Fn(&Presence<u64>) -> bool| {
            dots(self.visible().filter(|entry| is_it(entry)).collect())
        };
        let topics: BTreeSet<&str> = self.visible().map(Presence::topic).collect();
        assert!(self.index.topics().eq(topics));
        for topic in (0..self.world.topics).map(|n| format!("room:{n}")) {
            let all = that(&|entry| entry.topic() == topic);
            assert_eq!(self.index.topic_len(&topic), all.len());
            assert_eq!(dots(self.index.by_topic(&topic).collect()), all);
            for key in (0..self.world.keys.min(5)).map(|n| format!("user-{n}")) {
                let all = that(&|entry| key_of(entry) == (&*topic, &*key));
                assert_eq!(dots(self.index.by_key(&topic, &key).collect()), all);
                for pid in (0..self.world.pids.min(5)).map(|n| format!("pid-{n}")) {
                    let slot = Slot::new(&topic, &key, &pid);
                    let is_in = self.visible().any(|entry| entry.slot() == slot);
                    assert_eq!(self.index.contains(slot), is_in);
                }
            }
        }
        for pid in (0..self.world.pids).map(|n| format!("pid-{n}")) {
            let all = that(&|entry| entry.pid() == pid);
            assert_eq!(dots(self.index.by_pid(&pid).collect()), all);
        }
    }

    fn run(world: World, seed: u64) {
        let mut model = Self::new(world, seed);
        for turn in 0..6 {
            // Fills up, and empties, so that every group grows and shrinks.
            let grows = turn % 2 == 0;
            for step in 0..3 * world.most {
                let enough = if grows { world.most } else { 0 };
                match model.draw(16) {
                    0 => model.turn(),
                    1 => model.intern(),
                    2 | 3 if grows => model.remove(),
                    2 | 3 => model.insert(),
                    _ if grows && model.entries.len() < enough => model.insert(),
                    _ => model.remove(),
                }
                if step % 199 == 0 {
                    model.check();
                }
            }
        }
        while !model.entries.is_empty() {
            model.remove();
        }
        model.check();
    }
}

const WORLD: World = World {
    replicas: 4,
    topics: 3,
    keys: 40,
    pids: 30,
    most: 300,
    bits: 32,
};

/// Says how to run one of them alone.
fn replayable(name: &str, world: World, seeds: u64) {
    for seed in 0..seeds {
        let run = || Model::run(world, seed);
        let result = std::panic::catch_unwind(run);
        assert!(result.is_ok(), "{name}: Model::run({world:?}, {seed})");
    }
}

#[test]
fn it_says_what_a_list_says() {
    replayable("shared", WORLD, 2);
}

#[test]
fn a_key_of_many_says_what_a_list_says() {
    let world = World {
        keys: 2,
        topics: 2,
        pids: 300,
        ..WORLD
    };
    replayable("keys", world, 2);
}

#[test]
fn a_pid_of_many_says_what_a_list_says() {
    let world = World {
        pids: 2,
        topics: 60,
        keys: 3,
        ..WORLD
    };
    replayable("pids", world, 2);
}

#[test]
fn pids_and_keys_of_one_hash_are_told_apart() {
    let world = World {
        bits: 3,
        pids: 200,
        ..WORLD
    };
    replayable("collisions", world, 2);
}

#[test]
fn many_topics_of_few_members_say_what_a_list_says() {
    let world = World {
        topics: 400,
        pids: 400,
        most: 600,
        ..WORLD
    };
    replayable("topics", world, 1);
}

/// A small topic remembers that two of its members may share a key, also if they came
/// while it was large.
#[test]
fn a_key_that_was_shared_in_a_large_topic_is_shared_in_a_small_one() {
    let mut index = Index::new(Hashing::keyed([1, 2]));
    let down = Down::new("local".into());
    let entry = |key: u64, clock| {
        let dot = Dot::new("a".into(), clock);
        Presence::new(
            dot,
            "room",
            &format!("user-{key}"),
            &format!("pid-{clock}"),
            clock,
        )
    };
    let entries: Vec<_> = (1..=200).map(|clock| entry(clock, clock)).collect();
    for entry in &entries {
        assert!(index.insert(entry, index.pid_hash(entry), &down));
    }
    let second = entry(1, 201);
    assert!(!index.insert(&second, index.pid_hash(&second), &down));
    for entry in &entries[1..] {
        assert!(index.remove(entry, index.pid_hash(entry)));
    }
    assert!(index.check_invariants());
    assert!(
        !index.remove(&second, index.pid_hash(&second)),
        "the first is there"
    );
    assert!(index.remove(&entries[0], index.pid_hash(&entries[0])));
}

/// Topics of many members may lie in the last block. If the others are thinned out, they
/// move, a few at a time.
#[test]
fn no_leave_moves_many_members() {
    const FEW: u64 = 10_000;
    const LARGE: u64 = 250;
    const MEMBERS: u64 = 30;
    let mut index = Index::new(Hashing::keyed([1, 2]));
    let down = Down::new("local".into());
    let entry = |topic: u64, clock| {
        let (topic, pid) = (format!("room:{topic}"), format!("pid-{clock}"));
        Presence::new(Dot::new("a".into(), clock), topic, "key", &pid, clock)
    };
    let small: Vec<_> = (1..=FEW).map(|clock| entry(clock, clock)).collect();
    let large = (0..LARGE * MEMBERS).map(|n| entry(FEW + 1 + n / MEMBERS, FEW + 1 + n));
    let large: Vec<_> = large.collect();
    for entry in small.iter().chain(&large) {
        index.insert(entry, index.pid_hash(entry), &down);
    }
    let before = index.places();
    let mut worst = 0;
    for (at, entry) in small.iter().enumerate() {
        if at % 32 > 0 {
            let pid = index.pid_hash(entry);
            worst = worst.max(steps::of(|| index.remove(entry, pid)).0);
        }
    }
    assert!(worst < 4_000, "{worst} steps in one leave");
    assert!(
        index.places() < before / 2,
        "{} of {before}",
        index.places()
    );
    assert!(index.check_invariants());
    for entry in &large {
        assert!(index.holds(entry));
    }
}
