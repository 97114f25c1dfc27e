//! Growth, asserted by counting instead of timing.
//!
//! Counted are calls of the allocator, the bytes asked for, and clones of the
//! metadata. Visits of entries cannot be counted from outside; what stands for
//! them is that an operation which copied, listed or re-indexed entries would
//! allocate for them. The clock has the rest: the table of `cargo xtask bench`.

#![allow(clippy::unwrap_used, reason = "a failed merge fails the test")]

use std::cell::Cell;
use std::hint::black_box;

use lattice_benches::heap::{self, Counting, Usage};
use lattice_benches::operations::memory::{Churn, PRESENT};
use lattice_benches::workload::{self, LOCAL, REMOTE};
use lattice_presence::{PresenceDelta, PresenceState};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOTHING: Usage = Usage {
    allocations: 0,
    allocated: 0,
    live: 0,
};

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;

thread_local! {
    static CLONES: Cell<usize> = const { Cell::new(0) };
}

/// Metadata that counts its clones.
struct Cloned;

impl Clone for Cloned {
    fn clone(&self) -> Self {
        CLONES.set(CLONES.get() + 1);
        Self
    }
}

fn joined(replica: &str, range: std::ops::Range<usize>, n: usize) -> PresenceState<Cloned> {
    let mut state = PresenceState::new(replica);
    for i in range {
        let (topic, key, pid) = workload::slot(i, n);
        drop(state.join(&pid, &topic, &key, Cloned).unwrap());
    }
    let _ = state.take_delta();
    state
}

/// N local entries and N remote ones, merged; and the remote state.
fn merged(n: usize) -> (PresenceState<Cloned>, PresenceState<Cloned>) {
    let mut state = joined(LOCAL, 0..n, n);
    let remote = joined(REMOTE, n..2 * n, n);
    state.merge(&remote).unwrap();
    (state, remote)
}

#[test]
fn the_allocator_is_counted() {
    let (usage, block) = heap::count(|| black_box(vec![0_u8; 100]));
    assert_eq!((usage.allocations, usage.live), (1, 100));
    let (usage, ()) = heap::count(|| drop(block));
    assert_eq!((usage.allocations, usage.live), (0, -100));
}

#[test]
fn merging_nothing_new_allocates_nothing_at_any_size() {
    for n in [SMALL, LARGE] {
        let (mut state, remote) = merged(n);
        let snapshot = remote.snapshot();
        CLONES.set(0);
        let (usage, ()) = heap::count(|| {
            state.merge(&remote).unwrap();
            assert!(state.merge_with_diff(&remote).unwrap().is_empty());
            state.merge_delta(&snapshot).unwrap();
            assert!(state.merge_delta_with_diff(&snapshot).unwrap().is_empty());
        });
        assert_eq!((usage, CLONES.get()), (NOTHING, 0), "N = {n}");
    }
}

#[test]
fn reads_allocate_nothing() {
    let (mut state, _) = merged(SMALL);
    let read = |state: &PresenceState<Cloned>, entries: usize| {
        let (usage, ()) = heap::count(|| {
            assert_eq!(state.online_list().count(), entries);
            assert_eq!(state.topics().count(), SMALL / 10);
            assert_eq!(state.get_by_topic("room:7").count(), entries / 100);
            assert_eq!(state.topic_len("room:7"), entries / 100);
            assert_eq!(state.get_by_key("room:7", "user7").count(), 1);
            assert_eq!(state.get_by_pid("pid-7").count(), 1);
            assert!(state.contains("pid-7", "room:7", "user7"));
            assert_eq!((state.len(), state.is_empty()), (entries, false));
            assert_eq!(state.get_by_topic("nowhere").count(), 0);
        });
        assert_eq!(usage, NOTHING);
    };
    read(&state, 2 * SMALL);
    let _ = state.replica_down(&REMOTE.into());
    read(&state, SMALL);
}

/// What the merge of 100 joins and 100 leaves into 2N entries asks for. A first
/// such delta pays for room to grow, of which the second has plenty left.
fn usage_of_a_delta(n: usize) -> Usage {
    let (mut state, mut remote) = merged(n);
    let mut send = |first: usize| {
        for i in first..first + 100 {
            let (topic, key, pid) = workload::slot(i, n);
            drop(remote.join(&pid, &topic, &key, Cloned).unwrap());
            let (topic, key, pid) = workload::slot(i - n, n);
            assert!(!remote.leave(&pid, &topic, &key).is_empty());
        }
        let delta: PresenceDelta<Cloned> = remote.take_delta().unwrap();
        CLONES.set(0);
        let (usage, ()) = heap::count(|| state.merge_delta(&delta).unwrap());
        assert_eq!((state.len(), CLONES.get()), (2 * n, 0));
        usage
    };
    let _ = send(2 * n);
    send(2 * n + 100)
}

#[test]
fn a_delta_costs_what_it_holds_at_any_size() {
    let (small, large) = (usage_of_a_delta(SMALL), usage_of_a_delta(LARGE));
    // Runs and tables that happen to grow differ by a few.
    assert!(
        large.allocations <= small.allocations + 8,
        "{large:?} against {small:?}"
    );
    assert!(
        large.allocated <= small.allocated + 4096,
        "{large:?} against {small:?}"
    );
}

#[test]
fn a_delta_for_a_peer_costs_what_it_holds_at_any_size() {
    let usage = |n| {
        let (mut state, _) = merged(n);
        let digest = state.digest();
        let (topic, key, pid) = workload::slot(2 * n, n);
        drop(state.join(&pid, &topic, &key, Cloned).unwrap());
        let (usage, delta) = heap::count(|| state.delta_since(&digest));
        assert_eq!(delta.len(), 1);
        usage
    };
    let (small, large) = (usage(SMALL), usage(LARGE));
    assert!(
        large.allocations <= small.allocations + 4,
        "{large:?} against {small:?}"
    );
}

#[test]
fn churn_leaves_nothing_behind_and_takes_no_more_room() {
    let pairs = 20 * PRESENT;
    let (_, ()) = heap::count(|| {
        let mut churn = Churn::new();
        churn.turn(pairs);
        let (warm, residue) = (highest(&mut churn, pairs), churn.residue());
        churn.turn(pairs);
        let (end, left) = (highest(&mut churn, pairs), churn.residue());
        assert_eq!(left, residue, "bytes when everybody has left");
        assert!(
            end <= warm + warm / 20,
            "at most {warm} bytes after {pairs} pairs, {end} after three times as many"
        );
    });
}

/// The most bytes seen at the end of a hundred turns.
fn highest(churn: &mut Churn, pairs: usize) -> i64 {
    let turns = (0..100).map(|_| {
        churn.turn(pairs / 100);
        heap::live_so_far()
    });
    turns.max().unwrap_or_default()
}
