//! What the local replica writes.

use lattice_presence::Diff;
use lattice_presence_json::JsonMeta;

use crate::case::{Case, Ceiling, Operation, timed};
use crate::floors::{self, PlainMap};
use crate::peer::{self, Member};
use crate::workload::{self, LOCAL, Slot, State};

/// Join, leave, leave by pid.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "join",
        ceiling: Ceiling::Ratio(3.0),
        prepare: join,
    },
    Operation {
        name: "leave",
        ceiling: Ceiling::Ratio(2.0),
        prepare: leave,
    },
    Operation {
        name: "leave_by_pid",
        ceiling: Ceiling::Ratio(2.0),
        prepare: leave_by_pid,
    },
];

/// N joins into an empty state; floor: N inserts into an empty map. Both grow.
fn join(n: usize) -> Case {
    Case::new(n, move || {
        let (slots, metas): (Vec<_>, Vec<_>) = workload::joins(0..n, n).into_iter().unzip();
        let mut state = State::new(LOCAL);
        timed(|| {
            workload::join_all(&mut state, &slots, metas);
            state
        })
    })
    .floor(move || {
        let joins = workload::joins(0..n, n);
        let mut map = PlainMap::new();
        timed(|| {
            floors::insert_all(&mut map, joins);
            map
        })
    })
    .peer(move || {
        let joins = workload::joins(0..n, n);
        timed(|| peer::added(LOCAL, joins))
    })
}

/// N leaves in shuffled order until none is left. What a leave returns is kept,
/// and dropped outside of the time, on both sides.
fn leave(n: usize) -> Case {
    emptied(n, |state, slots| {
        let mut diffs = Vec::with_capacity(slots.len());
        for (topic, key, pid) in slots {
            diffs.push(state.leave(pid, topic, key));
        }
        diffs
    })
    .peer(move || {
        let members: Vec<Member> = shuffled_members(n);
        let mut set = peer::added(LOCAL, workload::joins(0..n, n));
        timed(|| {
            peer::remove_all(&mut set, members);
            set
        })
    })
}

/// As leave; every pid of the work holds one entry.
fn leave_by_pid(n: usize) -> Case {
    emptied(n, |state, slots| {
        let mut diffs = Vec::with_capacity(slots.len());
        for (_, _, pid) in slots {
            diffs.push(state.leave_by_pid(pid));
        }
        diffs
    })
}

fn emptied(n: usize, empty: fn(&mut State, &[Slot]) -> Vec<Diff<JsonMeta>>) -> Case {
    let ours = workload::shuffled_slots(0..n, n);
    let floor = ours.clone();
    Case::new(n, move || {
        let mut state = workload::local(n);
        timed(|| {
            let diffs = empty(&mut state, &ours);
            (state, diffs)
        })
    })
    .floor(move || {
        let mut map: PlainMap = PlainMap::new();
        floors::insert_all(&mut map, workload::joins(0..n, n));
        timed(|| {
            let removed = floors::remove_all(&mut map, &floor);
            (map, removed)
        })
    })
}

fn shuffled_members(n: usize) -> Vec<Member> {
    let mut order: Vec<usize> = (0..n).collect();
    workload::Random::new(n as u64).shuffle(&mut order);
    order
        .into_iter()
        .map(|i| (workload::slot(i, n), workload::meta(i)).into())
        .collect()
}
