//! R8 to R10: goodbyes, restarts, causes.

use lattice_presence::ReplicaDigest;
use lattice_presence_sync::{Body, Cause, Liveness, Refused, Sync, Trust, WriteError};

use crate::net::{Net, Seen, config, life, millis, push, say, secs};

const BOTH: [Trust; 2] = [Trust::Owners, Trust::Relays];

/// `a` and `b`, which says goodbye with `bob` on it.
fn saying_goodbye(trust: Trust) -> Net {
    let mut net = Net::settled(&["a", "b"], &config(trust));
    net.join(1, "bob");
    net.nodes[1].leave_cluster(net.now);
    net
}

/// `a`, and a first life of `n` with `bob` on it: its place.
fn with_former_life(trust: Trust) -> (Net, usize) {
    let config = config(trust);
    let mut net = Net::settled(&["a"], &config);
    let old = net.start(life("n", 1), &config);
    net.run(secs(6));
    net.join(old, "bob");
    (net, old)
}

#[test]
fn r8_who_says_goodbye_is_hidden_after_the_handover_and_forgotten() {
    for trust in BOTH {
        let mut net = saying_goodbye(trust);
        let b = net.id(1);
        net.run(secs(4));
        assert_eq!(net.keys(0), ["bob"]);
        assert_eq!(net.liveness(0, &b), Some(Liveness::Leaving));
        net.run(secs(2));
        assert!(net.keys(0).is_empty());
        let left = Seen::Left("bob".into(), Cause::Left(b.clone()));
        assert!(net.events[0].contains(&left));
        assert!(
            net.nodes[0].state().context().get(&b).is_none(),
            "its memory is freed"
        );
        assert!(net.nodes[0].peer(&b).unwrap().forgotten);
    }
}

#[test]
fn r8_who_reconnects_elsewhere_within_the_handover_never_departs() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(1, "bob");
    net.nodes[1].leave_cluster(net.now);
    net.flush();
    // The sockets of b close: nobody departs by that.
    assert_eq!(net.nodes[1].leave_by_pid(net.now, "pid-bob"), 0);
    net.run(secs(3));
    let now = net.now;
    net.nodes[2]
        .join(now, "pid-new", "room", "bob", "")
        .unwrap();
    net.run(secs(30));
    assert_eq!(net.keys(0), ["bob"]);
    assert!(!net.departed(0, "bob"));
}

#[test]
fn r8_a_handover_of_nothing_hides_at_once() {
    let mut config = config(Trust::Owners);
    config.handover = secs(0);
    let mut net = Net::settled(&["a", "b"], &config);
    net.join(1, "bob");
    net.nodes[1].leave_cluster(net.now);
    net.flush();
    assert!(net.keys(0).is_empty());
}

#[test]
fn r8_what_comes_late_after_a_goodbye_revives_nobody() {
    for trust in BOTH {
        let mut net = Net::settled(&["a", "b"], &config(trust));
        let (b, now) = (net.id(1), net.now);
        net.nodes[1].join(now, "pid", "room", "bob", "").unwrap();
        let late = net.nodes[1].poll_transmit(now).unwrap().message;
        net.nodes[1].leave_cluster(now);
        net.run(secs(7));
        net.events[0].clear();
        net.receive(0, &b, late);
        assert_eq!(net.refused.pop(), Some(Refused::Late));
        assert!(net.keys(0).is_empty() && net.events[0].is_empty());
    }
}

#[test]
fn r8_a_lost_goodbye_is_said_again() {
    let mut net = saying_goodbye(Trust::Owners);
    net.lost.insert("goodbye");
    net.flush();
    net.lost.clear();
    net.run(secs(8));
    assert!(net.keys(0).is_empty());
}

#[test]
fn r8_nothing_is_written_after_a_goodbye() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    net.join(0, "alice");
    net.nodes[0].leave_cluster(net.now);
    let now = net.now;
    let refused = net.nodes[0].join(now, "p", "t", "k", "").unwrap_err();
    assert_eq!(refused, WriteError::Leaving);
    let refused = net.nodes[0]
        .update(now, "pid-alice", "room", "alice", "x")
        .unwrap_err();
    assert_eq!(refused, WriteError::Leaving);
    assert!(!net.nodes[0].leave(now, "pid-alice", "room", "alice"));
    net.flush();
    assert_eq!(net.keys(0), ["alice"]);
}

#[test]
fn r8_what_was_written_just_before_goes_out_before_the_goodbye() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let now = net.now;
    net.nodes[1].join(now, "pid", "room", "bob", "").unwrap();
    net.nodes[1].leave_cluster(now);
    net.flush();
    assert_eq!(net.keys(0), ["bob"]);
    let kinds: Vec<_> = net
        .sent
        .iter()
        .map(|(.., message)| message.body.kind())
        .collect();
    assert_eq!(kinds[..2], ["push", "goodbye"]);
}

#[test]
fn r9_a_newer_incarnation_retires_the_older_one_after_the_handover() {
    for trust in BOTH {
        let (mut net, old) = with_former_life(trust);
        net.isolate(old, true); // it died
        let new = net.start(life("n", 2), &config(trust));
        net.run(secs(4));
        assert_eq!(net.keys(0), ["bob"], "within the handover");
        net.run(secs(3));
        assert!(net.keys(0).is_empty());
        let left = Seen::Left("bob".into(), Cause::Restarted(life("n", 1)));
        assert!(net.events[0].contains(&left), "{:?}", net.events[0]);
        assert_eq!(net.liveness(0, &life("n", 2)), Some(Liveness::Up));
        net.join(new, "ben");
        assert_eq!(net.keys(0), ["ben"]);
    }
}

#[test]
fn r9_the_older_one_reports_it_once_and_writes_no_more() {
    for trust in BOTH {
        let (mut net, old) = with_former_life(trust);
        let new = net.start(life("n", 2), &config(trust));
        net.run(secs(30));
        let reported = Seen::Superseded(life("n", 2));
        let times = net.events[old]
            .iter()
            .filter(|seen| **seen == reported)
            .count();
        assert_eq!(times, 1);
        let refused = net.nodes[old].join(net.now, "p", "t", "k", "").unwrap_err();
        assert_eq!(refused, WriteError::Superseded { by: life("n", 2) });
        assert!(net.keys(0).is_empty() && net.keys(new).is_empty());
        assert!(net.nodes[0].is_settled() && net.nodes[new].is_settled());
    }
}

/// It kept showing users who had left: nothing that the application said was heeded any
/// more.
#[test]
fn r9_a_superseded_node_shows_nobody_who_left_and_tells_nobody() {
    for trust in BOTH {
        let (mut net, old) = with_former_life(trust);
        let new = net.start(life("n", 2), &config(trust));
        net.join(old, "ben");
        net.run(secs(3));
        assert!(net.nodes[old].superseded_by().is_some());
        net.sent.clear();
        let now = net.now;
        assert_eq!(net.nodes[old].leave_by_pid(now, "pid-bob"), 1);
        assert!(net.nodes[old].leave(now, "pid-ben", "room", "ben"));
        net.flush();
        assert!(net.keys(old).is_empty());
        let left = |key: &str| Seen::Left(key.into(), Cause::Local);
        assert!(net.events[old].contains(&left("bob")) && net.events[old].contains(&left("ben")));
        let question = Body::Question {
            id: 1,
            missed: (1..=9).into(),
            question: Default::default(),
        };
        net.receive(old, &"a".into(), say(&"a".into(), question));
        // Who reconnects elsewhere has not left.
        assert_eq!(net.keys(0), ["ben", "bob"]);
        net.nodes[new]
            .join(now, "pid-new", "room", "bob", "")
            .unwrap();
        net.run(secs(20));
        assert_eq!(net.keys(0), ["bob"]);
        assert!(!net.departed(0, "bob") && net.departed(0, "ben"));
        let said = net.sent.iter().filter(|(from, ..)| *from == old);
        assert!(said.clone().count() > 0);
        assert!(
            said.clone()
                .all(|(.., m)| ["goodbye", "compare"].contains(&m.body.kind()))
        );
    }
}

#[test]
fn r9_one_stray_message_stops_nobody() {
    let config = config(Trust::Owners);
    let mut net = Net::settled(&["a"], &config);
    let node = net.start(life("n", 1), &config);
    net.run(secs(3));
    let far = life("n", 200);
    let heartbeat = Body::Heartbeat {
        line: ReplicaDigest::default(),
        pushes: 0,
    };
    net.receive(node, &far, say(&far, heartbeat));
    net.run(secs(60));
    assert_eq!(net.nodes[node].superseded_by(), None);
    net.join(node, "bob");
    assert_eq!(net.keys(0), ["bob"]);
}

#[test]
fn r9_hearsay_of_a_successor_stops_nobody() {
    let mut net = Net::new(&[], &config(Trust::Relays));
    let node = net.start(life("n", 1), &config(Trust::Relays));
    net.start("a", &config(Trust::Relays));
    net.run(secs(5));
    let mut context = lattice_presence::CausalContext::new();
    context.insert_range(life("n", 200), 1..=3);
    let delta = lattice_presence::PresenceDelta::from_parts("a".into(), context, vec![]).unwrap();
    for number in 1..9 {
        let push = push(number, delta.clone());
        net.receive(node, &"a".into(), say(&"a".into(), push));
        net.run(secs(2));
    }
    assert_eq!(net.nodes[node].superseded_by(), None);
    net.join(node, "bob");
    assert_eq!(net.keys(1), ["bob"]);
}

#[test]
fn r9_a_frozen_process_that_thaws_shows_nobody() {
    for trust in BOTH {
        let (mut net, old) = with_former_life(trust);
        net.isolate(old, true);
        net.start(life("n", 2), &config(trust));
        net.isolate(old, true); // from its successor, too
        net.run(secs(30));
        net.events[0].clear();
        // Not heard by its successor, so that it does not know.
        net.cut.remove(&(old, 0));
        net.run(secs(30));
        assert!(net.keys(0).is_empty());
        assert!(net.events[0].is_empty(), "{:?}", net.events[0]);
        assert!(
            net.refused
                .iter()
                .any(|r| *r == Refused::Superseded { by: life("n", 2) })
        );
    }
}

#[test]
fn r9_under_a_fresh_name_a_node_goes_on_in_spite_of_an_impostor() {
    for trust in BOTH {
        let (mut net, node) = with_former_life(trust);
        let impostor = net.start(life("n", 100), &config(trust));
        net.run(secs(4));
        assert_eq!(net.nodes[node].superseded_by(), Some(&life("n", 100)));
        net.nodes[node]
            .reincarnate(net.now, life("n", 101))
            .unwrap();
        net.run(secs(20));
        assert_eq!(net.keys(0), ["bob"]);
        assert!(!net.departed(0, "bob"));
        net.join(node, "ben");
        assert_eq!(net.keys(0), ["ben", "bob"]);
        assert_eq!(net.nodes[impostor].superseded_by(), Some(&life("n", 101)));
        assert!(net.nodes[0].is_settled() && net.nodes[node].is_settled());
    }
}

/// The first of two renamings was told to nobody: its life stood beside the newer one.
#[test]
fn r9_two_fresh_names_in_a_row_end_both_former_lives() {
    for trust in BOTH {
        let (mut net, node) = with_former_life(trust);
        net.nodes[node].reincarnate(net.now, life("n", 2)).unwrap();
        net.nodes[node].reincarnate(net.now, life("n", 3)).unwrap();
        net.flush();
        assert_eq!(net.nodes[0].state().len(), 1, "at once");
        assert_eq!(
            net.nodes[0]
                .state()
                .online_list()
                .next()
                .unwrap()
                .dot()
                .replica,
            life("n", 3)
        );
        assert!(!net.departed(0, "bob"));
        net.run(secs(20));
        assert_eq!(net.keys(0), ["bob"]);
        assert!(net.nodes.iter().all(Sync::is_settled));
    }
}

/// It stood as up beside its successor, for as long as anything came under the former name.
#[test]
fn r9_who_goes_on_under_a_fresh_name_retires_the_former_one_as_its_peers_do() {
    for trust in BOTH {
        let (mut net, node) = with_former_life(trust);
        net.nodes[node].reincarnate(net.now, life("n", 2)).unwrap();
        net.run(secs(6));
        for at in [0, node] {
            let (line, pushes) = (ReplicaDigest::default(), 1);
            let stray = say(&life("n", 1), Body::Heartbeat { line, pushes });
            net.receive(at, &life("n", 1), stray);
            let superseded = Refused::Superseded { by: life("n", 2) };
            assert_eq!(net.refused.pop(), Some(superseded), "at {at}");
            assert_eq!(net.liveness(at, &life("n", 1)), Some(Liveness::Down));
        }
    }
}

#[test]
fn r9_very_many_fresh_names_in_a_row_are_no_fault() {
    for trust in BOTH {
        let (mut net, node) = with_former_life(trust);
        for ms in 2..=200 {
            net.nodes[node].reincarnate(net.now, life("n", ms)).unwrap();
        }
        net.run(secs(20));
        assert_eq!(net.keys(0), ["bob"]);
        assert!(net.refused.is_empty() && !net.departed(0, "bob"));
        assert!(net.nodes.iter().all(Sync::is_settled));
    }
}

/// The answer told again what lives, and not that the former life is over.
#[test]
fn r9_a_lost_push_about_a_former_life_is_told_again() {
    let mut config = config(Trust::Owners);
    config.max_entries = 1;
    let mut net = Net::settled(&["a"], &config);
    let node = net.start(life("n", 1), &config);
    net.run(secs(6));
    net.join(node, "bob");
    net.join(node, "ben");
    net.nodes[node].reincarnate(net.now, life("n", 2)).unwrap();
    let now = net.now;
    let first = net.nodes[node].poll_transmit(now).unwrap().message;
    net.receive(0, &life("n", 2), first);
    net.lost.insert("push");
    net.flush();
    net.lost.clear();
    assert_eq!(net.nodes[0].state().len(), 3, "one beside its former self");
    net.run(secs(3));
    assert_eq!(net.nodes[0].state().len(), 2, "before the handover is over");
    assert!(net.nodes[0].is_settled() && !net.departed(0, "bob"));
}

/// A life that was retired woke its peers fifty times a second until it was let go.
#[test]
fn r9_a_retired_life_does_not_keep_the_clock_busy() {
    for trust in BOTH {
        let (mut net, old) = with_former_life(trust);
        net.isolate(old, true);
        net.start(life("n", 2), &config(trust));
        net.isolate(old, true);
        net.run(secs(6));
        assert!(net.nodes[0].peer(&life("n", 1)).unwrap().forgotten);
        let (mut wakes, end) = (0, net.now + secs(8));
        while net.now < end {
            let next = net.nodes[0].next_timeout().unwrap();
            net.run(next.saturating_sub(net.now).max(millis(1)));
            wakes += 1;
        }
        assert!(wakes <= 40, "{trust:?}: {wakes} times in 8 s");
    }
}

/// The net itself replays the events of every call, and asserts the result. This test asserts
/// the causes.
#[test]
fn r10_every_change_has_its_cause() {
    let mut config = config(Trust::Owners);
    config.forget_after = secs(60);
    let mut net = Net::settled(&["a", "b", "c"], &config);
    let (b, c) = (net.id(1), net.id(2));
    net.join(0, "alice");
    net.join(1, "bob");
    net.isolate(1, true);
    net.run(secs(13));
    net.isolate(1, false);
    net.run(secs(4));
    net.leave(1, "bob");
    net.join(2, "carol");
    net.nodes[2].leave_cluster(net.now);
    net.run(secs(7));
    let joined = |key: &str, cause| Seen::Joined(key.into(), cause);
    let left = |key: &str, cause| Seen::Left(key.into(), cause);
    let mut changes = net.events[0].clone();
    changes.retain(|seen| matches!(seen, Seen::Joined(..) | Seen::Left(..)));
    let expected = [
        joined("alice", Cause::Local),
        joined("bob", Cause::Merged(b.clone())),
        left("bob", Cause::Down(b.clone())),
        joined("bob", Cause::Up(b.clone())),
        left("bob", Cause::Merged(b)),
        joined("carol", Cause::Merged(c.clone())),
        left("carol", Cause::Left(c)),
    ];
    assert_eq!(changes, expected);
    assert!(net.nodes[0].is_settled() && !Sync::is_isolated(&net.nodes[0]));
}
