//! S11 and S12: one slot on several replicas, and what reads give in which order.

use super::support::{
    Frozen, State, assert_diff, exchange, id, join, lines, online, pids, state, with,
};

#[test]
fn s11_a_slot_held_by_two_replicas_has_two_entries_in_one_order_everywhere() {
    let (mut a, mut b) = (state("a"), state("b"));
    a.join("p", "t", "k", "from a").unwrap();
    b.join("p", "t", "k", "from b").unwrap();
    let (mut ab, mut ba) = (state("x"), state("y"));
    ab.merge(&a).unwrap();
    ab.merge(&b).unwrap();
    ba.merge(&b).unwrap();
    ba.merge(&a).unwrap();
    let expected = ["a@1 p/t/k=from a", "b@1 p/t/k=from b"];
    for state in [&ab, &ba] {
        assert_eq!(lines(state.online_list()), expected);
        assert_eq!(lines(state.get_by_key("t", "k")), expected);
        assert_eq!(lines(state.get_by_pid("p")), expected);
        assert_eq!((state.len(), state.topic_len("t")), (2, 2));
        assert!(state.contains("p", "t", "k"));
    }
}

#[test]
fn s11_each_owner_leaves_only_its_own() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["p"]));
    exchange(&mut a, &mut b);
    a.leave("p", "t", "k");
    let diff = b.merge_with_diff(&a).unwrap();
    assert_eq!(lines(diff.leaves()), ["a@1 p/t/k=m"]);
    assert_eq!(lines(b.online_list()), ["b@1 p/t/k=m"]);
    assert!(b.contains("p", "t", "k"));
    assert_diff(&join(&mut a, "p"), &["p"], &[]);
}

#[test]
fn s11_hiding_one_holder_leaves_the_other_visible() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["p"]));
    exchange(&mut a, &mut b);
    a.replica_down(&id("b"));
    assert_eq!(lines(a.get_by_key("t", "k")), ["a@1 p/t/k=m"]);
    assert!(a.contains("p", "t", "k"));
    a.leave("p", "t", "k");
    assert!(!a.contains("p", "t", "k"));
}

/// Ten slots on two replicas, joined in an order that sorts nowhere.
fn mixed() -> State {
    let (mut b, mut a) = (state("b"), state("a"));
    for (pid, topic, key) in [
        ("p3", "u", "y"),
        ("p1", "t", "x"),
        ("p2", "u", "x"),
        ("p1", "v", "y"),
        ("p2", "t", "x"),
    ] {
        b.join(pid, topic, key, "m").unwrap();
        a.join(pid, topic, key, "m").unwrap();
    }
    a.merge(&b).unwrap();
    a
}

#[test]
fn s12_reads_come_in_dot_order() {
    let a = mixed();
    let clocks = |list: Vec<String>| {
        list.iter()
            .map(|line| line[..3].to_owned())
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|r| (1..=5).map(move |c| format!("{r}@{c}")))
        .collect();
    assert_eq!(clocks(lines(a.online_list())), all);
    assert_eq!(
        clocks(lines(a.get_by_topic("u"))),
        ["a@1", "a@3", "b@1", "b@3"]
    );
    assert_eq!(
        clocks(lines(a.get_by_key("t", "x"))),
        ["a@2", "a@5", "b@2", "b@5"]
    );
    assert_eq!(
        clocks(lines(a.get_by_pid("p1"))),
        ["a@2", "a@4", "b@2", "b@4"]
    );
    assert_eq!(a.topics().collect::<Vec<_>>(), ["t", "u", "v"]);
}

#[test]
fn s12_dot_order_holds_after_removals_and_out_of_order_arrivals() {
    let mut b = state("b");
    let deltas: Vec<_> = (0..20)
        .map(|i| {
            join(&mut b, &format!("p{i}"));
            b.take_delta().unwrap()
        })
        .collect();
    let mut a = state("a");
    for i in [7, 3, 19, 0, 11, 4, 15, 2, 9, 1] {
        a.merge_delta(&deltas[i]).unwrap();
    }
    b.leave("p4", "t", "k");
    b.leave("p19", "t", "k");
    a.merge_delta(&b.take_delta().unwrap()).unwrap();
    let expected = ["p0", "p1", "p2", "p3", "p7", "p9", "p11", "p15"];
    assert_eq!(pids(a.online_list()), expected);
    assert_eq!(pids(a.get_by_topic("t")), expected);
    assert_eq!(pids(a.get_by_key("t", "k")), expected);
}

#[test]
fn s12_every_read_sees_only_what_is_visible() {
    let mut a = mixed();
    a.join("p9", "only here", "x", "m").unwrap();
    a.replica_down(&id("a"));
    assert!(
        lines(a.online_list())
            .iter()
            .all(|line| line.starts_with("b@"))
    );
    assert_eq!((a.len(), a.entries().count()), (5, 11));
    assert_eq!((a.topic_len("u"), a.topic_len("only here")), (2, 0));
    assert_eq!(a.topics().collect::<Vec<_>>(), ["t", "u", "v"]);
    assert_eq!(lines(a.get_by_topic("u")).len(), 2);
    assert_eq!(lines(a.get_by_key("t", "x")).len(), 2);
    assert_eq!(lines(a.get_by_pid("p1")).len(), 2);
    assert_eq!(
        a.get_by_pid("p9").count() + a.get_by_topic("only here").count(),
        0
    );
    assert!(a.contains("p1", "t", "x") && !a.contains("p9", "only here", "x"));
    a.replica_down(&id("b"));
    assert!(a.is_empty() && a.topics().next().is_none());
}

#[test]
fn s12_what_is_absent_reads_as_empty() {
    let a = mixed();
    assert_eq!(
        a.get_by_topic("none").count() + a.get_by_key("t", "none").count(),
        0
    );
    assert_eq!(
        a.get_by_key("none", "x").count() + a.get_by_pid("none").count(),
        0
    );
    assert_eq!(a.topic_len("none"), 0);
    assert!(
        !a.contains("p1", "t", "y")
            && !a.contains("none", "t", "x")
            && !a.contains("p1", "none", "x")
    );
    let empty = state("a");
    assert!(
        empty.is_empty() && empty.topics().next().is_none() && empty.online_list().next().is_none()
    );
}

#[test]
fn s12_fields_do_not_run_into_each_other() {
    let mut a = state("a");
    a.join("p", "ab", "c", "m").unwrap();
    a.join("p", "a", "bc", "m").unwrap();
    a.join("", "", "", "m").unwrap();
    assert_eq!(
        (a.topic_len("ab"), a.topic_len("a"), a.topic_len("")),
        (1, 1, 1)
    );
    assert!(!a.contains("p", "ab", "bc") && a.contains("", "", ""));
    let mut b = state("a");
    b.join("p", "a", "bc", "m").unwrap();
    b.join("p", "ab", "c", "m").unwrap();
    b.join("", "", "", "m").unwrap();
    assert_ne!(a.digest(), b.digest());
}

/// The key of the hash tables is nobody's business.
#[test]
fn s12_no_read_depends_on_the_seed() {
    let mut a = state("a");
    for user in 0..300 {
        let (topic, key) = (format!("room:{}", user % 7), format!("user{}", user % 40));
        a.join(&format!("pid-{user}"), &topic, &key, "m").unwrap();
    }
    a.merge(&with("b", &["p", "q"])).unwrap();
    a.replica_down(&id("b"));
    let before = Frozen::of(&a);
    for seed in [[0, 0], [1, 2], [u64::MAX, 7]] {
        let mut keyed = a.clone();
        keyed.reseed(seed);
        assert_eq!(Frozen::of(&keyed), before);
        for entry in a.entries() {
            let (topic, key) = (entry.topic(), entry.key());
            assert!(keyed.get_by_key(topic, key).eq(a.get_by_key(topic, key)));
            assert!(keyed.get_by_pid(entry.pid()).eq(a.get_by_pid(entry.pid())));
        }
        assert_diff(&keyed.replica_up(&id("b")), &["p", "q"], &[]);
        assert_diff(&keyed.leave_by_pid("pid-7"), &[], &["pid-7"]);
        let mut fresh = state("a");
        fresh.reseed(seed);
        join(&mut fresh, "p");
        assert_eq!(online(&fresh), ["p"]);
    }
}
