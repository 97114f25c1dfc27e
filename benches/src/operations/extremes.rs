//! Workloads in which something is very unevenly spread, and the longest single calls.

use std::time::Duration;

use cpu_time::ThreadTime;
use lattice_presence::{Diff, JoinError, ReplicaId};
use lattice_presence_json::JsonMeta;

use crate::case::{Case, Ceiling, Operation, age_allocator, timed};
use crate::workload::{self, Delta, LOCAL, Random, State};

/// No call may pause: five milliseconds, at any N.
const LONGEST: f64 = 5e6;

/// What a call may take in an uneven world, up to N = 100,000.
const CALL: f64 = 3000.0;

/// Hot keys, hot pids, many marks, late arrivals; the longest join and leave.
pub const OPERATIONS: &[Operation] = &[
    stated("one key of N connections: join", hot_key_join),
    stated("one key of N connections: leave", hot_key_leave),
    stated("one key of N connections: contains", hot_key_contains),
    stated("one pid in N topics: leave_by_pid", hot_pid_leave),
    stated("N topics of one member: join, leave", lonely),
    stated("N late deltas, newest first, one topic", reversed),
    stated("10,000 marks: join, leave, topic_len", marked),
    stated("an echo of one join among N", echo),
    stated("1,000 dead incarnations: merge again", |_| restarts(1_000)),
    stated("10,000 dead incarnations: merge again", |_| {
        restarts(10_000)
    }),
    stated("10,000 pruned incarnations: merge again", |_| {
        pruned(10_000)
    }),
    Operation {
        name: "longest join on the way to N",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: longest_join,
    },
    Operation {
        name: "99.9 % of joins on the way to N take at most",
        ceiling: Ceiling::Stated,
        prepare: late_join,
    },
    Operation {
        name: "longest leave on the way from N",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: longest_leave,
    },
    Operation {
        name: "99.9 % of leaves on the way from N take at most",
        ceiling: Ceiling::Stated,
        prepare: late_leave,
    },
];

const fn stated(name: &'static str, prepare: fn(usize) -> Case) -> Operation {
    Operation {
        name,
        ceiling: Ceiling::Nanoseconds(CALL),
        prepare,
    }
}

fn done(joined: Result<Diff<JsonMeta>, JoinError>) {
    drop(joined.expect("clocks last"));
}

fn pid(i: usize) -> String {
    format!("pid-{i}")
}

/// Calls in one sample on a world that stays.
const CALLS: usize = 512;

fn hot_key(n: usize) -> State {
    let mut state = State::new(LOCAL);
    for i in 0..n {
        done(state.join(&pid(i), "room", "user", workload::meta(i)));
    }
    let _ = state.take_delta();
    state
}

fn hot_key_join(n: usize) -> Case {
    let pids: Vec<String> = (0..n).map(pid).collect();
    Case::new(n, move || {
        let metas: Vec<JsonMeta> = (0..n).map(workload::meta).collect();
        let mut state = State::new(LOCAL);
        timed(|| {
            for (pid, meta) in pids.iter().zip(metas) {
                done(state.join(pid, "room", "user", meta));
            }
            state
        })
    })
}

fn hot_key_leave(n: usize) -> Case {
    let mut pids: Vec<String> = (0..n).map(pid).collect();
    Random::new(n as u64).shuffle(&mut pids);
    Case::new(n, move || {
        let mut state = hot_key(n);
        timed(|| {
            for pid in &pids {
                drop(state.leave(pid, "room", "user"));
            }
            state
        })
    })
}

fn hot_key_contains(n: usize) -> Case {
    let state = hot_key(n);
    let mut random = Random::new(n as u64);
    Case::new(CALLS, move || {
        // Every second one is not there.
        let asked: Vec<String> = (0..CALLS).map(|_| pid(random.below(2 * n))).collect();
        timed(|| {
            let there = asked
                .iter()
                .filter(|pid| state.contains(pid, "room", "user"));
            there.count()
        })
    })
}

fn hot_pid_leave(n: usize) -> Case {
    Case::new(n, move || {
        let mut state = State::new(LOCAL);
        for i in 0..n {
            let (topic, key, _) = workload::slot(i, n);
            done(state.join("pid", &topic, &key, workload::meta(i)));
        }
        timed(|| {
            let diff = state.leave_by_pid("pid");
            assert_eq!(diff.len(), n);
            (state, diff)
        })
    })
}

/// Half of a unit is a join, half a leave.
fn lonely(n: usize) -> Case {
    let slots: Vec<_> = (0..n)
        .map(|i| (format!("room:{i}"), format!("user{i}"), pid(i)))
        .collect();
    Case::new(2 * n, move || {
        let metas: Vec<JsonMeta> = (0..n).map(workload::meta).collect();
        let mut state = State::new(LOCAL);
        timed(|| {
            for ((topic, key, pid), meta) in slots.iter().zip(metas) {
                done(state.join(pid, topic, key, meta));
            }
            for (topic, key, pid) in &slots {
                drop(state.leave(pid, topic, key));
            }
            state
        })
    })
}

fn reversed(n: usize) -> Case {
    let mut sender = State::new(LOCAL);
    let mut deltas: Vec<Delta> = Vec::with_capacity(n);
    for i in 0..n {
        let (_, key, pid) = workload::slot(i, n);
        done(sender.join(&pid, "room", &key, workload::meta(i)));
        deltas.extend(sender.take_delta());
    }
    Case::new(n, move || {
        let mut state = State::new("receiver");
        timed(|| {
            for delta in deltas.iter().rev() {
                state.merge_delta(delta).expect("two names");
            }
            state
        })
    })
}

/// N entries, and so many replicas marked that have nothing here.
fn with_marks(n: usize, marks: usize) -> State {
    let mut state = workload::local(n);
    for i in 0..marks {
        let _ = state.replica_down(&ReplicaId::new(format!("life-{i}")));
    }
    state
}

fn marked(n: usize) -> Case {
    let mut state = with_marks(n, 10_000);
    Case::new(3 * CALLS, move || {
        let joins = workload::joins(n..n + CALLS, n);
        timed(|| {
            let mut members = 0;
            for ((topic, key, pid), meta) in joins {
                done(state.join(&pid, &topic, &key, meta));
                members += state.topic_len(&topic);
                drop(state.leave(&pid, &topic, &key));
            }
            assert!(members >= CALLS, "whoever joined is counted");
        })
    })
}

fn echo(n: usize) -> Case {
    let mut state = workload::local(n);
    Case::new(CALLS, move || {
        let mut echoes = Vec::with_capacity(CALLS);
        for ((topic, key, pid), meta) in workload::joins(0..CALLS, n) {
            done(state.join(&pid, &topic, &key, meta));
            echoes.extend(state.take_delta());
        }
        timed(|| {
            for echo in &echoes {
                state.merge_delta(echo).expect("an echo");
            }
        })
    })
}

/// The id of one life of one base, later ones being newer.
fn life(n: usize) -> ReplicaId {
    let mut uuid = [0; 16];
    uuid[2..6].copy_from_slice(&(n as u32 + 1).to_be_bytes());
    (uuid[6], uuid[8]) = (0x70, 0x80);
    ReplicaId::incarnation("node", uuid)
}

/// A state that has seen so many lives of one node, one user each, who left.
pub(crate) fn lived(lives: usize) -> State {
    let mut state = State::new("observer");
    for n in 0..lives {
        let mut one = State::new(life(n));
        done(one.join("pid", "room", "user", workload::meta(n)));
        state.merge(&one).expect("two names");
        drop(one.leave("pid", "room", "user"));
        state.merge(&one).expect("two names");
    }
    state
}

fn again(mut state: State) -> Case {
    let mut peer = State::new("peer");
    peer.merge(&state).expect("two names");
    let delta = peer.snapshot();
    Case::new(1, move || {
        timed(|| state.merge_delta(&delta).expect("two names"))
    })
}

fn restarts(lives: usize) -> Case {
    let case = again(lived(lives));
    // The ceiling is that of a call; what is merged again are all the lives.
    Case {
        units: lives,
        ..case
    }
}

fn pruned(lives: usize) -> Case {
    let mut state = lived(lives);
    for n in 0..lives - 1 {
        let _ = state.replica_down(&life(n));
        let _ = state.remove_down_replica(&life(n)).expect("it is down");
    }
    Case {
        units: lives,
        ..again(state)
    }
}

/// How long each call took, ascending.
fn sorted(mut calls: Vec<Duration>) -> Vec<Duration> {
    calls.sort_unstable();
    calls
}

fn joins(n: usize) -> Vec<Duration> {
    let joins = workload::joins(0..n, n);
    let mut state = State::new(LOCAL);
    age_allocator();
    let calls = joins.into_iter().map(|((topic, key, pid), meta)| {
        let start = ThreadTime::now();
        let diff = state.join(&pid, &topic, &key, meta);
        let took = start.elapsed();
        done(diff);
        took
    });
    sorted(calls.collect())
}

/// What a leave returns is kept, as in the row of all leaves: else the allocator puts
/// hundreds of thousands of freed blocks together in the middle of some call.
fn leaves(n: usize) -> Vec<Duration> {
    let slots = workload::shuffled_slots(0..n, n);
    let mut state = workload::local(n);
    let mut diffs = Vec::with_capacity(n);
    age_allocator();
    let calls = slots.iter().map(|(topic, key, pid)| {
        let start = ThreadTime::now();
        let diff = state.leave(pid, topic, key);
        let took = start.elapsed();
        diffs.push(diff);
        took
    });
    sorted(calls.collect())
}

fn last(calls: &[Duration]) -> Duration {
    calls.last().copied().unwrap_or_default()
}

fn late(calls: &[Duration]) -> Duration {
    calls[calls.len() - 1 - calls.len() / 1000]
}

fn longest_join(n: usize) -> Case {
    Case::new(1, move || last(&joins(n)))
}

fn late_join(n: usize) -> Case {
    Case::new(1, move || late(&joins(n)))
}

fn longest_leave(n: usize) -> Case {
    Case::new(1, move || last(&leaves(n)))
}

fn late_leave(n: usize) -> Case {
    Case::new(1, move || late(&leaves(n)))
}
