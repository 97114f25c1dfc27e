//! S7 and S10: who may make a node yield, and how it goes on.

use super::support::{
    Frozen, State, assert_diff, copy, entry, exchange, id, join, lines, online, packet, state, v4,
    v7, with,
};
use lattice_presence::{
    CausalContext, JoinError, LifecycleError, MAX_CLOCK, PresenceDelta, ReincarnateError, ReplicaId,
};

/// A payload that says nothing but who sent it: anybody can write one.
fn named(sender: &ReplicaId) -> PresenceDelta<&'static str> {
    packet(sender.as_str(), &[], Vec::new())
}

/// What a peer believes after somebody claimed the dots `1..=clocks` of `victim`.
fn claim(author: &str, victim: &ReplicaId, clocks: u64) -> PresenceDelta<&'static str> {
    let mut context = CausalContext::new();
    context.insert_range(victim.clone(), 1..=clocks);
    PresenceDelta::from_parts(id(author), context, Vec::new()).unwrap()
}

#[test]
fn s7_a_node_moves_to_a_fresh_incarnation_past_a_forged_successor() {
    let (mut n, mut peer) = (with(v7("n", 1), &["p", "q"]), state("peer"));
    peer.merge(&n).unwrap();
    n.merge_delta(&named(&v7("n", 200))).unwrap();
    assert_eq!(n.superseded_by(), Some(&v7("n", 200)));
    assert_eq!(n.confirmed_successor(), None, "hearsay confirms nothing");
    assert_diff(&join(&mut n, "r"), &["r"], &[]);

    // The forger claims what it held, and it yields: it cannot know better.
    n.merge_delta(&claim("forger", &v7("n", 1), 2)).unwrap();
    assert_eq!(n.context().max(&v7("n", 1)), 3, "nothing was re-issued");

    let diff = n.reincarnate(v7("n", 201)).unwrap();
    assert_diff(&diff, &["p", "q", "r"], &["p", "q", "r"]);
    let dots: Vec<_> = lines(n.online_list());
    let new = |clock: u64, pid: &str| format!("{}@{clock} {pid}/t/k=m", v7("n", 201));
    assert_eq!(dots, [new(1, "p"), new(2, "q"), new(3, "r")]);
    assert_eq!(n.superseded_by(), None);

    // It fights for its entries again.
    peer.merge_delta(&n.take_delta().unwrap()).unwrap();
    n.merge_delta(&claim("forger", &v7("n", 201), 3)).unwrap();
    assert_eq!(n.context().max(&v7("n", 201)), 6);
    assert!(peer.merge_with_diff(&n).unwrap().joins().count() == 3);
}

#[test]
fn s7_reincarnation_is_told_whole_by_the_next_delta() {
    let mut n = with(v7("n", 1), &["p", "gone"]);
    let (mut near, mut far) = (state("near"), state("far"));
    near.merge(&n).unwrap();
    n.take_delta();
    n.leave("gone", "t", "k");
    join(&mut n, "q");
    // Neither the leave nor the join was sent before it moved.
    n.reincarnate(v7("n", 2)).unwrap();
    assert!(n.has_pending());
    let delta = n.take_delta().unwrap();
    assert!(n.take_delta().is_none());
    assert_diff(
        &near.merge_delta_with_diff(&delta).unwrap(),
        &["p", "q"],
        &["gone", "p"],
    );
    far.merge_delta(&near.delta_since(&far.digest())).unwrap();
    for peer in [&near, &far] {
        assert_eq!(lines(peer.online_list()), lines(n.online_list()));
        assert_eq!(peer.digest(), n.digest());
    }
    // Where only owners speak, the same delta is the peer's own.
    let mut strict = state("strict");
    strict.merge(&with(v7("n", 1), &["p", "gone"])).unwrap();
    let diff = strict.merge_owned_with_diff(&v7("n", 2), &delta).unwrap();
    assert_diff(&diff, &["p", "q"], &["gone", "p"]);
}

#[test]
fn s7_reincarnation_reports_pairs_and_no_departure() {
    let mut n = with(v7("n", 1), &["p", "q"]);
    n.merge(&with("other", &["x"])).unwrap();
    let diff = n.reincarnate(v7("n", 2)).unwrap();
    let topic = &diff.topics()[0];
    assert_eq!((topic.joins().len(), topic.leaves().len()), (2, 2));
    assert!(topic.arrived().is_empty() && topic.departed().is_empty());
    assert_eq!(n.get_by_pid("p").count() + n.get_by_pid("q").count(), 2);
    assert_eq!((n.len(), n.topic_len("t")), (3, 3));
}

#[test]
fn s7_an_idle_node_that_moves_on_names_itself() {
    let mut n = state(v7("n", 1));
    join(&mut n, "p");
    n.leave("p", "t", "k");
    assert_diff(&n.reincarnate(v7("n", 2)).unwrap(), &[], &[]);
    let delta = n.take_delta().unwrap();
    assert!(delta.context().get(&v7("n", 1)).is_some());
    assert!(
        delta.context().get(&v7("n", 2)).is_some(),
        "a relay passes the claim on under this name"
    );
    assert_diff(&join(&mut n, "q"), &["q"], &[]);
}

#[test]
fn s7_a_node_that_moves_past_a_dead_later_life_clears_it() {
    // The clock went back: the life that died is the newer one.
    let dead = with(v7("n", 9), &["ghost"]);
    let (mut n, mut peer) = (with(v7("n", 1), &["p"]), state("peer"));
    peer.merge(&dead).unwrap();
    exchange(&mut n, &mut peer);
    assert_eq!(n.superseded_by(), Some(&v7("n", 9)));
    assert_eq!(online(&n), ["p", "ghost"]);
    assert_diff(
        &n.reincarnate(v7("n", 10)).unwrap(),
        &["p"],
        &["ghost", "p"],
    );
    assert_diff(
        &peer
            .merge_delta_with_diff(&n.take_delta().unwrap())
            .unwrap(),
        &["p"],
        &["ghost", "p"],
    );
    assert_eq!(peer.digest(), n.digest());
    assert_diff(&n.merge_with_diff(&dead).unwrap(), &[], &[]);
}

#[test]
fn s7_reincarnation_is_refused_without_a_trace() {
    let mut n = with(v7("n", 5), &["p"]);
    n.merge(&with(v4("n", 1), &["q"])).unwrap();
    n.merge(&with(v7("m", 3), &["r"])).unwrap();
    n.replica_down(&id("marked"));
    n.replica_down(&v7("m", 3));
    n.remove_down_replica(&v7("m", 3)).unwrap();
    n.merge_delta(&named(&v7("n", 7))).unwrap();
    let before = Frozen::of(&n);
    for known in [v7("n", 5), v4("n", 1), id("marked"), v7("m", 3), v7("n", 7)] {
        let error = n.reincarnate(known.clone()).unwrap_err();
        assert_eq!(error, ReincarnateError::NotFresh { replica: known });
    }
    for (old, newest) in [
        (v7("n", 4), v7("n", 7)),
        (v7("n", 6), v7("n", 7)),
        (v7("m", 2), v7("m", 3)),
    ] {
        let error = n.reincarnate(old).unwrap_err();
        assert_eq!(error, ReincarnateError::NewerKnown { newest });
    }
    assert_eq!(Frozen::of(&n), before);
    assert_eq!(
        lines(n.take_delta().unwrap().entries()),
        lines(n.owned_snapshot().entries())
    );
    // An id without an order is fresh, whatever time says.
    assert_diff(&n.reincarnate(v4("n", 2)).unwrap(), &["p"], &["p"]);
    assert_eq!(n.superseded_by(), None);
}

#[test]
fn s7_a_hidden_node_shows_again_under_its_next_name() {
    let mut n = with(v7("n", 1), &["p"]);
    n.replica_down(&v7("n", 1));
    assert_diff(&n.reincarnate(v7("n", 2)).unwrap(), &["p"], &[]);
}

#[test]
fn s7_an_exhausted_node_goes_on_as_another_incarnation() {
    let last = v7("n", 1);
    let saved = packet(
        last.as_str(),
        &[(&last, MAX_CLOCK)],
        vec![entry(&last, MAX_CLOCK, "p")],
    );
    let mut n = State::from_snapshot(saved);
    assert_eq!(
        n.join("q", "t", "k", "m").unwrap_err(),
        JoinError::ClockExhausted
    );
    n.reincarnate(v7("n", 2)).unwrap();
    assert_diff(&join(&mut n, "q"), &["q"], &[]);
    assert_eq!(online(&n), ["p", "q"]);
}

/// 72 bytes at a third node: `{"replica":"m","context":{"v":9007199254740991},…}`.
#[test]
fn s7_a_fresh_incarnation_heals_a_claim_on_the_future() {
    for (old, new) in [
        (id("v"), v7("v", 1)),
        (v7("v", 1), v7("v", 2)),
        (id("v"), id("v-2")),
    ] {
        let (mut v, mut third) = (with(old.clone(), &["p"]), state("third"));
        third.merge(&v).unwrap();
        third
            .merge_delta(&claim("mallory", &old, MAX_CLOCK))
            .unwrap();
        assert_eq!(online(&third), [""; 0], "it trusts relays");
        assert!(v.merge(&third).is_err());
        join(&mut v, "q");
        assert_diff(&third.merge_with_diff(&v).unwrap(), &[], &[]);

        v.reincarnate(new).unwrap();
        let diff = third
            .merge_delta_with_diff(&v.take_delta().unwrap())
            .unwrap();
        assert_diff(&diff, &["p", "q"], &[]);
        assert_diff(&v.merge_with_diff(&third).unwrap(), &[], &[]);
        assert_eq!(v.digest(), third.digest());
    }
}

#[test]
fn s7_a_successor_is_confirmed_by_its_own_word_alone() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let mut relay = state("relay");
    relay.merge(&new).unwrap();
    old.merge(&relay).unwrap();
    old.merge_delta(&new.snapshot()).unwrap();
    assert_eq!(old.superseded_by(), Some(&v7("n", 2)));
    assert_eq!(old.confirmed_successor(), None);
    // Another node cannot speak for it.
    assert!(
        old.merge_owned_with_diff(&id("relay"), &new.owned_snapshot())
            .is_err()
    );
    assert!(
        old.merge_owned_with_diff(&id("relay"), &relay.snapshot())
            .is_err()
    );
    assert_eq!(old.confirmed_successor(), None);
    new.take_delta();
    old.merge_owned_with_diff(&v7("n", 2), &new.owned_snapshot())
        .unwrap();
    assert_eq!(old.confirmed_successor(), Some(&v7("n", 2)));
    assert_eq!(old.clone().confirmed_successor(), Some(&v7("n", 2)));
    assert_eq!(new.confirmed_successor(), None);
}

#[test]
fn s7_hearsay_of_a_pruned_successor_takes_nothing_from_the_former_life() {
    let (mut old, mut new) = (with(v7("n", 1), &["p"]), with(v7("n", 2), &["q"]));
    let (mut pruner, mut relay) = (state("pruner"), state("relay"));
    exchange(&mut new, &mut old);
    for peer in [&mut pruner, &mut relay] {
        peer.merge(&old).unwrap();
    }
    join(&mut old, "r");
    pruner.merge(&old).unwrap();
    relay.merge(&old).unwrap();
    pruner.replica_down(&v7("n", 2));
    pruner.remove_down_replica(&v7("n", 2)).unwrap();
    // The successor clears the former life at the relay. The payload names it not, since
    // both know the same of it; the claim is hearsay all the same.
    new.merge(&old).unwrap();
    relay.merge(&new).unwrap();
    let unnamed = packet("relay", &[(&v7("n", 1), 2)], Vec::new());
    assert_diff(&pruner.merge_delta_with_diff(&unnamed).unwrap(), &[], &[]);
    assert_diff(&pruner.merge_with_diff(&relay).unwrap(), &[], &[]);
    // Its own word counts, and so does a successor's, once one is known.
    old.leave("r", "t", "k");
    assert_diff(&pruner.merge_with_diff(&old).unwrap(), &[], &["r"]);
    pruner.merge(&with(v7("n", 3), &["s"])).unwrap();
    join(&mut old, "u");
    pruner.merge(&old).unwrap();
    let unnamed = packet("relay", &[(&v7("n", 1), 3)], Vec::new());
    assert_diff(
        &pruner.merge_delta_with_diff(&unnamed).unwrap(),
        &[],
        &["u"],
    );
}

/// A life of which nothing is taken is no name for a claim.
#[test]
fn s7_a_claim_needs_the_name_of_a_life_that_is_taken() {
    let [first, second, third] = [1, 2, 3].map(|time| v7("n", time));
    let mut node = with("node", &[]);
    node.merge(&with(first.clone(), &["p"])).unwrap();
    node.merge(&with(third.clone(), &["q"])).unwrap();
    node.replica_down(&third);
    node.remove_down_replica(&third).unwrap();
    // The second life is named by a death alone, which is hearsay itself.
    let relayed = packet(
        "relay",
        &[(&first, 1), (&second, 1), (&third, 1)],
        Vec::new(),
    );
    assert_diff(&node.merge_delta_with_diff(&relayed).unwrap(), &[], &[]);
    assert_eq!(node.context().get(&second), None);
    let lives = packet(
        "relay",
        &[(&first, 1), (&second, 2), (&third, 1)],
        vec![entry(&second, 2, "r")],
    );
    assert_diff(&node.merge_delta_with_diff(&lives).unwrap(), &["r"], &["p"]);
}

#[test]
fn s10_a_newer_incarnation_is_not_retired() {
    let newest = v7("n", 3);
    let supersede_fails = |state: &mut State, why: &str| {
        let before = Frozen::of(state);
        for frozen in [v7("n", 1), v7("n", 2)] {
            let error = state.supersede(&frozen).unwrap_err();
            let newest = newest.clone();
            assert_eq!(error, LifecycleError::NewerKnown { newest }, "{why}");
        }
        assert_eq!(Frozen::of(state), before);
    };
    let mut node = with("node", &["own"]);
    node.merge(&with(newest.clone(), &["p"])).unwrap();
    supersede_fails(&mut node, "seen");
    node.replica_down(&newest);
    node.remove_down_replica(&newest).unwrap();
    supersede_fails(&mut node, "pruned");
    node.replica_up(&newest);
    assert_diff(&node.supersede(&v7("n", 2)).unwrap(), &[], &[]);

    // The node itself is frozen, thaws, and has heard of its successor.
    let mut thawed = with(v7("n", 2), &["own"]);
    thawed.merge_delta(&named(&newest)).unwrap();
    let before = Frozen::of(&thawed);
    let error = thawed.supersede(&v7("n", 2)).unwrap_err();
    assert_eq!(
        error,
        LifecycleError::NewerKnown {
            newest: newest.clone()
        }
    );
    assert_eq!(Frozen::of(&thawed), before);
    // Other bases, and ids without an order, are no newer life.
    thawed.merge(&with(v7("m", 9), &["x"])).unwrap();
    assert!(thawed.supersede(&v7("m", 9)).is_ok());
}

#[cfg(feature = "uuid")]
#[test]
fn s1_a_drawn_incarnation_is_newer_than_the_one_it_follows() {
    let mut uuid = [0xFF; 16];
    (uuid[6], uuid[8]) = (0x70, 0x80);
    let future = ReplicaId::incarnation("n", uuid);
    let mut last = future.clone();
    for _ in 0..100 {
        let next = ReplicaId::new_incarnation_after("n", &last).unwrap();
        assert!(next.is_newer_than(&last) && next.base() == "n");
        last = next;
    }
    let (x, y) = (
        ReplicaId::new_incarnation_after("n", &future).unwrap(),
        ReplicaId::new_incarnation_after("n", &future).unwrap(),
    );
    assert_ne!(x, y, "nobody can tell it in advance");
    for unrelated in [id("n"), v4("n", 9), v7("m", 200), v7("n", 1)] {
        let next = ReplicaId::new_incarnation_after("n", &unrelated).unwrap();
        assert!(!next.is_newer_than(&future), "it is drawn from the clock");
        assert!(!unrelated.is_newer_than(&next));
    }
    (uuid[6], uuid[8]) = (0x7F, 0xBF);
    let greatest = ReplicaId::incarnation("n", uuid);
    let error = ReplicaId::new_incarnation_after("n", &greatest).unwrap_err();
    assert_eq!(error.other, greatest);
}

#[test]
fn s7_a_restored_state_signs_its_claims() {
    let (old, new) = (v7("n", 1), v7("n", 2));
    let saved = packet(new.as_str(), &[(&old, 1)], Vec::new());
    let mut restored = State::from_snapshot(saved.clone());
    let mut again = State::from_snapshot(saved);
    let before = Frozen::of(&restored);
    assert_diff(&restored.merge_with_diff(&again).unwrap(), &[], &[]);
    assert_diff(&again.merge_with_diff(&copy(&restored)).unwrap(), &[], &[]);
    assert_eq!(
        Frozen::of(&restored),
        before,
        "S6: an identical state is a no-op"
    );
    assert!(
        restored.context().get(&new).is_some(),
        "the claim has a name"
    );
}
