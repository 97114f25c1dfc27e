//! How costs grow, asserted by counting steps instead of time.
//!
//! Each test does the same call in a small world and in one that is sixteen times as
//! large, or has sixteen times as many marks, and allows what a binary search may take
//! more: [`FREE`] steps. A cost that follows the wrong thing is sixteen times as high.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{PresenceDelta, PresenceState, ReplicaId, steps};

type State = PresenceState<()>;

const SMALL: usize = 500;
const LARGE: usize = 16 * SMALL;

/// What the larger world may cost more: some levels of searches, half a chunk.
const FREE: u64 = 40;

/// The worst steps of `call` among some calls in a small and in a large world.
fn grows(what: &str, mut world: impl FnMut(usize) -> State, call: impl Fn(&mut State, usize)) {
    let mut worst = |n| {
        let mut state = world(n);
        let calls = (0..50).map(|i| i * (n / 50));
        let steps = calls.map(|i| steps::of(|| call(&mut state, i)).0);
        steps.max().unwrap_or_default()
    };
    let (small, large) = (worst(SMALL), worst(LARGE));
    assert!(
        large <= small + FREE,
        "{what}: {small} steps in the small world, {large} in the large one"
    );
}

fn pid(i: usize) -> String {
    format!("pid-{i}")
}

fn room(i: usize) -> String {
    format!("room-{i}")
}

fn join(state: &mut State, pid: &str, topic: &str, key: &str) {
    assert!(!state.join(pid, topic, key, ()).unwrap().is_empty());
}

/// One key with that many connections.
fn hot_key(n: usize) -> State {
    let mut state = State::new("a");
    (0..n).for_each(|i| join(&mut state, &pid(i), "room", "alice"));
    state
}

/// One connection in that many topics.
fn hot_pid(n: usize) -> State {
    let mut state = State::new("a");
    (0..n).for_each(|i| join(&mut state, "pid", &room(i), "alice"));
    state
}

/// One key in one topic with many connections, one of which is in many topics.
fn hot_both(n: usize) -> State {
    let mut state = hot_key(n);
    (0..n).for_each(|i| join(&mut state, "pid-0", &room(i), "alice"));
    state
}

#[test]
fn a_hot_key_costs_no_more_than_a_cold_one() {
    grows("join", hot_key, |state, i| {
        join(state, &format!("new-{i}"), "room", "alice");
    });
    grows("join again", hot_key, |state, i| {
        join(state, &pid(i), "room", "alice");
    });
    grows("leave", hot_key, |state, i| {
        assert_eq!(state.leave(&pid(i), "room", "alice").len(), 1);
    });
    grows("leave of nobody", hot_key, |state, _| {
        assert!(state.leave("nobody", "room", "alice").is_empty());
    });
    grows("update of nobody", hot_key, |state, _| {
        assert!(state.update("nobody", "room", "alice", ()).is_err());
    });
    grows("contains", hot_key, |state, i| {
        assert!(state.contains(&pid(i), "room", "alice"));
        assert!(!state.contains("nobody", "room", "alice"));
    });
}

#[test]
fn a_hot_pid_costs_no_more_than_a_cold_one() {
    grows("join", hot_pid, |state, i| {
        join(state, "pid", &format!("new-{i}"), "alice");
    });
    grows("leave", hot_pid, |state, i| {
        assert_eq!(state.leave("pid", &room(i), "alice").len(), 1);
    });
    grows("contains", hot_pid, |state, i| {
        assert!(state.contains("pid", &room(i), "alice"));
    });
    let all = |n| {
        let mut state = hot_pid(n);
        let (steps, diff) = steps::of(|| state.leave_by_pid("pid"));
        assert_eq!(diff.len(), n);
        steps / n as u64
    };
    assert!(
        all(LARGE) <= all(SMALL) + FREE,
        "{} {}",
        all(SMALL),
        all(LARGE)
    );
}

#[test]
fn a_key_and_a_pid_that_are_both_hot_cost_no_more() {
    grows("leave and join", hot_both, |state, _| {
        assert_eq!(state.leave("pid-0", "room", "alice").len(), 1);
        join(state, "pid-0", "room", "alice");
    });
    grows("contains", hot_both, |state, i| {
        assert!(state.contains("pid-0", "room", "alice"));
        assert!(!state.contains("pid-0", "room", &pid(i)));
    });
}

#[test]
fn topics_of_one_member_cost_a_search_among_their_names() {
    let world = |n| {
        let mut state = State::new("a");
        (0..n).for_each(|i| join(&mut state, &pid(i), &room(i), &pid(i)));
        state
    };
    grows("join", world, |state, i| {
        join(state, &pid(i), &format!("room-{i}-b"), "k");
    });
    grows("leave", world, |state, i| {
        assert_eq!(state.leave(&pid(i), &room(i), &pid(i)).len(), 1);
    });
    grows("topic_len", world, |state, i| {
        assert_eq!(state.topic_len(&room(i)), 1);
    });
}

#[test]
fn an_echo_costs_what_it_claims() {
    grows("echo", hot_key, |state, i| {
        let _ = state.take_delta();
        join(state, &pid(i), "hall", "bob");
        let echo = state.take_delta().unwrap();
        assert!(state.merge_delta_with_diff(&echo).unwrap().is_empty());
    });
}

/// Entries of `a`, with that many other replicas marked, every second one pruned.
fn marked(n: usize) -> State {
    let mut state = hot_key(SMALL);
    for i in 0..n {
        let life = ReplicaId::new(format!("life-{i}"));
        let mut former = State::new(life.clone());
        join(&mut former, &pid(i), "room", "bob");
        state.merge(&former).unwrap();
        let _ = state.replica_down(&life);
        let _ = state.remove_down_replica(&life).unwrap();
        if i % 2 == 0 {
            let _ = state.forget_replica(&life);
            let _ = state.replica_down(&life);
        }
    }
    state
}

#[test]
fn a_thousand_restarts_cost_nothing_where_nothing_of_them_is_here() {
    grows("join", marked, |state, i| {
        join(state, &format!("new-{i}"), "room", "alice");
    });
    grows("leave", marked, |state, i| {
        assert_eq!(state.leave(&pid(i % SMALL), "room", "alice").len(), 1);
        join(state, &pid(i % SMALL), "room", "alice");
    });
    grows("reads", marked, |state, _| {
        assert_eq!(state.topic_len("room"), state.len());
        assert!(state.get_by_topic("room").take(3).count() == 3);
    });
    grows("a merge", marked, |state, i| {
        let mut other = State::new(format!("z-{i}"));
        join(&mut other, "p", "room", "carol");
        assert_eq!(state.merge_with_diff(&other).unwrap().len(), 1);
    });
}

#[test]
fn hidden_entries_cost_nothing_where_they_are_not_asked_for() {
    // One visible connection of the key, and many hidden ones of many replicas.
    let world = |n: usize| {
        let mut state = State::new("m");
        join(&mut state, "pid", "room", "alice");
        for i in 0..n {
            let mut other = State::new(format!("node-{}", i % (n / 10)));
            join(&mut other, &pid(i), "room", "alice");
            if i < n / 10 {
                state.merge(&other).unwrap();
                let _ = state.replica_down(other.replica());
            }
        }
        join(&mut state, "pid-2", "hall", "bob");
        state
    };
    grows("counts and edges", world, |state, i| {
        assert_eq!((state.topic_len("room"), state.len()), (1, 2));
        let diff = state.join(&pid(i), "room", "alice", ()).unwrap();
        assert!(diff.topics()[0].arrived().is_empty(), "alice is there");
        assert_eq!(state.leave(&pid(i), "room", "alice").len(), 1);
    });
}

/// A payload that names that many replicas, with one entry each.
fn of_many(n: usize) -> PresenceDelta<()> {
    let mut all = State::new("relay");
    for i in 0..n {
        let mut one = State::new(format!("node-{i}"));
        join(&mut one, &pid(i), &room(i % 10), &pid(i));
        all.merge(&one).unwrap();
    }
    all.snapshot()
}

#[test]
fn many_replicas_in_one_payload_cost_what_each_costs() {
    let each = |n: usize| {
        let payload = of_many(n);
        let mut state = State::new("a");
        let (steps, _) = steps::of(|| state.merge_delta(&payload).unwrap());
        assert_eq!(state.len(), n);
        steps / n as u64
    };
    assert!(
        each(LARGE) <= each(SMALL) + FREE,
        "{} {}",
        each(SMALL),
        each(LARGE)
    );
}

/// The deltas of that many joins, one each, in one topic.
fn pushes(n: usize) -> Vec<PresenceDelta<()>> {
    let mut sender = State::new("b");
    let deltas = (0..n).map(|i| {
        join(&mut sender, &pid(i), "room", "alice");
        sender.take_delta().unwrap()
    });
    deltas.collect()
}

#[test]
fn reversed_arrival_costs_what_any_order_costs() {
    let worst = |n, hides: bool| {
        let mut state = State::new("a");
        if hides {
            let _ = state.replica_down(&"b".into());
        }
        let deltas = pushes(n);
        let deltas = deltas.iter().rev();
        let steps = deltas.map(|delta| steps::of(|| state.merge_delta(delta).unwrap()).0);
        let worst = steps.max().unwrap_or_default();
        assert_eq!(state.entries().count(), n);
        let clocks = state.entries().map(|entry| entry.dot().clock);
        assert!(clocks.eq(1..=n as u64));
        worst
    };
    for hides in [false, true] {
        // The directory of chunks is moved once in a hundred calls.
        let (small, large) = (worst(SMALL, hides), worst(LARGE, hides));
        assert!(large <= small + 2 * FREE, "{small} {large}");
    }
}

#[test]
fn leaving_pays_back_room_in_steps() {
    let mut state = State::new("a");
    (0..LARGE).for_each(|i| join(&mut state, &pid(i), &room(i / 4), &pid(i / 2)));
    let mut all = 0;
    for step in 0..LARGE {
        let i = step * 7919 % LARGE;
        let (steps, diff) = steps::of(|| state.leave(&pid(i), &room(i / 4), &pid(i / 2)));
        assert_eq!(diff.len(), 1);
        all += steps;
        assert!(state.places() <= 8 * state.len() + 256, "room for many");
        assert!(steps < 60_000, "{steps} steps in one call");
        if step % 500 == 0 {
            let list: Vec<u64> = state.online_list().map(|entry| entry.dot().clock).collect();
            assert!(list.is_sorted() && list.len() == LARGE - step - 1);
            let by_topic = state
                .topics()
                .map(|topic| state.get_by_topic(topic).count());
            assert_eq!(by_topic.sum::<usize>(), list.len());
        }
    }
    assert!(
        all / (LARGE as u64) < 150,
        "{} steps a call",
        all / LARGE as u64
    );
}
