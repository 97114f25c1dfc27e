//! S8, S9 and S10: who is believed to live.

use super::support::{
    Frozen, assert_diff, copy, entry, exchange, id, join, online, packet, state, v4, v7, with,
};
use lattice_presence::LifecycleError;

#[test]
fn s8_down_hides_and_up_shows_and_both_are_idempotent() {
    let (mut a, b) = (with("a", &["own"]), with("b", &["p", "q"]));
    a.merge(&b).unwrap();
    assert_diff(&a.replica_down(&id("b")), &[], &["p", "q"]);
    assert!(a.is_down(&id("b")));
    assert_diff(&a.replica_down(&id("b")), &[], &[]);
    assert_eq!(online(&a), ["own"]);
    assert_eq!(
        (a.len(), a.topic_len("t"), a.get_by_pid("p").count()),
        (1, 1, 0)
    );
    assert!(!a.contains("p", "t", "k"));
    assert_diff(&a.replica_up(&id("b")), &["p", "q"], &[]);
    assert!(!a.is_down(&id("b")));
    assert_diff(&a.replica_up(&id("b")), &[], &[]);
    assert_eq!(online(&a), ["own", "p", "q"]);
}

#[test]
fn s8_unknown_replicas_count_as_up() {
    let mut a = with("a", &["own"]);
    assert!(!a.is_down(&id("ghost")));
    assert_diff(&a.replica_up(&id("ghost")), &[], &[]);
    assert_diff(&a.replica_down(&id("ghost")), &[], &[]);
    assert!(
        a.is_down(&id("ghost")),
        "a mark may precede the first entry"
    );
    assert_diff(
        &a.merge_with_diff(&with("ghost", &["p"])).unwrap(),
        &[],
        &[],
    );
    assert_eq!(online(&a), ["own"]);
}

#[test]
fn s8_the_local_replica_can_be_marked_down_too() {
    let mut a = with("a", &["own"]);
    assert_diff(&a.replica_down(&id("a")), &[], &["own"]);
    assert!(a.is_down(&id("a")) && a.is_empty());
    assert_eq!(a.owned_snapshot().len(), 1, "it is still sent");
    assert_diff(&a.replica_up(&id("a")), &["own"], &[]);
}

#[test]
fn s8_a_topic_whose_members_are_all_hidden_is_no_topic() {
    let mut a = state("a");
    a.merge(&with("b", &["p"])).unwrap();
    a.replica_down(&id("b"));
    assert_eq!(a.topics().count(), 0);
    assert!(a.is_empty());
    a.replica_up(&id("b"));
    assert_eq!(a.topics().collect::<Vec<_>>(), ["t"]);
}

#[test]
fn s8_liveness_is_neither_merged_nor_sent_nor_restored() {
    let (mut a, mut c) = (state("a"), state("c"));
    a.merge(&with("b", &["p"])).unwrap();
    let digest = a.digest();
    a.replica_down(&id("b"));
    assert_eq!(a.digest(), digest);
    assert_diff(&c.merge_with_diff(&a).unwrap(), &["p"], &[]);
    assert!(!c.is_down(&id("b")));
    let restored = copy(&a);
    assert_eq!(online(&restored), ["p"]);
    assert!(!restored.is_down(&id("b")));
    assert_eq!(a.snapshot().len(), 1, "a snapshot carries hidden entries");
    assert_eq!(a.entries().count(), 1);
}

#[test]
fn s9_removing_takes_the_entries_and_the_context() {
    let (mut a, b) = (with("a", &["own"]), with("b", &["p"]));
    a.merge(&b).unwrap();
    a.replica_down(&id("b"));
    assert_diff(&a.remove_down_replica(&id("b")).unwrap(), &[], &[]);
    assert_eq!(a.entries().count(), 1);
    assert_eq!(a.context().get(&id("b")), None);
    assert!(a.is_down(&id("b")), "it stays marked down");
}

#[test]
fn s9_removing_is_an_error_unless_marked_down() {
    let mut a = state("a");
    a.merge(&with("b", &["p"])).unwrap();
    let before = Frozen::of(&a);
    for name in ["b", "never-seen"] {
        let error = a.remove_down_replica(&id(name)).unwrap_err();
        assert!(matches!(error, LifecycleError::NotDown { .. }), "{error}");
    }
    assert_eq!(Frozen::of(&a), before);
}

#[test]
fn s9_the_local_writer_is_never_removed() {
    let mut a = with("a", &["own"]);
    a.replica_down(&id("a"));
    let before = Frozen::of(&a);
    assert!(matches!(
        a.remove_down_replica(&id("a")),
        Err(LifecycleError::LocalReplica { .. })
    ));
    assert_eq!(Frozen::of(&a), before);
}

#[test]
fn s9_stale_gossip_cannot_bring_removed_dots_back() {
    let (mut a, mut b) = (state("a"), with("b", &["p", "q"]));
    b.leave("p", "t", "k");
    a.merge(&b).unwrap();
    let (stale, delta) = (copy(&b), b.take_delta().unwrap());
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    let before = Frozen::of(&a);
    assert_diff(&a.merge_with_diff(&stale).unwrap(), &[], &[]);
    assert_diff(&a.merge_delta_with_diff(&delta).unwrap(), &[], &[]);
    assert_diff(
        &a.merge_delta_with_diff(&stale.delta_since(&a.digest()))
            .unwrap(),
        &[],
        &[],
    );
    assert_eq!(Frozen::of(&a), before, "neither entries nor context return");
    assert_eq!(a.entries().count(), 0);
}

#[test]
fn s9_the_filter_is_exact() {
    let z = id("z");
    let mut a = state("a");
    a.merge_delta(&packet("z", &[(&z, 1), (&z, 3)], vec![entry(&z, 3, "p")]))
        .unwrap();
    a.replica_down(&z);
    a.remove_down_replica(&z).unwrap();
    // The gap was never seen, hence never discarded; what is new is kept, hidden.
    let later = packet(
        "z",
        &[(&z, 2), (&z, 3), (&z, 4)],
        vec![entry(&z, 2, "gap"), entry(&z, 3, "p"), entry(&z, 4, "new")],
    );
    assert_diff(&a.merge_delta_with_diff(&later).unwrap(), &[], &[]);
    let clocks: Vec<_> = a.entries().map(|entry| entry.dot().clock).collect();
    assert_eq!(clocks, [2, 4]);
    assert_diff(&a.replica_up(&z), &["gap", "new"], &[]);
}

#[test]
fn s9_what_is_pruned_twice_stays_out() {
    let (mut a, mut b) = (state("a"), with("b", &["p"]));
    for pid in ["q", "r"] {
        a.merge(&b).unwrap();
        a.replica_down(&id("b"));
        a.remove_down_replica(&id("b")).unwrap();
        join(&mut b, pid);
    }
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
    assert_eq!(
        super::support::pids(a.entries()),
        ["r"],
        "the first filter still holds"
    );
}

#[test]
fn s9_pruning_never_travels() {
    let (mut a, mut b, mut c) = (with("a", &["own"]), with("b", &["p"]), state("c"));
    a.merge(&b).unwrap();
    c.merge(&b).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    assert_diff(&c.merge_with_diff(&a).unwrap(), &["own"], &[]);
    assert_diff(
        &c.merge_delta_with_diff(&a.delta_since(&c.digest()))
            .unwrap(),
        &[],
        &[],
    );
    assert_diff(&b.merge_with_diff(&a).unwrap(), &["own"], &[]);
    assert_eq!(online(&b), ["own", "p"]);
    assert_eq!(
        b.context().prefix(&id("b")),
        1,
        "the owner has nothing to re-issue"
    );
    assert_eq!(online(&c), ["own", "p"]);
}

#[test]
fn s9_up_lifts_the_filter() {
    let (mut a, b) = (state("a"), with("b", &["p"]));
    a.merge(&b).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    assert_diff(&a.replica_up(&id("b")), &[], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &["p"], &[]);
}

#[test]
fn s9_forget_drops_mark_and_filter() {
    let (mut a, b) = (state("a"), with("b", &["p"]));
    a.merge(&b).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    assert_diff(&a.forget_replica(&id("b")), &[], &[]);
    assert!(!a.is_down(&id("b")));
    assert_diff(&a.merge_with_diff(&b).unwrap(), &["p"], &[]);
}

#[test]
fn s10_supersede_removes_every_other_incarnation_with_one_diff() {
    let mut a = with("a", &["own"]);
    for (id, pid) in [
        (v4("n", 1), "one"),
        (v7("n", 2), "two"),
        (id("n"), "plain"),
        (v4("n", 3), "now"),
        (v4("m", 1), "else"),
    ] {
        a.merge(&with(id, &[pid])).unwrap();
    }
    a.replica_down(&v4("n", 1));
    assert_diff(&a.supersede(&v4("n", 3)).unwrap(), &[], &["plain", "two"]);
    let mut left = online(&a);
    left.sort_unstable();
    assert_eq!(left, ["else", "now", "own"]);
    for gone in [v4("n", 1), v7("n", 2), id("n")] {
        assert!(
            a.is_down(&gone) && a.context().get(&gone).is_none(),
            "{gone}"
        );
    }
    assert!(!a.is_down(&v4("n", 3)) && !a.is_down(&v4("m", 1)));
    assert_diff(&a.supersede(&v4("n", 3)).unwrap(), &[], &[]);
}

#[test]
fn s10_superseded_incarnations_do_not_return_in_stale_gossip() {
    let old = with(v4("n", 1), &["ghost"]);
    let mut a = with("a", &["own"]);
    a.merge(&old).unwrap();
    a.supersede(&v4("n", 2)).unwrap();
    assert_diff(&a.merge_with_diff(&old).unwrap(), &[], &[]);
    assert_eq!(a.entries().count(), 1);
}

#[test]
fn s10_superseding_the_local_writer_is_an_error_that_changes_nothing() {
    let mut a = with(v4("n", 3), &["own"]);
    a.merge(&with(v4("n", 2), &["p"])).unwrap();
    let before = Frozen::of(&a);
    assert!(matches!(
        a.supersede(&v4("n", 1)),
        Err(LifecycleError::LocalReplica { .. })
    ));
    assert_eq!(Frozen::of(&a), before);
    assert!(!a.is_down(&v4("n", 2)));
    assert_diff(&a.supersede(&v4("n", 3)).unwrap(), &[], &["p"]);
    assert_diff(&a.supersede(&id("unrelated")).unwrap(), &[], &[]);
    assert_eq!(online(&a), ["own"]);
}

#[test]
fn s10_a_mark_alone_makes_no_incarnation_current() {
    let (mut a, mut b) = (with("a", &["own"]), with(v4("n", 2), &["p"]));
    exchange(&mut a, &mut b);
    a.replica_down(&v4("n", 2));
    assert_diff(&a.supersede(&v4("n", 2)).unwrap(), &[], &[]);
    assert!(
        a.is_down(&v4("n", 2)),
        "superseding says nothing of the current one's liveness"
    );
    assert_eq!(a.entries().count(), 2);
}

#[test]
fn s8_replicas_says_what_is_thought_of_each() {
    let mut a = with("a", &["own", "gone"]);
    a.leave("gone", "t", "k");
    for (name, pids) in [
        ("down", &["p", "q"][..]),
        ("pruned", &["r"]),
        ("up", &["s"]),
    ] {
        a.merge(&with(name, pids)).unwrap();
    }
    for name in ["down", "marked", "pruned", "unseen"] {
        a.replica_down(&id(name));
    }
    for name in ["pruned", "unseen"] {
        a.remove_down_replica(&id(name)).unwrap();
    }
    // What a pruned replica does next is here, and hidden.
    let later = packet(
        "pruned",
        &[(&id("pruned"), 3)],
        vec![entry(&id("pruned"), 3, "v")],
    );
    a.merge_delta(&later).unwrap();
    let listed = |state: &super::support::State| {
        let lines = state.replicas().map(|known| {
            let name = known.replica.to_string();
            (name, known.standing, known.entries, known.last_clock)
        });
        lines.collect::<Vec<_>>()
    };
    let line = |name: &str, standing, entries, clock| (name.to_owned(), standing, entries, clock);
    use lattice_presence::Standing::{Down, Pruned, Up};
    assert_eq!(
        listed(&a),
        [
            line("a", Up, 1, 2),
            line("down", Down, 2, 2),
            line("marked", Down, 0, 0),
            line("pruned", Pruned, 1, 3),
            line("unseen", Down, 0, 0),
            line("up", Up, 1, 1),
        ]
    );
    a.replica_up(&id("pruned"));
    assert_eq!(listed(&a)[3], line("pruned", Up, 1, 3));
    assert_eq!(listed(&state("x")), [line("x", Up, 0, 0)]);
}
