//! S6: what a merge refuses, and that a refusal leaves no trace.

use super::support::{
    Delta, Frozen, State, assert_diff, copy, dot, entry, exchange, id, join, online, packet, state,
    v7, with,
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

/// A relay has pruned the newer life of `n`. The older one lives on, and has heard of it.
#[test]
fn s6_the_owner_is_heard_though_a_newer_life_of_it_is_pruned() {
    type Word = fn(&State, &State) -> Delta;
    let words: [(&str, Word); 3] = [
        ("delta_since", |old, relay| old.delta_since(&relay.digest())),
        ("snapshot", |old, _| old.snapshot()),
        ("owned_snapshot", |old, _| old.owned_snapshot()),
    ];
    for (way, word) in words {
        let (mut old, mut new) = (with(v7("n", 1), &["p", "stays"]), with(v7("n", 2), &["q"]));
        let mut relay = state("relay");
        relay.merge(&old).unwrap();
        relay.merge(&new).unwrap();
        relay.replica_down(&v7("n", 2));
        relay.remove_down_replica(&v7("n", 2)).unwrap();
        old.merge(&new).unwrap();
        old.leave("p", "t", "k");
        let diff = relay.merge_delta_with_diff(&word(&old, &relay)).unwrap();
        assert_diff(&diff, &[], &["p"]);
        assert_eq!(online(&relay), ["stays"], "{way}");
        new.take_delta();
    }
}

#[test]
fn s6_hearsay_about_an_owner_is_filtered_and_its_own_word_is_not() {
    let (old, new) = (v7("n", 1), v7("n", 2));
    let mut relay = with("relay", &[]);
    relay.merge(&with(old.clone(), &["p", "q"])).unwrap();
    relay.merge(&with(new.clone(), &["r"])).unwrap();
    relay.replica_down(&new);
    relay.remove_down_replica(&new).unwrap();
    let death = [(&old, 1), (&new, 1)];
    let hearsay = packet("somebody", &death, Vec::new());
    assert_diff(&relay.merge_delta_with_diff(&hearsay).unwrap(), &[], &[]);
    let own = packet(old.as_str(), &death, Vec::new());
    assert_diff(&relay.merge_delta_with_diff(&own).unwrap(), &[], &["p"]);
}

/// What is pruned stays out, whoever speaks, until `replica_up`; of the rest the word of
/// the owner holds.
#[test]
fn s6_s9_the_word_of_a_pruned_owner_holds_of_what_was_not_pruned() {
    let (mut a, mut b) = (state("a"), with("b", &["kept", "gone"]));
    a.merge(&b).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    join(&mut b, "new");
    join(&mut b, "brief");
    a.merge(&b).unwrap();
    b.leave("brief", "t", "k");
    b.leave("gone", "t", "k");
    a.merge(&b).unwrap();
    assert_eq!(super::support::pids(a.entries()), ["new"]);
    a.replica_up(&id("b"));
    a.merge_delta(&b.delta_since(&a.digest())).unwrap();
    assert_eq!(online(&a), ["kept", "new"]);
    assert_eq!(a.digest(), b.digest());
}

/// Not refused: its dots are no news to a peer that knows the former life.
#[test]
fn s6_a_second_life_under_a_fixed_name_is_accepted_and_invisible() {
    let mut peer = state("peer");
    peer.merge(&with("x", &["before"])).unwrap();
    let mut second = state("x");
    second.join("after", "u", "k", "m").unwrap();
    second.leave("after", "u", "k");
    join(&mut second, "after2");
    // Its first dot has died, its second one is new.
    assert_diff(
        &peer.merge_with_diff(&second).unwrap(),
        &["after2"],
        &["before"],
    );

    let mut peer = state("peer");
    peer.merge(&with("x", &["before", "before2"])).unwrap();
    peer.merge_delta(&packet("x", &[(&id("x"), 1)], Vec::new()))
        .unwrap();
    let mut second = with("x", &["after"]);
    let push = second.take_delta().unwrap();
    assert_diff(&peer.merge_delta_with_diff(&push).unwrap(), &[], &[]);
    assert_eq!(
        online(&peer),
        ["before2"],
        "a ghost, and nobody gets an error"
    );
    // It learns of it as soon as it hears what the peer knows.
    refused_as_same(&mut second, &peer.snapshot());
}

/// A process restarts under its fixed name, and its first pushes are lost. Digests alone
/// bring it to light: both have seen the same clocks, and no death explains what differs.
#[test]
fn s6_a_conflict_comes_to_light_through_digests() {
    let life = |prefix: &str| {
        let mut x = state("x");
        for user in 0..10 {
            join(&mut x, &format!("{prefix}{user}"));
        }
        x.take_delta();
        x
    };
    let mut peer = state("peer");
    peer.merge(&life("former")).unwrap();
    let mut second = life("user");
    let word = second.delta_since(&peer.digest());
    assert!(matches!(
        refused(&mut peer, &word),
        MergeError::ConflictingDot { .. }
    ));
    let relayed = peer.delta_since(&second.digest());
    assert!(matches!(
        refused(&mut second, &relayed),
        MergeError::ConflictingDot { .. }
    ));
    // Some of them have left: whoever holds more hears nothing, and the other one is heard.
    for gone in ["user0", "user5", "user9"] {
        second.leave(gone, "t", "k");
    }
    let word = second.delta_since(&peer.digest());
    assert!(matches!(
        refused(&mut peer, &word),
        MergeError::ConflictingDot { .. }
    ));
}

/// Somebody has claimed some of its entries at the relay, which now holds less than the owner:
/// of another replica that would mean that it knows more.
#[test]
fn s6_the_owner_tells_what_has_died_to_a_peer_that_holds_less() {
    let a_id = id("a");
    let (mut a, mut relay) = (with("a", &["p", "q", "r"]), state("relay"));
    relay.merge(&a).unwrap();
    relay
        .merge_delta(&packet("b", &[(&a_id, 2), (&a_id, 3)], Vec::new()))
        .unwrap();
    a.leave("p", "t", "k");
    let word = a.delta_since(&relay.digest());
    assert_diff(&relay.merge_delta_with_diff(&word).unwrap(), &[], &["p"]);
    // And once it hears of the claims, everybody sees all again.
    for _ in 0..2 {
        a.merge_delta(&relay.delta_since(&a.digest())).unwrap();
        relay.merge_delta(&a.delta_since(&relay.digest())).unwrap();
    }
    assert_eq!(online(&relay), ["q", "r"]);
    assert_eq!(a.digest(), relay.digest());
}
