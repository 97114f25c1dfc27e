//! S13 at size: old dots that arrive after newer ones, by the hundred.

use super::support::{State, dot, id, state};
use lattice_presence::{CausalContext, Presence, PresenceDelta};

/// Entries of `a` in one topic: few keys and pids of many entries, and many of few.
fn part(clocks: impl Iterator<Item = u64> + Clone) -> PresenceDelta<&'static str> {
    let a = id("a");
    let context: CausalContext<_> = clocks.clone().map(|clock| dot(&a, clock)).collect();
    let entry = |clock: u64| {
        let key = if clock.is_multiple_of(2) {
            "hot".to_owned()
        } else {
            format!("key-{clock}")
        };
        let pid = if clock.is_multiple_of(3) {
            "hot".to_owned()
        } else {
            format!("pid-{clock}")
        };
        Presence::new(dot(&a, clock), "room", &key, &pid, "")
    };
    let entries = clocks.map(entry).collect();
    PresenceDelta::from_parts(a, context, entries).unwrap()
}

fn seen<'a>(entries: impl Iterator<Item = &'a Presence<&'static str>>) -> Vec<u64> {
    entries.map(|entry| entry.dot().clock).collect()
}

fn assert_same(late: &State, in_order: &State) {
    assert_eq!(late.digest(), in_order.digest());
    assert_eq!(seen(late.online_list()), seen(in_order.online_list()));
    assert_eq!(
        seen(late.get_by_topic("room")),
        seen(in_order.get_by_topic("room"))
    );
    assert_eq!(
        seen(late.get_by_key("room", "hot")),
        seen(in_order.get_by_key("room", "hot"))
    );
    assert_eq!(
        seen(late.get_by_pid("hot")),
        seen(in_order.get_by_pid("hot"))
    );
    assert_eq!(late.topic_len("room"), in_order.topic_len("room"));
}

#[test]
fn s13_old_dots_that_come_late_find_their_places() {
    let mut in_order = state("b");
    in_order.merge_delta(&part(1..=600)).unwrap();

    let mut halves = state("b");
    halves.merge_delta(&part(301..=600)).unwrap();
    let diff = halves.merge_delta_with_diff(&part(1..=300)).unwrap();
    assert_eq!(diff.joins().count(), 300);
    // The hot key was there before; each odd clock is a key of its own.
    assert_eq!(diff.topics()[0].arrived().len(), 150);
    assert_same(&halves, &in_order);

    let mut gaps = state("b");
    gaps.merge_delta(&part((1..=600).filter(|clock| clock % 5 != 0)))
        .unwrap();
    gaps.merge_delta(&part((1..=600).filter(|clock| clock % 5 == 0)))
        .unwrap();
    assert_same(&gaps, &in_order);
}

#[test]
fn s4_a_key_whose_entries_all_come_late_arrives_once() {
    let a = id("a");
    let mut b = state("b");
    b.merge_delta(&part(301..=600)).unwrap();
    let _ = b.replica_down(&a);
    let _ = b.remove_down_replica(&a).unwrap();
    let _ = b.replica_up(&a);
    b.merge_delta(&part(301..=600)).unwrap();
    let _ = b.replica_down(&a);
    assert!(b.merge_delta_with_diff(&part(1..=300)).unwrap().is_empty());
    let up = b.replica_up(&a);
    assert_eq!(up.joins().count(), 600);
    let arrived = up.topics()[0].arrived().to_vec();
    assert_eq!(arrived.iter().filter(|key| **key == "hot").count(), 1);
    assert_eq!(arrived.len(), 301);
}
