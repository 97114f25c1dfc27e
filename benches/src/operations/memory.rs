//! What the heap holds. Bytes as asked of the allocator, its own overhead aside.

use lattice_presence_json::{JsonMeta, from_json, to_json_string};

use crate::floors::{self, PlainMap};
use crate::heap;
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

fn plain_map(n: usize) -> f64 {
    let (usage, map) = heap::count(|| {
        let mut map = PlainMap::new();
        floors::insert_all(&mut map, workload::seats(0..n, n));
        map
    });
    drop(map);
    usage.live as f64 / n as f64
}

/// Users who are there at any time of the churn.
const PRESENT: usize = 1000;

/// Bytes that `pairs` of a leave and a join add to a state of 1,000 entries,
/// after a warm-up of a tenth of them. The one who leaves is any of those present,
/// so holes open everywhere in the run; whoever joins is new.
fn churn(pairs: usize) -> f64 {
    let mut random = Random::new(pairs as u64);
    // Strings of one length, or the counted bytes follow the digits.
    let mut present: Vec<usize> = (0..PRESENT).map(|i| i + pairs * 10).collect();
    let mut next = PRESENT + pairs * 10;
    let (_, (warm, end)) = heap::count(|| {
        let mut state = State::new(LOCAL);
        for &i in &present {
            join(&mut state, i);
        }
        let mut turn = |state: &mut State, pairs: usize| {
            for _ in 0..pairs {
                let at = random.below(PRESENT);
                let (topic, key, pid) = workload::slot(present[at], PRESENT);
                drop(state.leave(&pid, &topic, &key));
                present[at] = next;
                join(state, next);
                next += 1;
            }
            drop(state.take_delta());
        };
        turn(&mut state, pairs / 10);
        let warm = heap::live_so_far();
        turn(&mut state, pairs);
        (warm, heap::live_so_far())
    });
    (end - warm) as f64
}

fn join(state: &mut State, i: usize) {
    let (topic, key, pid) = workload::slot(i, PRESENT);
    drop(
        state
            .join(&pid, &topic, &key, workload::meta(i))
            .expect("clocks last"),
    );
}
