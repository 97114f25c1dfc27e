//! What comes in from others, and what goes out to them.

use std::collections::VecDeque;

use crdts::{CmRDT, CvRDT};
use lattice_presence::ReplicaId;

use crate::case::{Case, Ceiling, Operation, timed};
use crate::floors::{self, PlainMap};
use crate::peer::{self, Member, Op};
use crate::workload::{self, Delta, LOCAL, REMOTE, Random, State};

/// Merges and deltas.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "merge a disjoint N into N",
        ceiling: Ceiling::Ratio(2.5),
        prepare: merge_disjoint,
    },
    Operation {
        name: "merge a disjoint N into N, with diff",
        ceiling: Ceiling::Stated,
        prepare: merge_disjoint_with_diff,
    },
    Operation {
        name: "merge again, nothing new",
        ceiling: Ceiling::Nanoseconds(2000.0),
        prepare: merge_again,
    },
    Operation {
        name: "merge a delta of 100 joins + 100 leaves into 2N",
        ceiling: Ceiling::Ratio(2.0),
        prepare: merge_delta,
    },
    Operation {
        name: "delta_since, 100 changes behind, 64 replicas",
        ceiling: Ceiling::Stated,
        prepare: delta_since,
    },
];

fn merge_disjoint(n: usize) -> Case {
    let seen = workload::remote(n);
    let other = peer::added(REMOTE, workload::joins(n..2 * n, n));
    Case::new(n, move || {
        let mut state = workload::local(n);
        timed(|| {
            state.merge(&seen).expect("two names");
            state
        })
    })
    .floor(move || grown(n))
    .peer(move || {
        let mut set = peer::added(LOCAL, workload::joins(0..n, n));
        let other = other.clone();
        timed(|| {
            set.merge(other);
            set
        })
    })
}

fn merge_disjoint_with_diff(n: usize) -> Case {
    let seen = workload::remote(n);
    Case::new(n, move || {
        let mut state = workload::local(n);
        timed(|| {
            let diff = state.merge_with_diff(&seen).expect("two names");
            (state, diff)
        })
    })
    .floor(move || grown(n))
}

/// Inserts N joins into a map that holds N others.
fn grown(n: usize) -> std::time::Duration {
    let mut map = PlainMap::new();
    floors::insert_all(&mut map, workload::joins(0..n, n));
    let joins = workload::joins(n..2 * n, n);
    timed(|| {
        floors::insert_all(&mut map, joins);
        map
    })
}

/// Calls in one sample of a repeated merge:
/// enough of them to drown the clock's own cost.
const REPEATS: usize = 2048;

fn merge_again(n: usize) -> Case {
    let seen = workload::remote(n);
    let mut state = workload::local(n);
    state.merge(&seen).expect("two names");
    let other = peer::added(REMOTE, workload::joins(n..2 * n, n));
    let mut set = peer::added(LOCAL, workload::joins(0..n, n));
    set.merge(other.clone());
    Case::new(REPEATS, move || {
        timed(|| {
            for _ in 0..REPEATS {
                state.merge(std::hint::black_box(&seen)).expect("two names");
            }
        })
    })
    .peer(move || {
        let other = other.clone();
        // One merge stands for all: nobody wants to wait for thousands.
        timed(|| set.merge(other)) * REPEATS as u32
    })
}

/// Joins in one delta, and leaves.
const CHANGES: usize = 100;

/// Deltas of one sender, one after the other: N stays what it is.
struct Sender {
    n: usize,
    next: usize,
    live: Vec<usize>,
    random: Random,
}

impl Sender {
    fn new(n: usize) -> Self {
        Self {
            n,
            next: 2 * n,
            live: (n..2 * n).collect(),
            random: Random::new(n as u64),
        }
    }

    /// Who joins and who leaves next.
    fn changes(&mut self) -> (Vec<usize>, Vec<usize>) {
        let joins: Vec<usize> = (self.next..self.next + CHANGES).collect();
        self.next += CHANGES;
        let leaves = (0..CHANGES).map(|_| {
            let at = self.random.below(self.live.len());
            self.live.swap_remove(at)
        });
        let leaves = leaves.collect();
        self.live.extend(&joins);
        (joins, leaves)
    }
}

fn merge_delta(n: usize) -> Case {
    Case::new(2 * CHANGES, merge_delta_ours(n))
        .floor(merge_delta_floor(n))
        .peer(merge_delta_peer(n))
}

/// Deltas that wait for their turn, so that what the sender touched to make one
/// is out of the caches again.
const QUEUE: usize = 16;

fn merge_delta_ours(n: usize) -> impl FnMut() -> std::time::Duration + 'static {
    let mut sending = workload::remote(n);
    let mut state = workload::local(n);
    let snapshot = workload::received(&sending.snapshot());
    state.merge_delta(&snapshot).expect("two names");
    let mut sender = Sender::new(n);
    let mut queue = VecDeque::new();
    move || {
        if queue.is_empty() {
            queue.extend((0..QUEUE).map(|_| next_delta(&mut sending, &mut sender)));
        }
        let delta = queue.pop_front().expect("just filled");
        timed(|| {
            state.merge_delta(&delta).expect("two names");
            delta
        })
    }
}

fn next_delta(sending: &mut State, sender: &mut Sender) -> Delta {
    let n = sender.n;
    let (joins, leaves) = sender.changes();
    for i in joins {
        let (topic, key, pid) = workload::slot(i, n);
        let joined = sending.join(&pid, &topic, &key, workload::meta(i));
        drop(joined.expect("clocks last"));
    }
    for i in leaves {
        let (topic, key, pid) = workload::slot(i, n);
        drop(sending.leave(&pid, &topic, &key));
    }
    let delta = sending.take_delta().expect("something changed");
    workload::received(&delta)
}

fn merge_delta_floor(n: usize) -> impl FnMut() -> std::time::Duration + 'static {
    let mut map = PlainMap::new();
    floors::insert_all(&mut map, workload::joins(0..2 * n, n));
    let mut sender = Sender::new(n);
    move || {
        let (joins, leaves) = sender.changes();
        let joins: Vec<_> = joins
            .into_iter()
            .map(|i| (workload::slot(i, n), workload::meta(i)))
            .collect();
        let slots: Vec<_> = leaves.into_iter().map(|i| workload::slot(i, n)).collect();
        timed(|| {
            floors::insert_all(&mut map, joins);
            let _ = floors::remove_all(&mut map, &slots);
        })
    }
}

/// The peer has no deltas; it sends one operation a change.
fn merge_delta_peer(n: usize) -> impl FnMut() -> std::time::Duration + 'static {
    let mut sending = peer::added(REMOTE, workload::joins(n..2 * n, n));
    let mut set = peer::added(LOCAL, workload::joins(0..n, n));
    set.merge(sending.clone());
    let mut sender = Sender::new(n);
    move || {
        let member = |i| -> Member { (workload::slot(i, n), workload::meta(i)).into() };
        let (joins, leaves) = sender.changes();
        let mut ops: Vec<Op> = Vec::new();
        for i in joins {
            ops.push(peer::add(&mut sending, REMOTE, member(i)));
        }
        for i in leaves {
            ops.push(peer::remove(&mut sending, member(i)));
        }
        timed(|| {
            for op in ops {
                set.apply(op);
            }
        })
    }
}

/// Replicas of the cluster whose state is asked.
const REPLICAS: usize = 64;

/// The local replica of a cluster of 64 made 50 joins and 50 leaves since the
/// peer's digest.
fn delta_since(n: usize) -> Case {
    const CALLS: usize = 8;
    let share = n / REPLICAS;
    let name = |replica: usize| format!("node-{replica:02}");
    let mut state = workload::joined(&name(0), 0..share, n);
    for replica in 1..REPLICAS {
        let others = share * replica..share * (replica + 1);
        let other = workload::joined(&name(replica), others, n);
        state.merge(&other).expect("other names");
    }
    let digest = state.digest();
    // The smallest share is 15 entries, fewer than 50: some of the leaves are of
    // the entries that just joined.
    let new = n..n + CHANGES / 2;
    for i in new.clone() {
        let (topic, key, pid) = workload::slot(i, n);
        drop(state.join(&pid, &topic, &key, workload::meta(i)));
    }
    for i in (0..share).chain(new).take(CHANGES / 2) {
        let (topic, key, pid) = workload::slot(i, n);
        drop(state.leave(&pid, &topic, &key));
    }
    assert_eq!(state.replica(), &ReplicaId::new(name(0)), "its own changes");
    Case::new(CALLS, move || {
        let mut deltas = Vec::with_capacity(CALLS);
        timed(|| {
            deltas.extend((0..CALLS).map(|_| state.delta_since(&digest)));
            deltas
        })
    })
}
