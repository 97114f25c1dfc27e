//! S2, S3 and S4: what a replica does to its own entries, and what it reports.

use super::support::{
    Frozen, State, assert_diff, copy, dot, entry, exchange, id, join, lines, online, packet, state,
    with,
};
use lattice_presence::{ClockSet, Field, JoinError, MAX_CLOCK, MAX_TEXT_BYTES, UpdateError};

#[test]
fn s2_join_mints_the_next_own_dot_and_records_it_as_seen() {
    let mut a = state("a");
    for clock in 1..=3 {
        join(&mut a, &format!("p{clock}"));
        assert!(a.context().contains(&dot(&id("a"), clock)));
        assert!(!a.context().contains(&dot(&id("a"), clock + 1)));
    }
    assert_eq!(
        lines(a.online_list()),
        ["a@1 p1/t/k=m", "a@2 p2/t/k=m", "a@3 p3/t/k=m"]
    );
}

#[test]
fn s2_a_second_join_of_a_slot_replaces_the_first_in_the_same_step() {
    let mut a = state("a");
    a.join("p", "t", "k", "old").unwrap();
    let diff = a.join("p", "t", "k", "new").unwrap();
    assert_eq!(lines(diff.leaves()), ["a@1 p/t/k=old"]);
    assert_eq!(lines(diff.joins()), ["a@2 p/t/k=new"]);
    assert_eq!(lines(a.online_list()), ["a@2 p/t/k=new"]);
    assert_eq!(
        (a.len(), a.topic_len("t"), a.get_by_pid("p").count()),
        (1, 1, 1)
    );
}

#[test]
fn s2_another_pid_key_or_topic_is_another_slot() {
    let mut a = state("a");
    for (pid, topic, key) in [
        ("p", "t", "k"),
        ("q", "t", "k"),
        ("p", "u", "k"),
        ("p", "t", "l"),
    ] {
        let diff = a.join(pid, topic, key, "m").unwrap();
        assert!(diff.leaves().next().is_none());
    }
    assert_eq!(a.len(), 4);
}

#[test]
fn s2_the_clock_is_one_past_the_highest_own_dot_ever_seen() {
    let mut a = with("a", &["p"]);
    a.leave("p", "t", "k");
    join(&mut a, "p");
    assert_eq!(
        lines(a.online_list()),
        ["a@2 p/t/k=m"],
        "a left dot is never minted again"
    );
}

#[test]
fn s2_a_gap_below_the_next_own_clock_is_not_claimed() {
    let a = id("a");
    let saved = packet("a", &[(&a, 1), (&a, 4)], Vec::new());
    let mut restored = State::from_snapshot(saved);
    join(&mut restored, "p");
    let seen: ClockSet = [1, 4, 5].into_iter().collect();
    assert_eq!(restored.context().get(&a), Some(&seen));
    assert_eq!(lines(restored.online_list()), ["a@5 p/t/k=m"]);
}

#[test]
fn s2_an_exhausted_clock_is_an_error_that_changes_nothing() {
    let a = id("a");
    let saved = packet(
        "a",
        &[(&a, MAX_CLOCK - 1), (&a, MAX_CLOCK)],
        vec![entry(&a, MAX_CLOCK, "p")],
    );
    let mut last = State::from_snapshot(saved);
    let before = Frozen::of(&last);
    assert!(matches!(
        last.join("p", "t", "k", "new"),
        Err(JoinError::ClockExhausted)
    ));
    assert!(matches!(
        last.update("p", "t", "k", "new"),
        Err(UpdateError::ClockExhausted)
    ));
    assert_eq!(Frozen::of(&last), before);
    assert!(last.take_delta().is_none());
}

#[test]
fn s2_update_replaces_what_is_there_and_refuses_what_is_not() {
    let mut a = state("a");
    assert!(matches!(
        a.update("p", "t", "k", "m"),
        Err(UpdateError::Absent)
    ));
    assert!(a.context().is_empty() && a.is_empty());
    a.join("p", "t", "k", "old").unwrap();
    let diff = a.update("p", "t", "k", "new").unwrap();
    assert_eq!(lines(diff.leaves()), ["a@1 p/t/k=old"]);
    assert_eq!(lines(diff.joins()), ["a@2 p/t/k=new"]);
}

#[test]
fn s3_leave_removes_a_local_entry_and_changes_no_context() {
    let mut a = with("a", &["p", "q"]);
    let context = a.context().clone();
    assert_diff(&a.leave("p", "t", "k"), &[], &["p"]);
    assert_eq!(a.context(), &context);
    assert_eq!(online(&a), ["q"]);
    assert_diff(&a.leave("p", "t", "k"), &[], &[]);
    for (pid, topic, key) in [("x", "t", "k"), ("q", "x", "k"), ("q", "t", "x")] {
        assert_diff(&a.leave(pid, topic, key), &[], &[]);
    }
    assert_eq!(online(&a), ["q"]);
    assert_diff(&a.leave("q", "t", "k"), &[], &["q"]);
    assert_eq!(
        a.context(),
        &context,
        "the last one gone, all is still seen"
    );
}

#[test]
fn s3_leave_by_pid_removes_every_local_entry_of_the_pid() {
    let mut a = state("a");
    for (pid, topic) in [("p", "t"), ("p", "u"), ("q", "t"), ("p", "v")] {
        a.join(pid, topic, "k", "m").unwrap();
    }
    let context = a.context().clone();
    assert_diff(&a.leave_by_pid("p"), &[], &["p", "p", "p"]);
    assert_eq!(a.context(), &context);
    assert_eq!(a.topics().collect::<Vec<_>>(), ["t"]);
    assert_diff(&a.leave_by_pid("p"), &[], &[]);
}

#[test]
fn s3_foreign_entries_are_untouched() {
    let (mut a, mut b) = (with("a", &["p"]), with("b", &["p"]));
    exchange(&mut a, &mut b);
    let diff = a.leave("p", "t", "k");
    assert_eq!(lines(diff.leaves()), ["a@1 p/t/k=m"]);
    join(&mut a, "p");
    let diff = a.leave_by_pid("p");
    assert_eq!(lines(diff.leaves()), ["a@2 p/t/k=m"]);
    assert_diff(&a.leave_by_pid("p"), &[], &[]);
    assert_eq!(lines(a.online_list()), ["b@1 p/t/k=m"]);
    assert!(matches!(
        a.update("p", "t", "k", "new"),
        Err(UpdateError::Absent)
    ));
}

#[test]
fn s4_every_mutation_reports_what_it_changed() {
    let mut a = state("a");
    assert_diff(&join(&mut a, "p"), &["p"], &[]);
    assert_diff(&a.update("p", "t", "k", "n").unwrap(), &["p"], &["p"]);
    let b = with("b", &["q"]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &["q"], &[]);
    assert_diff(&a.replica_down(&id("b")), &[], &["q"]);
    assert_diff(&a.replica_up(&id("b")), &["q"], &[]);
    assert_diff(&a.replica_down(&id("b")), &[], &["q"]);
    assert_diff(&a.remove_down_replica(&id("b")).unwrap(), &[], &[]);
    assert_diff(&a.leave_by_pid("p"), &[], &["p"]);
}

#[test]
fn s4_a_merge_while_a_replica_is_down_reports_nothing_of_it_until_it_is_up() {
    let (mut a, mut b) = (state("a"), with("b", &["p", "q"]));
    a.merge(&b).unwrap();
    assert_diff(&a.replica_down(&id("b")), &[], &["p", "q"]);
    b.leave("p", "t", "k");
    join(&mut b, "r");
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
    assert_diff(&a.replica_up(&id("b")), &["q", "r"], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
}

#[test]
fn s4_a_replica_marked_down_here_reports_nothing_of_its_own_until_it_is_up() {
    let mut a = with("a", &["p"]);
    assert_diff(&a.replica_down(&id("a")), &[], &["p"]);
    assert_diff(&join(&mut a, "q"), &[], &[]);
    assert_diff(&a.leave("p", "t", "k"), &[], &[]);
    assert_diff(&a.replica_up(&id("a")), &["q"], &[]);
}

#[test]
fn s4_an_update_elsewhere_is_one_leave_and_one_join_that_updates_pairs() {
    let (mut a, mut b) = (state("a"), state("b"));
    b.join("p", "t", "k", "online").unwrap();
    b.join("q", "t", "k", "online").unwrap();
    a.merge(&b).unwrap();
    b.update("p", "t", "k", "away").unwrap();
    b.leave("q", "t", "k");
    b.join("r", "t", "k", "online").unwrap();
    let diff = a.merge_with_diff(&b).unwrap();
    assert_diff(&diff, &["p", "r"], &["p", "q"]);
    let updates = diff.updates();
    let updates: Vec<_> = updates
        .iter()
        .map(|(old, new)| (*old.meta(), *new.meta(), new.pid()))
        .collect();
    assert_eq!(updates, [("online", "away", "p")]);
}

#[test]
fn s4_a_diff_tells_for_each_topic_which_keys_arrived_and_departed() {
    let (mut a, mut b) = (state("a"), state("b"));
    b.join("p1", "t", "alice", "m").unwrap();
    b.join("p2", "t", "alice", "m").unwrap();
    b.join("p3", "t", "bob", "m").unwrap();
    b.join("p3", "u", "bob", "m").unwrap();
    let diff = a.merge_with_diff(&b).unwrap();
    let topics = diff.topics();
    let said: Vec<_> = topics
        .iter()
        .map(|topic| (topic.topic(), topic.arrived(), topic.joins().len()))
        .collect();
    assert_eq!(
        said,
        [("t", &["alice", "bob"][..], 3), ("u", &["bob"][..], 1)],
        "sorted by topic"
    );
    b.leave("p1", "t", "alice");
    b.leave("p3", "t", "bob");
    b.join("p4", "t", "carol", "m").unwrap();
    let diff = a.merge_with_diff(&b).unwrap();
    let topics = diff.topics();
    assert_eq!(topics[0].arrived(), ["carol"]);
    assert_eq!(topics[0].departed(), ["bob"], "alice has another session");
    assert_eq!((topics.len(), topics[0].leaves().len()), (1, 2));
}

#[test]
fn s4_a_further_session_of_a_user_is_no_arrival_and_no_departure() {
    let mut a = state("a");
    let keys = |diff: &lattice_presence::Diff<&'static str>| {
        let topics = diff.topics();
        (topics[0].arrived().len(), topics[0].departed().len())
    };
    assert_eq!(keys(&join(&mut a, "laptop")), (1, 0));
    assert_eq!(keys(&join(&mut a, "phone")), (0, 0));
    assert_eq!(keys(&join(&mut a, "phone")), (0, 0), "an update");
    let merged = a.merge_with_diff(&with("b", &["desktop"])).unwrap();
    assert_eq!(keys(&merged), (0, 0));
    assert_eq!(keys(&a.leave("laptop", "t", "k")), (0, 0));
    assert_eq!(keys(&a.replica_down(&id("b"))), (0, 0));
    assert_eq!(
        keys(&a.update("phone", "t", "k", "n").unwrap()),
        (0, 0),
        "the only one left"
    );
    assert_eq!(keys(&a.leave("phone", "t", "k")), (0, 1));
    assert_eq!(keys(&a.replica_up(&id("b"))), (1, 0));
}

#[test]
fn s4_every_change_is_listed_once_though_it_arrives_many_times_and_ways() {
    let (mut a, mut b, mut c) = (state("a"), with("b", &["p"]), state("c"));
    c.merge(&b).unwrap();
    let delta = b.take_delta().unwrap();
    assert_diff(&a.merge_delta_with_diff(&delta).unwrap(), &["p"], &[]);
    assert_diff(&a.merge_delta_with_diff(&delta).unwrap(), &[], &[]);
    assert_diff(&a.merge_with_diff(&b).unwrap(), &[], &[]);
    assert_diff(&a.merge_with_diff(&c).unwrap(), &[], &[]);
    assert_diff(&a.merge_with_diff(&copy(&b)).unwrap(), &[], &[]);
}

/// Two owners of one slot: the leave of one must not pass for the update of the
/// other.
#[test]
fn s4_s11_an_update_is_a_pair_of_one_owner() {
    let (mut a, mut b) = (state("a"), state("b"));
    let _ = a.join("p", "t", "k", "a-old").unwrap();
    let _ = b.join("p", "t", "k", "b-old").unwrap();
    let mut c = state("c");
    c.merge(&a).unwrap();
    c.merge(&b).unwrap();
    let _ = a.leave("p", "t", "k");
    let _ = b.update("p", "t", "k", "b-new").unwrap();
    b.merge(&a).unwrap();
    let diff = c.merge_with_diff(&b).unwrap();
    let pairs: Vec<_> = diff
        .updates()
        .into_iter()
        .map(|(l, j)| (*l.meta(), *j.meta()))
        .collect();
    assert_eq!(pairs, [("b-old", "b-new")]);
}

#[test]
fn s2_texts_that_no_peer_would_read_are_refused() {
    let fits = "x".repeat(MAX_TEXT_BYTES);
    let long = format!("{fits}y");
    let mut a = with("a", &["p"]);
    a.join(&fits, &fits, &fits, "m").unwrap();
    let before = Frozen::of(&a);
    let texts = [
        (Field::Pid, [&*long, "t", "k"]),
        (Field::Topic, ["p", &*long, "k"]),
        (Field::Key, ["p", "t", &*long]),
    ];
    for (field, [pid, topic, key]) in texts {
        let len = MAX_TEXT_BYTES + 1;
        let error = a.join(pid, topic, key, "m").unwrap_err();
        assert_eq!(error, JoinError::TooLong { field, len });
        let said = format!("the {field} has 65537 bytes, 65536 are allowed, nothing changed");
        assert_eq!(error.to_string(), said);
        let error = a.update(pid, topic, key, "m").unwrap_err();
        assert_eq!(error, UpdateError::TooLong { field, len });
        assert_diff(&a.leave(pid, topic, key), &[], &[]);
    }
    assert_eq!(Frozen::of(&a), before);
    assert_eq!(a.take_delta().unwrap().len(), 2);
}
