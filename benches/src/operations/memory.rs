//! What the heap holds. Bytes as asked of the allocator, its own overhead aside.

use lattice_presence_json::{
    JsonMeta, delta_from_json, delta_to_json_string, digest_to_json_string, from_json,
    to_json_string,
};

use crate::floors::{self, PlainMap};
use crate::heap;
use crate::operations::extremes;
use crate::workload::{self, LOCAL, Random, State};

/// A row of the table that is counted, not timed.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// What the table calls it.
    pub name: &'static str,
    /// How many bytes it may be.
    pub ceiling: f64,
    /// Bytes, at N entries.
    pub measure: fn(usize) -> f64,
    /// The same of a plain map.
    pub floor: Option<fn(usize) -> f64>,
    /// The only N, where there is one.
    pub only: Option<usize>,
}

/// Bytes per entry, and growth.
pub const FOOTPRINTS: &[Footprint] = &[
    Footprint {
        name: "heap per entry, joined",
        ceiling: 300.0,
        measure: joined,
        floor: Some(plain_map),
        only: None,
    },
    Footprint {
        name: "heap per entry, decoded",
        ceiling: 300.0,
        measure: decoded,
        floor: Some(plain_map),
        only: None,
    },
    Footprint {
        name: "heap per entry, one delta a join",
        ceiling: 300.0,
        measure: traffic,
        floor: None,
        only: None,
    },
    Footprint {
        name: "heap per entry, topics of one member",
        ceiling: 300.0,
        measure: lonely,
        floor: None,
        only: None,
    },
    Footprint {
        name: "heap after all of N have left",
        ceiling: 4096.0,
        measure: |n| after_peak(n, 0),
        floor: None,
        only: None,
    },
    Footprint {
        name: "heap per entry where 1 of 100 stayed",
        ceiling: 1500.0,
        measure: |n| after_peak(n, n / 100),
        floor: None,
        only: None,
    },
    Footprint {
        name: "bytes of a digest, per dead incarnation",
        ceiling: 200.0,
        measure: |_| dead(1_000, false),
        floor: None,
        only: Some(1_000),
    },
    Footprint {
        name: "heap per dead incarnation",
        ceiling: 500.0,
        measure: |n| dead(n, true),
        floor: None,
        only: Some(10_000),
    },
    Footprint {
        name: "heap growth over join + leave pairs",
        ceiling: 0.0,
        measure: churn,
        floor: None,
        only: Some(1_000_000),
    },
];

fn joined(n: usize) -> f64 {
    let (usage, state) = heap::count(|| workload::local(n));
    drop(state);
    usage.live as f64 / n as f64
}

fn decoded(n: usize) -> f64 {
    let payload = to_json_string(&workload::local(n)).expect("metadata is shallow");
    let (usage, state) = heap::count(|| from_json::<JsonMeta>(&payload));
    drop(state.expect("just encoded"));
    usage.live as f64 / n as f64
}

/// What a receiver holds where each join came as a delta of its own, decoded, under
/// names as they are in production.
fn traffic(n: usize) -> f64 {
    const SENDER: &str = "lattice-presence:v1:AZNc__77eryd7wARIjNE_w:presence.eu-central-1";
    let mut sender = State::new(SENDER);
    let mut payload = |i| {
        let (topic, key, pid) = workload::slot(i, n);
        let topic = format!("production:{topic}");
        drop(
            sender
                .join(&pid, &topic, &key, workload::meta(i))
                .expect("clocks last"),
        );
        delta_to_json_string(&sender.take_delta().expect("a join")).expect("shallow")
    };
    let payloads: Vec<String> = (0..n).map(&mut payload).collect();
    let (usage, state) = heap::count(|| {
        let mut state = State::new(LOCAL);
        for payload in &payloads {
            let delta = delta_from_json(payload).expect("just encoded");
            drop(state.merge_delta_with_diff(&delta).expect("two names"));
        }
        state
    });
    drop(state);
    usage.live as f64 / n as f64
}

fn lonely(n: usize) -> f64 {
    let (usage, state) = heap::count(|| {
        let mut state = State::new(LOCAL);
        for i in 0..n {
            let (_, key, pid) = workload::slot(i, n);
            let topic = format!("room:{i}");
            drop(
                state
                    .join(&pid, &topic, &key, workload::meta(i))
                    .expect("clocks last"),
            );
        }
        drop(state.take_delta());
        state
    });
    drop(state);
    usage.live as f64 / n as f64
}

/// What is held, per entry or in all, when all but `stay` of N have left in any order.
fn after_peak(n: usize, stay: usize) -> f64 {
    let (usage, state) = heap::count(|| {
        let mut state = workload::local(n);
        let slots = workload::shuffled_slots(0..n, n);
        for (topic, key, pid) in slots.iter().skip(stay) {
            drop(state.leave(pid, topic, key));
        }
        drop(state.take_delta());
        state
    });
    assert_eq!(state.len(), stay);
    usage.live as f64 / stay.max(1) as f64
}

/// What each life of a node costs that is over: heap in a state, or bytes of its
/// digest as it is written.
fn dead(lives: usize, in_heap: bool) -> f64 {
    let (usage, state) = heap::count(|| extremes::lived(lives));
    let bytes = if in_heap {
        usage.live as f64
    } else {
        let digest = digest_to_json_string(&state.digest());
        digest.expect("a digest is shallow").len() as f64
    };
    bytes / lives as f64
}

fn plain_map(n: usize) -> f64 {
    let (usage, map) = heap::count(|| {
        let mut map = PlainMap::new();
        floors::insert_all(&mut map, workload::joins(0..n, n));
        map
    });
    drop(map);
    usage.live as f64 / n as f64
}

/// Users who are there at any time of the churn.
pub const PRESENT: usize = 1000;

/// A state of 1,000 entries of which any one leaves and a new one joins, again
/// and again: holes open everywhere in the run.
#[derive(Debug)]
pub struct Churn {
    state: State,
    present: Vec<usize>,
    next: usize,
    random: Random,
}

impl Churn {
    /// The first 1,000 join.
    #[must_use]
    pub fn new() -> Self {
        // Far enough from 0 for all strings to be of one length: bytes would
        // follow the digits otherwise.
        let first = 100_000_000;
        let next = first + PRESENT;
        let mut churn = Self {
            state: State::new(LOCAL),
            present: (first..next).collect(),
            next,
            random: Random::new(next as u64),
        };
        churn.enter();
        churn
    }

    /// So many leave, and as many join.
    pub fn turn(&mut self, pairs: usize) {
        for _ in 0..pairs {
            let at = self.random.below(PRESENT);
            leave(&mut self.state, self.present[at]);
            self.present[at] = self.next;
            join(&mut self.state, self.next);
            self.next += 1;
        }
        drop(self.state.take_delta());
    }

    /// Bytes that the state takes when everybody has left for a moment, counted
    /// from the start of [`heap::count`]. Whatever the churn leaves behind is in
    /// there; how full the runs of a room happen to be is not.
    pub fn residue(&mut self) -> i64 {
        for &i in &self.present {
            leave(&mut self.state, i);
        }
        drop(self.state.take_delta());
        let residue = heap::live_so_far();
        self.enter();
        residue
    }

    fn enter(&mut self) {
        for &i in &self.present {
            join(&mut self.state, i);
        }
    }
}

impl Default for Churn {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that `pairs` of a leave and a join leave behind, after a warm-up of a
/// tenth of them.
fn churn(pairs: usize) -> f64 {
    let (_, growth) = heap::count(|| {
        let mut churn = Churn::new();
        churn.turn(pairs / 10);
        let warm = churn.residue();
        churn.turn(pairs);
        churn.residue() - warm
    });
    growth as f64
}

fn join(state: &mut State, i: usize) {
    let (topic, key, pid) = workload::slot(i, PRESENT);
    let diff = state.join(&pid, &topic, &key, workload::meta(i));
    drop(diff.expect("clocks last"));
}

fn leave(state: &mut State, i: usize) {
    let (topic, key, pid) = workload::slot(i, PRESENT);
    drop(state.leave(&pid, &topic, &key));
}
