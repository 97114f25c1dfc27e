//! S7: earlier lives of a process, and two lives at once.

use super::support::{
    State, assert_diff, copy, entry, exchange, id, join, online, packet, state, v4, v7, with,
};
use lattice_presence::ReplicaId;

#[test]
fn s7_entries_of_an_earlier_incarnation_are_not_admitted_and_cleared_at_peers() {
    let (old, new) = (with(v7("n", 1), &["ghost"]), v7("n", 2));
    let mut peer = with("peer", &["other"]);
    peer.merge(&old).unwrap();
    let mut fresh = with(new, &["p"]);
    assert_diff(&fresh.merge_with_diff(&peer).unwrap(), &["other"], &[]);
    assert!(
        fresh.context().contains_clock(&v7("n", 1), 1),
        "their context is merged"
    );
    assert_diff(&peer.merge_with_diff(&fresh).unwrap(), &["p"], &["ghost"]);
    assert_eq!(online(&peer), ["p", "other"]);
    assert_eq!(peer.digest(), fresh.digest());
}

#[test]
fn s7_the_earlier_life_is_refused_directly_and_in_deltas_too() {
    let mut old = with(v7("n", 1), &["ghost"]);
    let mut fresh = state(v7("n", 2));
    assert_diff(
        &fresh
            .merge_delta_with_diff(&old.take_delta().unwrap())
            .unwrap(),
        &[],
        &[],
    );
    assert_diff(&fresh.merge_with_diff(&old).unwrap(), &[], &[]);
    assert_diff(
        &fresh
            .merge_delta_with_diff(&old.delta_since(&fresh.digest()))
            .unwrap(),
        &[],
        &[],
    );
    assert!(fresh.is_empty() && fresh.entries().next().is_none());
}

#[test]
fn s7_a_restored_state_has_seen_its_former_lives_and_holds_nothing_of_them() {
    let (old, new) = (v7("n", 1), v7("n", 2));
    let saved = packet(
        new.as_str(),
        &[(&old, 1), (&new, 1)],
        vec![entry(&old, 1, "ghost"), entry(&new, 1, "p")],
    );
    let restored = State::from_snapshot(saved);
    assert_eq!(
        (online(&restored), restored.entries().count()),
        (vec!["p"], 1)
    );
    assert!(restored.context().contains_clock(&old, 1));
    let mut peer = state("peer");
    peer.merge(&with(old, &["ghost"])).unwrap();
    assert_diff(
        &peer.merge_with_diff(&restored).unwrap(),
        &["p"],
        &["ghost"],
    );
}

#[test]
fn s7_the_clearing_reaches_peers_by_delta_since() {
    let old = with(v7("n", 1), &["ghost"]);
    let (mut peer, mut fresh) = (state("peer"), with(v7("n", 2), &["p"]));
    peer.merge(&old).unwrap();
    fresh
        .merge_delta(&peer.delta_since(&fresh.digest()))
        .unwrap();
    let diff = peer
        .merge_delta_with_diff(&fresh.delta_since(&peer.digest()))
        .unwrap();
    assert_diff(&diff, &["p"], &["ghost"]);
}

#[test]
fn s7_superseding_the_former_lives_does_not_stop_their_clearing() {
    let (old, mut fresh) = (with(v7("n", 1), &["ghost"]), with(v7("n", 2), &["p"]));
    let mut peer = state("peer");
    peer.merge(&old).unwrap();
    fresh.merge(&old).unwrap();
    fresh.supersede(&v7("n", 2)).unwrap();
    assert_diff(&fresh.merge_with_diff(&peer).unwrap(), &[], &[]);
    assert_diff(&peer.merge_with_diff(&fresh).unwrap(), &["p"], &["ghost"]);
}

#[test]
fn s7_an_incarnation_that_learns_of_a_newer_one_yields() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    assert_eq!(old.superseded_by(), None);
    new.merge(&old).unwrap();
    old.take_delta();
    // The very merge that tells of the newer one claims the old dots: no re-issue.
    old.merge(&new).unwrap();
    assert_eq!(old.superseded_by(), Some(&v7("n", 2)));
    assert_eq!(new.superseded_by(), None);
    assert_eq!(
        old.context().prefix(&v7("n", 1)),
        1,
        "nothing was re-issued"
    );
    assert!(old.take_delta().is_none());
    assert_eq!(online(&old), ["p", "q"], "its entries stay local");
    old.merge(&new).unwrap();
    assert!(old.take_delta().is_none());
}

#[test]
fn s7_the_newer_one_is_learnt_through_peers() {
    let (mut old, new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let mut peer = state("peer");
    exchange(&mut peer, &mut old);
    peer.merge(&new).unwrap();
    old.merge_delta(&peer.delta_since(&old.digest())).unwrap();
    assert_eq!(old.superseded_by(), Some(&v7("n", 2)));
}

#[test]
fn s7_superseded_by_names_the_newest() {
    let mut first = state(v7("n", 1));
    for time in [3, 2, 5, 4] {
        first.merge(&with(v7("n", time), &["p"])).unwrap();
    }
    assert_eq!(first.superseded_by(), Some(&v7("n", 5)));
    assert_eq!(
        copy(&first).superseded_by(),
        Some(&v7("n", 5)),
        "a restored state knows it too"
    );
}

#[test]
fn s7_a_superseded_incarnation_still_works_until_it_stops() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let mut peer = state("peer");
    exchange(&mut old, &mut new);
    assert_diff(&join(&mut old, "late"), &["late"], &[]);
    peer.merge(&old).unwrap();
    exchange(&mut new, &mut peer);
    assert_eq!(
        online(&peer),
        ["q"],
        "the newer one clears what it drained too late"
    );
    assert_diff(&old.leave("late", "t", "k"), &[], &["late"]);
}

/// Both live on one name's base, without an order: they never fight.
fn live_together(a_id: ReplicaId, b_id: ReplicaId) {
    let (mut a, mut b, mut peer) = (
        with(a_id.clone(), &["p"]),
        with(b_id.clone(), &["q"]),
        state("peer"),
    );
    for _ in 0..3 {
        exchange(&mut a, &mut b);
        exchange(&mut a, &mut peer);
        exchange(&mut b, &mut peer);
    }
    for state in [&a, &b, &peer] {
        let mut pids = online(state);
        pids.sort_unstable();
        assert_eq!(pids, ["p", "q"], "at {}", state.replica());
        assert_eq!(state.superseded_by(), None);
    }
    assert_eq!(
        (a.context().prefix(&a_id), a.context().prefix(&b_id)),
        (1, 1),
        "nothing is re-issued"
    );
    assert_eq!(a.digest(), b.digest());
    assert_eq!(a.digest(), peer.digest());
}

#[test]
fn s7_live_incarnations_without_an_order_never_fight() {
    live_together(v4("n", 1), v4("n", 2));
    live_together(v4("n", 1), v7("n", 2));
    live_together(id("n"), v7("n", 2));
    live_together(id("n"), v4("n", 2));
}

#[test]
fn s7_a_newer_incarnation_of_another_base_is_a_foreigner() {
    let (mut a, mut b) = (with(v7("a", 1), &["p"]), with(v7("b", 2), &["q"]));
    exchange(&mut a, &mut b);
    assert_eq!((a.len(), b.len()), (2, 2));
    assert_eq!((a.superseded_by(), b.superseded_by()), (None, None));
}

#[test]
fn s7_third_parties_hold_both_incarnations_until_the_newer_one_clears() {
    let (old, new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let mut peer = state("peer");
    peer.merge(&new).unwrap();
    assert_diff(&peer.merge_with_diff(&old).unwrap(), &["p"], &[]);
    assert_eq!(peer.superseded_by(), None);
}

#[test]
fn s7_a_claim_by_anybody_is_no_reason_to_re_issue_once_superseded() {
    let old_id = v7("n", 1);
    let mut old = with(old_id.clone(), &["p"]);
    old.merge(&with(v7("n", 2), &[])).unwrap();
    let claim = packet("peer", &[(&old_id, 1), (&v7("n", 2), 1)], Vec::new());
    assert_diff(&old.merge_delta_with_diff(&claim).unwrap(), &[], &[]);
    assert_eq!(online(&old), ["p"]);
    assert_eq!(old.context().max(&old_id), 1);
}

/// A successor without users claims its former life's dots all the same: were its
/// name in no context, the former life would re-issue them for ever.
#[test]
fn s7_an_idle_successor_is_heard_of_directly_and_through_relays() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), state(v7("n", 2)));
    let mut relay = state("relay");
    for _ in 0..5 {
        relay
            .merge_delta(&old.delta_since(&relay.digest()))
            .unwrap();
        new.merge_delta(&relay.delta_since(&new.digest())).unwrap();
        relay
            .merge_delta(&new.delta_since(&relay.digest()))
            .unwrap();
        old.merge_delta(&relay.delta_since(&old.digest())).unwrap();
    }
    assert_eq!(old.superseded_by(), Some(&v7("n", 2)));
    assert_eq!(old.context().max(&v7("n", 1)), 1, "nothing was re-issued");
    assert_eq!(online(&relay), [""; 0]);

    // Its first entry comes after the dot that named it.
    join(&mut new, "q");
    relay.merge(&new).unwrap();
    assert_eq!(online(&relay), ["q"]);
}

/// A relay that pruned the successor keeps its name from travelling, so it must
/// keep its claims from travelling, too.
#[test]
fn s7_s9_a_relay_that_pruned_the_successor_passes_no_claim_of_it_on() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let mut relay = state("relay");
    relay.merge(&new).unwrap();
    let _ = relay.replica_down(&v7("n", 2));
    let _ = relay.remove_down_replica(&v7("n", 2)).unwrap();
    relay.merge(&old).unwrap();
    for _ in 0..5 {
        new.merge(&relay).unwrap();
        assert_diff(&relay.merge_with_diff(&new).unwrap(), &[], &[]);
        old.merge(&relay).unwrap();
        assert_diff(&relay.merge_with_diff(&old).unwrap(), &[], &[]);
    }
    assert_eq!(old.context().max(&v7("n", 1)), 1, "nothing was re-issued");

    // What the former life really does still gets there.
    join(&mut old, "r");
    assert_diff(&relay.merge_with_diff(&old).unwrap(), &["r"], &[]);
    let _ = old.leave_by_pid("p");
    assert_diff(&relay.merge_with_diff(&old).unwrap(), &[], &["p"]);

    // Once the successor counts as up, its claims count.
    let _ = relay.replica_up(&v7("n", 2));
    assert_diff(&relay.merge_with_diff(&new).unwrap(), &["q"], &[]);
    new.merge(&relay).unwrap();
    assert_diff(&relay.merge_with_diff(&new).unwrap(), &[], &["r"]);
}

#[test]
fn s7_a_successor_is_remembered_whatever_is_pruned_and_forgotten() {
    let mut old = with(v7("n", 1), &["p"]);
    old.merge(&with(v7("n", 2), &["q"])).unwrap();
    let _ = old.replica_down(&v7("n", 2));
    let _ = old.remove_down_replica(&v7("n", 2)).unwrap();
    let _ = old.forget_replica(&v7("n", 2));
    assert_eq!(old.superseded_by(), Some(&v7("n", 2)));
    assert_eq!(old.clone().superseded_by(), Some(&v7("n", 2)));
}
