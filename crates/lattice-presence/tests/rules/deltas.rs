//! S13 and S14: what is sent, and that all ways of sending agree.

use super::support::{
    Delta, Frozen, State, assert_diff, copy, dot, entry, exchange, id, join, lines, online, packet,
    state, v7, with,
};
use lattice_presence::MergeError;

#[test]
fn s13_take_delta_yields_what_was_mutated_since_the_last_take_or_nothing() {
    let mut a = state("a");
    assert!(a.take_delta().is_none());
    join(&mut a, "p");
    join(&mut a, "q");
    let first = a.take_delta().unwrap();
    assert_eq!(lines(first.entries()), ["a@1 p/t/k=m", "a@2 q/t/k=m"]);
    assert_eq!(first.replica(), &id("a"));
    assert!(a.take_delta().is_none());
    a.leave("p", "t", "k");
    let second = a.take_delta().unwrap();
    assert_eq!(second.len(), 0, "dots that left carry no entry");
    assert!(
        second.context().contains(&dot(&id("a"), 1))
            && !second.context().contains(&dot(&id("a"), 2))
    );
    assert!(a.take_delta().is_none());
    let mut b = state("b");
    b.merge_delta(&first).unwrap();
    assert_diff(&b.merge_delta_with_diff(&second).unwrap(), &[], &["p"]);
}

#[test]
fn s13_a_delta_claims_only_what_it_contains() {
    let mut a = with("a", &["p"]);
    a.take_delta();
    join(&mut a, "q");
    let delta = a.take_delta().unwrap();
    assert!(!delta.context().contains(&dot(&id("a"), 1)));
    let mut b = state("b");
    b.merge_delta(&delta).unwrap();
    assert_eq!(
        b.context().get(&id("a")).unwrap().prefix(),
        0,
        "the gap stays a gap"
    );
    assert_eq!(online(&b), ["q"]);
}

#[test]
fn s13_what_came_from_others_is_not_taken() {
    let mut a = state("a");
    a.merge(&with("b", &["p"])).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    assert!(a.take_delta().is_none());
}

#[test]
fn s13_deltas_merge_in_any_order_and_any_number_of_times() {
    let mut a = state("a");
    let mut deltas = Vec::new();
    for i in 0..6 {
        join(&mut a, &format!("p{i}"));
        if i % 2 == 1 {
            a.leave(&format!("p{}", i - 1), "t", "k");
        }
        deltas.push(a.take_delta().unwrap());
    }
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]] {
        let mut b = state("b");
        for i in order.into_iter().chain([2, 2, 0]) {
            b.merge_delta(&deltas[i]).unwrap();
        }
        assert_eq!(b.digest(), a.digest(), "{order:?}");
        assert_eq!(online(&b), ["p1", "p3", "p5"]);
    }
}

#[test]
fn s13_state_delta_and_snapshot_lead_to_the_same() {
    let mut a = with("a", &["p", "q"]);
    let first = a.take_delta().unwrap();
    let early = copy(&a);
    a.leave("p", "t", "k");
    join(&mut a, "r");
    let second = a.take_delta().unwrap();
    let ways: [&dyn Fn(&mut State); 5] = [
        &|b| b.merge(&a).unwrap(),
        &|b| b.merge_delta(&a.snapshot()).unwrap(),
        &|b| {
            b.merge_delta(&second).unwrap();
            b.merge_delta(&first).unwrap();
        },
        &|b| {
            b.merge(&early).unwrap();
            let delta = a.delta_since(&b.digest());
            b.merge_delta(&delta).unwrap();
        },
        &|b| {
            b.merge_delta(&second).unwrap();
            b.merge(&early).unwrap();
        },
    ];
    for (way, merge) in ways.iter().enumerate() {
        let mut b = state("b");
        merge(&mut b);
        assert_eq!(b.digest(), a.digest(), "way {way}");
        assert_eq!(lines(b.online_list()), lines(a.online_list()), "way {way}");
    }
}

#[test]
fn s13_delta_since_sends_exactly_what_a_peer_lacks() {
    let mut a = with("a", &["p", "q", "r"]);
    let mut b = state("b");
    exchange(&mut a, &mut b);
    a.leave("p", "t", "k");
    join(&mut a, "s");
    let delta = a.delta_since(&b.digest());
    assert_eq!(lines(delta.entries()), ["a@4 s/t/k=m"]);
    let clocks: Vec<_> = delta.context().get(&id("a")).unwrap().clocks().collect();
    assert_eq!(
        clocks,
        [1, 4],
        "all seen, but for the live dots that the peer has seen"
    );
    assert_diff(&b.merge_delta_with_diff(&delta).unwrap(), &["s"], &["p"]);
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn s13_nothing_is_sent_to_a_peer_with_an_equal_digest() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["q"]));
    exchange(&mut a, &mut b);
    let delta = a.delta_since(&b.digest());
    assert!(delta.is_empty() && delta.entries().next().is_none());
}

#[test]
fn s13_a_digest_reveals_a_removal_though_it_mints_no_dot() {
    let (mut a, mut b) = (with("a", &["p"]), state("b"));
    exchange(&mut a, &mut b);
    a.leave("p", "t", "k");
    assert_eq!(a.context(), b.context());
    assert_ne!(a.digest(), b.digest());
    let delta = a.delta_since(&b.digest());
    assert_diff(&b.merge_delta_with_diff(&delta).unwrap(), &[], &["p"]);
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn s13_delta_since_relays_what_third_parties_wrote() {
    let (mut b, c) = (state("b"), with("c", &["p"]));
    b.merge(&c).unwrap();
    let mut a = state("a");
    a.merge_delta(&b.delta_since(&a.digest())).unwrap();
    assert_eq!(lines(a.online_list()), ["c@1 p/t/k=m"]);
}

#[test]
fn s13_a_digest_tells_the_slots_of_one_dot_apart() {
    let one = |topic: &str, key: &str, pid: &str| {
        let mut a = state("a");
        a.join(pid, topic, key, "m").unwrap();
        a.digest()
    };
    let digests = [
        ("t", "k", "p"),
        ("u", "k", "p"),
        ("t", "l", "p"),
        ("t", "k", "q"),
    ];
    let digests = digests.map(|(topic, key, pid)| one(topic, key, pid));
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(digest), "slot {i}");
    }
    assert_eq!(digests[0], one("t", "k", "p"));
}

#[test]
fn s13_metadata_is_not_part_of_a_digest() {
    let z = id("z");
    let reworded = lattice_presence::Presence::new(dot(&z, 1), "t", "k", "p", "other");
    let a = State::from_snapshot(packet("a", &[(&z, 1)], vec![entry(&z, 1, "p")]));
    let b = State::from_snapshot(packet("b", &[(&z, 1)], vec![reworded]));
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn s13_a_restored_state_equals_its_snapshot() {
    let mut a = with("a", &["p", "q"]);
    a.merge(&with("b", &["r"])).unwrap();
    a.leave("p", "t", "k");
    let mut restored = copy(&a);
    assert_eq!(restored.digest(), a.digest());
    assert_eq!(lines(restored.online_list()), lines(a.online_list()));
    assert_eq!(restored.replica(), a.replica());
    join(&mut restored, "s");
    assert_eq!(restored.context().max(&id("a")), 3);
}

#[test]
fn s14_an_owned_snapshot_is_the_local_replicas_alone() {
    let mut a = with("a", &["p", "q"]);
    a.leave("p", "t", "k");
    a.merge(&with("b", &["r"])).unwrap();
    let owned = a.owned_snapshot();
    assert_eq!(lines(owned.entries()), ["a@2 q/t/k=m"]);
    assert_eq!(owned.context().replicas().collect::<Vec<_>>(), [&id("a")]);
    assert_eq!(owned.context().prefix(&id("a")), 2, "what left is claimed");
}

#[test]
fn s14_merge_owned_takes_what_is_the_peers_own() {
    let (mut a, mut b) = (state("a"), with("b", &["p"]));
    assert_diff(
        &a.merge_owned(&id("b"), &b.owned_snapshot()).unwrap(),
        &["p"],
        &[],
    );
    assert_diff(
        &a.merge_owned(&id("b"), &b.take_delta().unwrap()).unwrap(),
        &[],
        &[],
    );
    b.leave("p", "t", "k");
    assert_diff(
        &a.merge_owned(&id("b"), &b.owned_snapshot()).unwrap(),
        &[],
        &["p"],
    );
}

#[track_caller]
fn not_owned(state: &mut State, peer: &str, delta: &Delta) {
    let before = Frozen::of(state);
    let error = state.merge_owned(&id(peer), delta).unwrap_err();
    assert!(matches!(error, MergeError::NotOwned { .. }), "{error}");
    assert_eq!(Frozen::of(state), before);
}

#[test]
fn s14_merge_owned_refuses_whatever_is_not_the_peers_own() {
    let (b, c) = (id("b"), id("c"));
    let mut a = with("a", &["p"]);
    let own = packet("b", &[(&b, 1)], vec![entry(&b, 1, "q")]);
    not_owned(&mut a, "c", &own);
    not_owned(
        &mut a,
        "b",
        &packet("c", &[(&b, 1)], vec![entry(&b, 1, "q")]),
    );
    not_owned(
        &mut a,
        "b",
        &packet(
            "b",
            &[(&b, 1), (&c, 1)],
            vec![entry(&b, 1, "q"), entry(&c, 1, "r")],
        ),
    );
    not_owned(
        &mut a,
        "b",
        &packet("b", &[(&b, 1), (&c, 1)], vec![entry(&b, 1, "q")]),
    );
    not_owned(&mut a, "b", &packet("b", &[(&c, 1)], Vec::new()));
    assert_diff(&a.merge_owned(&b, &own).unwrap(), &["q"], &[]);
}

/// `{"replica":"m","context":{"v":9007199254740991}}`, at a node that believes owners.
#[test]
fn s14_a_claim_on_anothers_future_is_refused() {
    let v = id("v");
    let mut third = state("third");
    third
        .merge_owned_with_diff(&v, &with("v", &["p"]).owned_snapshot())
        .unwrap();
    let mut future = lattice_presence::CausalContext::new();
    future.insert_range(v.clone(), 1..=lattice_presence::MAX_CLOCK);
    let forged = Delta::from_parts(id("m"), future, Vec::new()).unwrap();
    not_owned(&mut third, "m", &forged);
    not_owned(&mut third, "v", &forged);
    assert_eq!(online(&third), ["p"]);
}

#[test]
fn s14_the_end_of_its_former_lives_is_a_peers_own_word() {
    let (old, new) = (v7("n", 1), v7("n", 2));
    let mut third = with("third", &[]);
    third.merge(&with(old.clone(), &["ghost"])).unwrap();
    let word = packet(
        new.as_str(),
        &[(&old, 1), (&new, 1)],
        vec![entry(&new, 1, "p")],
    );
    // Nobody's but its own: neither another base, nor a newer life, nor an entry.
    let other = packet(v7("m", 9).as_str(), &[(&old, 1)], Vec::new());
    not_owned(&mut third, v7("m", 9).as_str(), &other);
    let older = packet(old.as_str(), &[(&new, 1)], Vec::new());
    not_owned(&mut third, old.as_str(), &older);
    let living = packet(new.as_str(), &[(&old, 2)], vec![entry(&old, 2, "forged")]);
    not_owned(&mut third, new.as_str(), &living);
    assert_diff(
        &third.merge_owned_with_diff(&new, &word).unwrap(),
        &["p"],
        &["ghost"],
    );
}

#[test]
fn s14_owned_deltas_bring_owners_to_one_view() {
    let mut nodes = [
        with("a", &["p"]),
        with("b", &["q"]),
        with("c", &["r", "gone"]),
    ];
    let round = |nodes: &mut [State; 3]| {
        for (to, from) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let [to, from] = nodes.get_disjoint_mut([to, from]).unwrap();
            let delta = from.owned_delta_since(&to.digest());
            to.merge_owned_with_diff(from.replica(), &delta).unwrap();
        }
    };
    round(&mut nodes);
    nodes[2].leave("gone", "t", "k");
    round(&mut nodes);
    for node in &nodes {
        assert_eq!(online(node), ["p", "q", "r"]);
        assert_eq!(node.digest(), nodes[0].digest());
    }
    let nothing = nodes[0].owned_delta_since(&nodes[1].digest());
    assert!(nothing.is_empty());
}

#[test]
fn s13_has_pending_says_whether_a_take_yields_something() {
    let mut a = state("a");
    assert!(!a.has_pending());
    join(&mut a, "p");
    assert!(a.has_pending());
    a.take_delta();
    assert!(!a.has_pending());
    a.leave("p", "t", "k");
    assert!(a.has_pending());
    a.take_delta();
    a.merge(&with("b", &["q"])).unwrap();
    assert!(!a.has_pending() && a.take_delta().is_none());
}
