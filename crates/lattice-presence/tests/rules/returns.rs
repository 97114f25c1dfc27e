//! S9 over a whole story: a partition longer than the patience of the peers, then healed.

use super::support::{State, assert_diff, exchange, id, join, lines, online, state, with};

/// Everybody has pruned `b`, which lived on and changed meanwhile.
fn partitioned() -> (State, State, State) {
    let (mut a, mut b, mut c) = (
        with("a", &["pa"]),
        with("b", &["kept", "gone"]),
        with("c", &["pc"]),
    );
    for _ in 0..2 {
        exchange(&mut a, &mut b);
        exchange(&mut b, &mut c);
        exchange(&mut a, &mut c);
    }
    for survivor in [&mut a, &mut c] {
        survivor.replica_down(&id("b"));
        survivor.remove_down_replica(&id("b")).unwrap();
    }
    b.replica_down(&id("a"));
    b.remove_down_replica(&id("a")).unwrap();
    b.leave("gone", "t", "k");
    join(&mut b, "new");
    (a, b, c)
}

#[test]
fn s9_a_replica_that_returns_after_a_long_partition_is_simply_seen_again() {
    let (mut a, mut b, mut c) = partitioned();
    assert_diff(&a.replica_up(&id("b")), &[], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &["kept", "new"], &[]);
    c.replica_up(&id("b"));
    assert_diff(&c.merge_with_diff(&a).unwrap(), &["kept", "new"], &[]);
    b.replica_up(&id("a"));
    assert_diff(&b.merge_with_diff(&c).unwrap(), &["pa"], &[]);
    for state in [&a, &b, &c] {
        assert_eq!(
            online(state),
            ["pa", "kept", "new", "pc"],
            "at {}",
            state.replica()
        );
    }
    assert_eq!(
        b.context().prefix(&id("b")),
        3,
        "nothing had to be re-issued"
    );
    assert_eq!(a.digest(), b.digest());
    assert_eq!(a.digest(), c.digest());
}

#[test]
fn s9_the_return_works_over_deltas_alone() {
    let (mut a, b, _) = partitioned();
    a.replica_up(&id("b"));
    let diff = a
        .merge_delta_with_diff(&b.delta_since(&a.digest()))
        .unwrap();
    assert_diff(&diff, &["kept", "new"], &[]);
}

#[test]
fn s9_gossip_before_up_hides_and_after_up_shows_without_a_duplicate() {
    let (mut a, b, _) = partitioned();
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
    assert_diff(&a.replica_up(&id("b")), &["new"], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &["kept"], &[]);
    assert_eq!(lines(a.get_by_key("t", "k")).len(), 4);
}

#[test]
fn s9_a_ghost_from_stale_gossip_after_up_dies_with_the_owners_word() {
    let mut stale = state("relay");
    let (mut a, mut b) = (state("a"), with("b", &["gone"]));
    exchange(&mut a, &mut b);
    stale.merge(&b).unwrap();
    a.replica_down(&id("b"));
    a.remove_down_replica(&id("b")).unwrap();
    b.leave("gone", "t", "k");
    a.replica_up(&id("b"));
    assert_diff(&a.merge_with_diff(&stale).unwrap(), &["gone"], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &["gone"]);
}
