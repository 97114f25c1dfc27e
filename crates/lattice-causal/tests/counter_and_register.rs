//! The counter and the last-writer register against an oracle that knows no dots:
//! a graph of events, each with the events that it took the place of.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use common::{check, check_cases};
use lattice_causal::laws::{self, Lattice};
use lattice_causal::{CausalCrdt, ClockExhausted, LwwRegister, MAX_CLOCK, OrMap, PnCounter};

const REPLICAS: usize = 3;

/// What happened: an addition or a write, or with no payload a reset.
#[derive(Clone, Debug)]
struct Event {
    key: u8,
    replica: usize,
    payload: Option<Payload>,
    /// The events that live no longer where this one is known.
    ends: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Payload {
    time: u8,
    /// What a replica has counted in all, or what it wrote.
    amount: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Counter,
    Register,
}

/// All events, in the order in which they happened.
struct Oracle {
    kind: Kind,
    events: Vec<Event>,
}

impl Oracle {
    /// The events that live where exactly `known` is known.
    fn alive(&self, known: &BTreeSet<usize>, key: u8) -> BTreeSet<usize> {
        let ended = |id: &usize| known.iter().any(|by| self.events[*by].ends.contains(id));
        let of_key = |id: &usize| self.events[*id].key == key && self.events[*id].payload.is_some();
        let alive = known.iter().filter(|id| of_key(id) && !ended(id));
        alive.copied().collect()
    }

    fn payload(&self, id: usize) -> Payload {
        self.events[id].payload.unwrap()
    }

    /// What a reader sees, and `None` where there is nothing.
    fn read(&self, known: &BTreeSet<usize>, key: u8) -> Option<i128> {
        let alive = self.alive(known, key);
        if alive.is_empty() {
            return None;
        }
        let amount = |id: usize| i128::from(self.payload(id).amount);
        Some(match self.kind {
            // Of each replica the last event that is alive.
            Kind::Counter => (0..REPLICAS)
                .filter_map(|replica| {
                    let of_replica = |id: &&usize| self.events[**id].replica == replica;
                    alive.iter().filter(of_replica).max()
                })
                .map(|id| amount(*id))
                .sum(),
            // The latest time; then the greatest replica; then its last write.
            Kind::Register => {
                let rank = |id: &&usize| {
                    let event = &self.events[**id];
                    (event.payload.unwrap().time, event.replica, **id)
                };
                amount(*alive.iter().max_by_key(rank).unwrap())
            }
        })
    }

    /// The event of an operation by `replica`, where it has an effect.
    fn happen(
        &mut self,
        known: &mut BTreeSet<usize>,
        replica: usize,
        key: u8,
        what: Option<Payload>,
    ) -> Option<usize> {
        let mut ends = self.alive(known, key);
        let mut payload = what;
        if let Some(new) = &mut payload {
            match self.kind {
                Kind::Counter => {
                    ends.retain(|id| self.events[*id].replica == replica);
                    let before = ends.last().map_or(0, |id| self.payload(*id).amount);
                    new.amount += before;
                }
                Kind::Register if ends.iter().any(|id| self.payload(*id).time > new.time) => {
                    return None;
                }
                Kind::Register => {}
            }
        }
        let id = self.events.len();
        self.events.push(Event {
            key,
            replica,
            payload,
            ends,
        });
        known.insert(id);
        Some(id)
    }
}

/// The CRDT under test, on its own or in a map.
trait Subject: CausalCrdt + Lattice + Debug + Default {
    const KIND: Kind;
    const KEYS: u8;

    fn put(&mut self, replica: u8, key: u8, what: Payload) -> Result<Self, ClockExhausted>;
    fn reset(&mut self, key: u8) -> Self;
    fn read(&self, key: u8) -> Option<i128>;
}

type Counter = PnCounter<u8>;
type Register = LwwRegister<u8, u8, i64>;

impl Subject for Counter {
    const KIND: Kind = Kind::Counter;
    const KEYS: u8 = 1;

    fn put(&mut self, replica: u8, _: u8, what: Payload) -> Result<Self, ClockExhausted> {
        self.add(&replica, what.amount)
    }

    fn reset(&mut self, _: u8) -> Self {
        self.clear()
    }

    fn read(&self, _: u8) -> Option<i128> {
        (!self.as_causal().store().is_empty()).then(|| self.value())
    }
}

impl Subject for Register {
    const KIND: Kind = Kind::Register;
    const KEYS: u8 = 1;

    fn put(&mut self, replica: u8, _: u8, what: Payload) -> Result<Self, ClockExhausted> {
        self.write(&replica, what.time, what.amount)
    }

    fn reset(&mut self, _: u8) -> Self {
        self.clear()
    }

    fn read(&self, _: u8) -> Option<i128> {
        assert_eq!(self.value().is_some(), self.time().is_some());
        self.value().map(|value| i128::from(*value))
    }
}

impl Subject for OrMap<u8, Counter> {
    const KIND: Kind = Kind::Counter;
    const KEYS: u8 = 2;

    fn put(&mut self, replica: u8, key: u8, what: Payload) -> Result<Self, ClockExhausted> {
        self.apply(key, |counter| counter.add(&replica, what.amount))
    }

    fn reset(&mut self, key: u8) -> Self {
        self.remove(&key)
    }

    fn read(&self, key: u8) -> Option<i128> {
        self.get(&key).map(|counter| counter.value())
    }
}

impl Subject for OrMap<u8, OrMap<u8, Register>> {
    const KIND: Kind = Kind::Register;
    const KEYS: u8 = 2;

    fn put(&mut self, replica: u8, key: u8, what: Payload) -> Result<Self, ClockExhausted> {
        self.apply(9, |map| {
            map.apply(key, |register| {
                register.write(&replica, what.time, what.amount)
            })
        })
    }

    fn reset(&mut self, key: u8) -> Self {
        self.apply(9, |map| Ok(map.remove(&key))).unwrap()
    }

    fn read(&self, key: u8) -> Option<i128> {
        let value = self.get(&9)?.get(&key)?.value();
        value.map(|value| i128::from(*value))
    }
}

struct Cluster<T> {
    oracle: Oracle,
    nodes: Vec<(T, BTreeSet<usize>)>,
    deltas: Vec<(T, BTreeSet<usize>)>,
}

impl<T: Subject> Cluster<T> {
    fn new() -> Self {
        Self {
            oracle: Oracle {
                kind: T::KIND,
                events: Vec::new(),
            },
            nodes: (0..REPLICAS).map(|_| Default::default()).collect(),
            deltas: Vec::new(),
        }
    }

    fn merge(&mut self, at: usize, (crdt, known): &(T, BTreeSet<usize>)) {
        self.nodes[at].0.join(crdt);
        self.nodes[at].1.extend(known);
    }

    fn step(&mut self, (kind, at, x, y): (u8, u8, u8, u8)) {
        let node = usize::from(at) % REPLICAS;
        let other = usize::from(x) % REPLICAS;
        match kind % 16 {
            0 | 1 => {
                let all = self.nodes[other].clone();
                self.merge(node, &all);
            }
            2 | 3 => {
                let delta = self.nodes[other].0.delta_for(&self.nodes[node].0);
                let known = self.nodes[other].1.clone();
                self.merge(node, &(delta, known));
            }
            4..=6 if !self.deltas.is_empty() => {
                let which = (usize::from(x) * 7 + usize::from(y)) % self.deltas.len();
                let delta = self.deltas[which].clone();
                self.merge(node, &delta);
            }
            7 => self.act(node, x % T::KEYS, None),
            _ => {
                let (time, amount) = (y % 4, i64::from(y) - 128);
                self.act(node, x % T::KEYS, Some(Payload { time, amount }));
            }
        }
        for (crdt, known) in &self.nodes {
            for key in 0..T::KEYS {
                assert_eq!(crdt.read(key), self.oracle.read(known, key));
            }
        }
    }

    fn act(&mut self, node: usize, key: u8, what: Option<Payload>) {
        let (crdt, known) = &mut self.nodes[node];
        let before = crdt.clone();
        let delta = match what {
            Some(what) => crdt.put(node as u8, key, what).unwrap(),
            None => crdt.reset(key),
        };
        let event = self.oracle.happen(known, node, key, what);
        let told: BTreeSet<usize> = event.into_iter().collect();
        assert_eq!(delta.read(key), self.oracle.read(&told, key), "the delta");
        laws::check_mutators(&before, crdt, &before, std::slice::from_ref(&delta)).unwrap();
        self.deltas.push((delta, told));
    }
}

fn behaves_like_the_oracle<T: Subject>() {
    fn property<T: Subject>(steps: Vec<(u8, u8, u8, u8)>) {
        let mut cluster = Cluster::<T>::new();
        for step in steps {
            cluster.step(step);
        }
        for at in (0..REPLICAS).chain([0, 1]) {
            let all = cluster.nodes[at].clone();
            cluster.merge((at + 1) % REPLICAS, &all);
        }
        let (whole, known) = &cluster.nodes[0];
        assert!(cluster.nodes.iter().all(|node| node.0 == *whole));
        for key in 0..T::KEYS {
            assert_eq!(whole.read(key), cluster.oracle.read(known, key));
        }
    }
    check_cases(300, property::<T> as fn(Vec<(u8, u8, u8, u8)>));
}

#[test]
fn counters_behave_like_the_oracle() {
    behaves_like_the_oracle::<Counter>();
}

#[test]
fn maps_of_counters_behave_like_the_oracle() {
    behaves_like_the_oracle::<OrMap<u8, Counter>>();
}

#[test]
fn last_writer_registers_behave_like_the_oracle() {
    behaves_like_the_oracle::<Register>();
}

#[test]
fn maps_of_maps_of_registers_behave_like_the_oracle() {
    behaves_like_the_oracle::<OrMap<u8, OrMap<u8, Register>>>();
}

/// One live dot for each replica, however much was counted and written.
#[test]
fn what_is_replaced_leaves_nothing_behind() {
    let (mut counter, mut register) = (Counter::new(), Register::new());
    for round in 0..100 {
        for replica in 0..3 {
            counter.add(&replica, 1).unwrap();
            register.write(&replica, round, 1).unwrap();
        }
    }
    assert_eq!(counter.value(), 300);
    assert_eq!(counter.as_causal().store().len(), 3);
    assert_eq!(register.as_causal().store().len(), 1);
    assert_eq!(counter.context().interval_count(), 3);
}

#[test]
fn a_lost_delta_is_not_counted_twice() {
    let mut a = Counter::new();
    let deltas = [10, 20, 30].map(|by| a.add(&1, by).unwrap());
    let mut b = Counter::new();
    for delta in [&deltas[0], &deltas[2]] {
        b.merge(delta);
    }
    assert_eq!(b.value(), 60);
    b.merge(&deltas[1]);
    assert_eq!((b.value(), &b), (60, &a));
}

#[test]
fn a_reset_keeps_of_a_concurrent_writer_all_and_of_the_others_nothing() {
    let mut a = Counter::new();
    a.add(&1, 10).unwrap();
    a.add(&2, 100).unwrap();
    let mut b = a.clone();
    let reset = b.clear();
    a.add(&1, 1).unwrap();
    a.merge(&reset);
    assert_eq!(a.value(), 11);
    // Whoever has seen the reset begins anew.
    a.merge(&b);
    a.clear();
    a.add(&1, 1).unwrap();
    assert_eq!(a.value(), 1);
}

#[test]
fn contributions_stop_at_the_ends_of_the_range() {
    let mut counter = Counter::new();
    counter.add(&1, i64::MAX).unwrap();
    counter.add(&1, i64::MAX).unwrap();
    counter.add(&2, i64::MAX).unwrap();
    assert_eq!(counter.value(), 2 * i128::from(i64::MAX));
    counter.add(&1, i64::MIN).unwrap();
    assert_eq!(counter.value(), i128::from(i64::MAX) - 1);
}

#[test]
fn ties_go_to_what_has_seen_the_other_and_then_to_the_greater_dot() {
    let mut a = Register::new();
    a.write(&9, 5, 1).unwrap();
    a.write(&1, 5, 2).unwrap(); // seen: replaced, though 9 is the greater replica
    assert_eq!(a.value(), Some(&2));

    let (mut a, mut b) = (Register::new(), Register::new());
    a.write(&9, 5, 1).unwrap();
    b.write(&1, 5, 2).unwrap();
    a.merge(&b);
    b.merge(&a);
    assert_eq!((a.value(), b.value()), (Some(&1), Some(&1)));
}

#[test]
fn an_exhausted_clock_is_an_error_that_changes_nothing() {
    let mut spent = lattice_causal::CausalContext::new();
    spent.insert_range(1, MAX_CLOCK..=MAX_CLOCK);
    let mut counter = Counter::from_causal(lattice_causal::Causal::from_context(spent.clone()));
    let before = counter.clone();
    assert_eq!(counter.add(&1, 1), Err(ClockExhausted));
    assert_eq!(counter, before);
    assert!(counter.add(&2, 1).is_ok());

    let mut register = Register::from_causal(lattice_causal::Causal::from_context(spent));
    let before = register.clone();
    assert_eq!(register.write(&1, 1, 1), Err(ClockExhausted));
    assert_eq!(register, before);
    register.write(&2, 9, 1).unwrap();
    // Too late to have an effect, so no clock is asked for.
    let delta = register.write(&1, 8, 1).unwrap();
    assert!(delta.context().is_empty());
}

/// Generated states, which no history of additions made, are read as well.
#[test]
fn readers_see_what_is_there() {
    fn property(counter: Counter, register: Register) {
        let mut newest = BTreeMap::new();
        for (replica, clock, counted) in counter.as_causal().store().iter() {
            newest.insert(*replica, (clock, i128::from(*counted)));
        }
        assert_eq!(counter.value(), newest.values().map(|(_, c)| c).sum());
        let writes = register.as_causal().store().iter();
        let latest = writes.max_by_key(|(replica, clock, (time, _))| (*time, **replica, *clock));
        assert_eq!(register.value(), latest.map(|(_, _, (_, value))| value));
    }
    check(property as fn(Counter, Register));
}
