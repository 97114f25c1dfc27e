//! S5: what a merge does to entries, and what it never does to one's own.

use super::support::{
    Frozen, State, assert_diff, copy, exchange, id, join, lines, online, packet, state, v7, with,
};
use lattice_presence::{
    Asked, ClockSet, Diff, Held, MAX_REISSUED, Part, PresenceDelta, Question, ReplicaId,
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

/// 63 bytes, `{"replica":"b","context":{"a":…},…}`: one merge re-issues a bounded number.
#[test]
fn s5_a_merge_re_issues_a_bounded_number_and_the_next_ones_the_rest() {
    let a_id = id("a");
    let users = 2 * MAX_REISSUED as u64 + 10;
    let mut a = state("a");
    for user in 0..users {
        join(&mut a, &format!("p{user}"));
    }
    a.take_delta();
    let all: Vec<_> = (1..=users).map(|clock| (&a_id, clock)).collect();
    let diff = a
        .merge_delta_with_diff(&packet("b", &all, Vec::new()))
        .unwrap();
    assert_eq!(
        (diff.joins().count(), diff.leaves().count()),
        (MAX_REISSUED, MAX_REISSUED)
    );
    assert_eq!(
        diff.leaves().next().unwrap().dot().clock,
        1,
        "the oldest dots first"
    );
    assert_eq!(a.take_delta().unwrap().len(), MAX_REISSUED);
    let leaves = |diff: &Diff<_>| diff.leaves().map(|entry| entry.dot().clock).max();
    assert_eq!(leaves(&diff), Some(MAX_REISSUED as u64));
    // Any merge goes on, whatever it brings; what left meanwhile is not brought back.
    a.leave(&format!("p{}", users - 1), "t", "k");
    let diff = a.merge_with_diff(&with("c", &["x"])).unwrap();
    assert_eq!(diff.joins().count(), MAX_REISSUED + 1);
    assert_in_dot_order(&diff);
    let diff = a.merge_with_diff(&state("d")).unwrap();
    assert_eq!((diff.joins().count(), diff.leaves().count()), (9, 9));
    assert_diff(&a.merge_with_diff(&state("d")).unwrap(), &[], &[]);
    assert_eq!(a.len() as u64, users);
    let live: Vec<_> = a
        .owned_snapshot()
        .entries()
        .map(|entry| entry.dot().clock)
        .collect();
    assert_eq!(
        live,
        (users + 1..=2 * users - 1).collect::<Vec<_>>(),
        "each once"
    );
}

/// Only pushes and digests, and a peer that claims everything: it comes to one view.
#[test]
fn s5_bounded_re_issues_converge() {
    let mut a = state("a");
    for user in 0..5 * MAX_REISSUED / 2 {
        join(&mut a, &format!("p{user}"));
    }
    let claims = State::from_snapshot(a.snapshot());
    let seen = claims.context().clone();
    let claims = PresenceDelta::from_parts(id("b"), seen, Vec::new()).unwrap();
    let mut b = State::from_snapshot(claims);
    let mut rounds = 0;
    while a.digest() != b.digest() {
        a.merge_delta(&b.delta_since(&a.digest())).unwrap();
        if let Some(push) = a.take_delta() {
            b.merge_delta(&push).unwrap();
        }
        b.merge_delta(&a.delta_since(&b.digest())).unwrap();
        rounds += 1;
        assert!(rounds <= 4, "the difference must shrink in every round");
    }
    assert_eq!(b.len(), 5 * MAX_REISSUED / 2);
}

#[test]
fn s5_an_echo_that_follows_a_claim_re_issues_nothing_more() {
    let a_id = id("a");
    let mut a = with("a", &["p", "q"]);
    let push = a.take_delta().unwrap();
    a.merge_delta(&packet("b", &[(&a_id, 1)], Vec::new()))
        .unwrap();
    assert_diff(&a.merge_delta_with_diff(&push).unwrap(), &[], &[]);
    assert_eq!(lines(a.online_list()), ["a@2 q/t/k=m", "a@3 p/t/k=m"]);
}

fn asked(seen: ClockSet, parts: Vec<Part>) -> Question<ReplicaId> {
    let mut asked = Asked::default();
    (asked.seen, asked.parts) = (seen, parts);
    let mut question = Question::new();
    question.insert(id("a"), asked);
    question
}

fn listed(first: u64, last: u64, clocks: ClockSet) -> Part {
    let held = Held::Dots {
        clocks,
        fingerprint: 0,
    };
    Part { first, last, held }
}

#[test]
fn s5_a_question_shows_which_own_entries_the_asker_has_pruned() {
    let mut a = with("a", &["p", "q", "r", "s", "u"]);
    a.leave("s", "t", "k");
    a.take_delta();
    let before = Frozen::of(&a);
    let unlisted = Part {
        first: 1,
        last: 9,
        held: Held::Fingerprint(7),
    };
    for silent in [
        Question::new(),
        asked((1..=5).into(), vec![]),
        asked((1..=5).into(), vec![unlisted]),
        asked((1..=5).into(), vec![listed(1, 5, (1..=5).into())]),
        asked((1..=3).into(), vec![listed(4, 9, ClockSet::new())]),
        asked((7..=9).into(), vec![listed(1, 9, ClockSet::new())]),
    ] {
        assert_diff(&a.defend(&silent, 100), &[], &[]);
        assert_eq!(Frozen::of(&a), before, "{silent:?}");
    }
    // It has seen 1 to 4 and holds 2 alone. Of 5 it knows nothing.
    let question = asked((1..=4).into(), vec![listed(1, 5, (2..=2).into())]);
    assert_diff(&a.clone().defend(&question, 0), &[], &[]);
    assert_diff(&a.clone().defend(&question, 1), &["p"], &["p"]);
    assert_diff(&a.defend(&question, 100), &["p", "r"], &["p", "r"]);
    assert_eq!(a.take_delta().unwrap().len(), 2);
    assert_diff(&a.defend(&question, 100), &[], &[]);
}

#[test]
fn s5_s7_a_superseded_incarnation_defends_nothing() {
    let mut old = with(v7("n", 1), &["p"]);
    old.merge(&with(v7("n", 2), &["q"])).unwrap();
    let mut asked = Asked::default();
    (asked.seen, asked.parts) = ((1..=1).into(), vec![listed(1, 1, ClockSet::new())]);
    let mut question = Question::new();
    question.insert(v7("n", 1), asked);
    assert_diff(&old.defend(&question, 100), &[], &[]);
}

#[track_caller]
fn assert_in_dot_order(diff: &Diff<&'static str>) {
    for entries in [diff.joins().collect::<Vec<_>>(), diff.leaves().collect()] {
        assert!(entries.is_sorted_by_key(|entry| entry.dot()), "{entries:?}");
    }
}

#[test]
fn s4_a_diff_of_several_owners_is_in_dot_order() {
    // The own name stands between those of the others.
    let mut b = with("b", &["own", "own2"]);
    let mut all = state("d");
    for (name, pids) in [("c", ["x", "y"]), ("a", ["u", "v"]), ("e", ["z", "w"])] {
        all.merge(&with(name, &pids)).unwrap();
    }
    b.merge(&all).unwrap();
    let left = b.take_delta();
    drop(left);
    let mut pruned = State::from_snapshot(packet(
        "f",
        &[
            (&id("a"), 1),
            (&id("b"), 1),
            (&id("b"), 2),
            (&id("c"), 2),
            (&id("e"), 1),
        ],
        Vec::new(),
    ));
    pruned.merge(&with("g", &["new", "new2"])).unwrap();
    pruned.merge(&with("aa", &["new3"])).unwrap();
    let diff = b.merge_with_diff(&pruned).unwrap();
    assert_diff(
        &diff,
        &["new", "new2", "new3", "own", "own2"],
        &["own", "own2", "u", "y", "z"],
    );
    assert_in_dot_order(&diff);
    let owners: Vec<_> = diff.joins().map(|entry| entry.dot().to_string()).collect();
    assert_eq!(owners, ["aa:1", "b:3", "b:4", "g:1", "g:2"]);
}
