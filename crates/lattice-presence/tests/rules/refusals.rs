//! S6: what a merge refuses, and that a refusal leaves no trace.

use super::support::{
    Delta, Frozen, State, assert_diff, copy, dot, entry, exchange, id, join, packet, state, with,
};
use lattice_presence::MergeError;

/// The merge of `delta` fails, and the state is what it was, its next delta included.
#[track_caller]
fn refused(state: &mut State, delta: &Delta) -> MergeError {
    let before = Frozen::of(state);
    let error = state
        .merge_delta_with_diff(delta)
        .expect_err("it is refused");
    assert_eq!(Frozen::of(state), before);
    assert!(state.merge_delta(delta).is_err());
    assert_eq!(Frozen::of(state), before);
    error
}

#[track_caller]
fn refused_as_same(state: &mut State, delta: &Delta) {
    match refused(state, delta) {
        MergeError::SameReplica { replica } => assert_eq!(&replica, state.replica()),
        other => panic!("expected SameReplica, got {other}"),
    }
}

#[test]
fn s6_two_lives_of_one_name_refuse_each_other_directly() {
    let (mut a, mut b) = (with("x", &["p"]), with("x", &["q", "r"]));
    for _ in 0..2 {
        let before = (Frozen::of(&a), Frozen::of(&b));
        assert!(matches!(a.merge(&b), Err(MergeError::SameReplica { .. })));
        assert!(matches!(
            b.merge_with_diff(&a),
            Err(MergeError::SameReplica { .. })
        ));
        assert_eq!((Frozen::of(&a), Frozen::of(&b)), before);
    }
}

#[test]
fn s6_a_fresh_process_and_its_earlier_life_refuse_each_other() {
    let (mut old, mut fresh) = (with("x", &["p"]), state("x"));
    assert!(matches!(
        fresh.merge(&old),
        Err(MergeError::SameReplica { .. })
    ));
    assert!(matches!(
        old.merge(&fresh),
        Err(MergeError::SameReplica { .. })
    ));
    assert!(fresh.context().is_empty());
}

#[test]
fn s6_own_dots_that_were_never_issued_are_refused_relayed() {
    let mut relay = state("y");
    relay.merge(&with("x", &["p"])).unwrap();
    let mut fresh = state("x");
    let before = Frozen::of(&fresh);
    assert!(matches!(
        fresh.merge(&relay),
        Err(MergeError::SameReplica { .. })
    ));
    assert_eq!(Frozen::of(&fresh), before);
    refused_as_same(&mut fresh, &relay.snapshot());
    let answer = relay.delta_since(&fresh.digest());
    refused_as_same(&mut fresh, &answer);
}

#[test]
fn s6_own_clouds_that_were_never_issued_are_refused() {
    let x = id("x");
    let mut fresh = with("x", &["p"]);
    refused_as_same(&mut fresh, &packet("y", &[(&x, 3)], Vec::new()));
    let mut gapped = State::from_snapshot(packet("x", &[(&x, 1), (&x, 5)], Vec::new()));
    refused_as_same(&mut gapped, &packet("y", &[(&x, 3)], Vec::new()));
}

#[test]
fn s6_own_context_alone_that_was_never_issued_is_refused() {
    let x = id("x");
    let mut gapped = State::from_snapshot(packet("x", &[(&x, 1), (&x, 3)], Vec::new()));
    let claim = packet("y", &[(&x, 1), (&x, 2), (&x, 3)], Vec::new());
    refused_as_same(&mut gapped, &claim);
    refused_as_same(&mut state("x"), &packet("y", &[(&x, 1)], Vec::new()));
}

#[test]
fn s6_a_refusal_keeps_the_good_part_out_too() {
    let (x, z) = (id("x"), id("z"));
    let mut fresh = with("x", &["p"]);
    let mixed = packet("y", &[(&x, 2), (&z, 1)], vec![entry(&z, 1, "q")]);
    refused_as_same(&mut fresh, &mixed);
    assert!(!fresh.context().contains(&dot(&z, 1)));
}

#[test]
fn s6_an_identical_state_of_the_same_replica_is_a_no_op() {
    let mut a = with("x", &["p", "q"]);
    a.leave("q", "t", "k");
    let before = Frozen::of(&a);
    assert_diff(&a.merge_with_diff(&copy(&a)).unwrap(), &[], &[]);
    assert_eq!(Frozen::of(&a), before);
}

#[test]
fn s6_an_echo_of_own_dots_is_welcome() {
    let (mut a, mut b) = (with("a", &["p"]), state("b"));
    b.merge(&a).unwrap();
    join(&mut a, "q");
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
}

#[test]
fn s6_one_dot_with_two_slots_is_refused() {
    let z = id("z");
    for other in [
        lattice_presence::Presence::new(dot(&z, 1), "u", "k", "p", "m"),
        lattice_presence::Presence::new(dot(&z, 1), "t", "l", "p", "m"),
        lattice_presence::Presence::new(dot(&z, 1), "t", "k", "q", "m"),
    ] {
        let mut a = with("a", &["own"]);
        a.merge_delta(&packet("z", &[(&z, 1)], vec![entry(&z, 1, "p")]))
            .unwrap();
        let mixed = packet("b", &[(&z, 1), (&z, 2)], vec![other, entry(&z, 2, "new")]);
        match refused(&mut a, &mixed) {
            MergeError::ConflictingDot { dot: conflict } => assert_eq!(conflict, dot(&z, 1)),
            other => panic!("expected ConflictingDot, got {other}"),
        }
        assert_eq!(a.len(), 2);
    }
}

#[test]
fn s6_a_conflict_is_found_among_hidden_and_own_entries_too() {
    let (a_id, z) = (id("a"), id("z"));
    let mut a = with("a", &["own"]);
    a.merge_delta(&packet("z", &[(&z, 1)], vec![entry(&z, 1, "p")]))
        .unwrap();
    a.replica_down(&z);
    let hidden = packet("b", &[(&z, 1)], vec![entry(&z, 1, "q")]);
    assert!(matches!(
        refused(&mut a, &hidden),
        MergeError::ConflictingDot { .. }
    ));
    let own = packet("b", &[(&a_id, 1)], vec![entry(&a_id, 1, "else")]);
    assert!(matches!(
        refused(&mut a, &own),
        MergeError::ConflictingDot { .. }
    ));
}

#[test]
fn s6_metadata_is_never_compared() {
    let z = id("z");
    let mut a = state("a");
    a.merge_delta(&packet("z", &[(&z, 1)], vec![entry(&z, 1, "p")]))
        .unwrap();
    let reworded = lattice_presence::Presence::new(dot(&z, 1), "t", "k", "p", "re-serialized");
    let diff = a
        .merge_delta_with_diff(&packet("b", &[(&z, 1)], vec![reworded]))
        .unwrap();
    assert_diff(&diff, &[], &[]);
    assert_eq!(
        a.online_list()
            .map(|entry| *entry.meta())
            .collect::<Vec<_>>(),
        ["m"]
    );
}

#[test]
fn s6_what_was_pending_is_sent_after_a_refusal() {
    let mut a = with("x", &["p"]);
    refused_as_same(&mut a, &packet("y", &[(&id("x"), 9)], Vec::new()));
    let delta = a.take_delta().expect("the join is still pending");
    assert_eq!(super::support::lines(delta.entries()), ["x@1 p/t/k=m"]);
}

#[test]
fn s6_a_state_that_refused_goes_on() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["q"]));
    refused_as_same(&mut a, &packet("y", &[(&id("a"), 9)], Vec::new()));
    exchange(&mut a, &mut b);
    assert_eq!(a.digest(), b.digest());
}
