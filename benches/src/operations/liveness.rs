//! Replicas that go down and come back.

use lattice_presence::ReplicaId;

use crate::case::{Case, Ceiling, Operation, timed};
use crate::floors::{self, PlainMap};
use crate::workload::{self, REMOTE, State};

/// Down and up.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "replica_down of N",
        ceiling: Ceiling::Ratio(0.5),
        prepare: down,
    },
    Operation {
        name: "replica_up of N",
        ceiling: Ceiling::Ratio(0.5),
        prepare: up,
    },
];

fn down(n: usize) -> Case {
    let mut state = both(n);
    let remote = ReplicaId::new(REMOTE);
    Case::new(n, move || {
        let _ = state.replica_up(&remote);
        timed(|| state.replica_down(&remote))
    })
    .floor(move || inserted(n))
}

fn up(n: usize) -> Case {
    let mut state = both(n);
    let remote = ReplicaId::new(REMOTE);
    Case::new(n, move || {
        let _ = state.replica_down(&remote);
        timed(|| state.replica_up(&remote))
    })
    .floor(move || inserted(n))
}

/// N local entries, and N of the replica that goes and comes.
fn both(n: usize) -> State {
    let mut state = workload::local(n);
    let snapshot = workload::received(&workload::remote(n).snapshot());
    state.merge_delta(&snapshot).expect("two names");
    state
}

fn inserted(n: usize) -> std::time::Duration {
    let joins = workload::joins(n..2 * n, n);
    let mut map = PlainMap::new();
    timed(|| {
        floors::insert_all(&mut map, joins);
        map
    })
}
