//! S5: what a merge does to entries, and what it never does to one's own.

use super::support::{
    State, assert_diff, copy, exchange, id, join, lines, online, packet, state, with,
};

#[test]
fn s5_a_dot_survives_that_one_side_holds_and_the_other_has_not_seen() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["q"]));
    exchange(&mut a, &mut b);
    assert_eq!(online(&a), ["p", "q"]);
    assert_eq!(online(&b), ["p", "q"]);
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn s5_a_dot_dies_that_the_other_has_seen_and_does_not_hold() {
    let (mut a, mut b) = (state("a"), with("b", &["q"]));
    a.merge(&b).unwrap();
    b.leave("q", "t", "k");
    let stale = copy(&a);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &["q"]);
    assert_diff(&b.merge_with_diff(&stale).unwrap(), &[], &[]);
    assert_eq!(a.digest(), b.digest(), "the stale copy brings nothing back");
}

#[test]
fn s5_merge_order_and_repetition_do_not_matter() {
    let sources = [
        with("a", &["p", "q"]),
        with("b", &["p"]),
        with("c", &["r", "s"]),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let results = orders.map(|order| {
        let mut sink = state("sink");
        for source in order.iter().chain(&order[..2]) {
            sink.merge(&sources[*source]).unwrap();
        }
        (lines(sink.online_list()), sink.digest())
    });
    assert!(results.iter().all(|result| *result == results[0]));
    assert_eq!(results[0].0.len(), 5);
}

#[test]
fn s5_own_entries_are_never_removed_but_re_issued_under_a_fresh_dot() {
    let a_id = id("a");
    let mut a = with("a", &["p", "q"]);
    let pruner = packet("b", &[(&a_id, 1), (&a_id, 2)], Vec::new());
    let diff = a.merge_delta_with_diff(&pruner).unwrap();
    assert_eq!(lines(a.online_list()), ["a@3 p/t/k=m", "a@4 q/t/k=m"]);
    assert_diff(&diff, &["p", "q"], &["p", "q"]);
    let pairs = diff.updates();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(old, new)| (old.dot().clock, new.dot().clock))
        .collect();
    assert_eq!(
        pairs,
        [(1, 3), (2, 4)],
        "whoever keeps references learns the new dots"
    );
    assert_diff(&a.merge_delta_with_diff(&pruner).unwrap(), &[], &[]);
}

#[test]
fn s5_a_peer_that_pruned_sees_re_issued_entries_again_and_so_does_everybody_else() {
    let a_id = id("a");
    let mut a = with("a", &["p"]);
    let mut bystander = state("c");
    bystander.merge(&a).unwrap();
    a.take_delta();
    let mut pruner = State::from_snapshot(packet("b", &[(&a_id, 1)], Vec::new()));
    a.merge(&pruner).unwrap();
    let delta = a.take_delta().expect("the next delta carries it");
    assert_diff(&pruner.merge_delta_with_diff(&delta).unwrap(), &["p"], &[]);
    assert_diff(
        &bystander.merge_delta_with_diff(&delta).unwrap(),
        &["p"],
        &["p"],
    );
    assert_eq!(lines(bystander.online_list()), ["a@2 p/t/k=m"]);
    exchange(&mut a, &mut pruner);
    exchange(&mut a, &mut bystander);
    assert_eq!(a.digest(), bystander.digest());
}

#[test]
fn s5_only_claims_on_live_own_dots_re_issue() {
    let a_id = id("a");
    let mut a = with("a", &["p", "q", "r"]);
    a.leave("p", "t", "k");
    a.take_delta();
    // Of the third dot it knows nothing, of the second it holds the entry.
    let seen = [(&a_id, 1), (&a_id, 2)];
    let echo = packet("b", &seen, vec![super::support::entry(&a_id, 2, "q")]);
    assert_diff(&a.merge_delta_with_diff(&echo).unwrap(), &[], &[]);
    assert_eq!(lines(a.online_list()), ["a@2 q/t/k=m", "a@3 r/t/k=m"]);
    assert!(a.take_delta().is_none());
}

#[test]
fn s5_re_issuing_while_marked_down_shows_nothing() {
    let a_id = id("a");
    let mut a = with("a", &["p"]);
    a.replica_down(&a_id);
    let pruner = packet("b", &[(&a_id, 1)], Vec::new());
    assert_diff(&a.merge_delta_with_diff(&pruner).unwrap(), &[], &[]);
    let diff = a.replica_up(&a_id);
    assert_eq!(lines(diff.joins()), ["a@2 p/t/k=m"]);
}

#[test]
fn s5_a_clock_that_is_spent_keeps_the_own_entry_as_it_is() {
    let a_id = id("a");
    let last = lattice_presence::MAX_CLOCK;
    let saved = packet(
        "a",
        &[(&a_id, last)],
        vec![super::support::entry(&a_id, last, "p")],
    );
    let mut a = State::from_snapshot(saved);
    // Nothing can be re-issued; removing is still forbidden, and so is a panic.
    drop(a.merge_delta(&packet("b", &[(&a_id, last)], Vec::new())));
    assert_eq!(online(&a), ["p"]);
}

#[test]
fn s5_a_merge_mints_no_dot_for_what_both_hold() {
    let (mut a, mut b) = (with("a", &["p"]), state("b"));
    exchange(&mut a, &mut b);
    join(&mut b, "q");
    exchange(&mut a, &mut b);
    assert_eq!(a.context().prefix(&id("a")), 1);
}
