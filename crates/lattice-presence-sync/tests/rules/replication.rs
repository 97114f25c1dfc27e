//! R1 to R5: what is sent, and what is asked for.

use std::collections::VecDeque;

use lattice_presence::{
    CausalContext, ClockSet, PresenceDelta, PresenceState, ReplicaDigest, ReplicaId,
};
use lattice_presence_sync::{Body, Config, Piece, Sync, To, Trust};

use crate::net::{Net, config, millis, push, say, secs};

/// The pushes of node 0 so far: number, entries, clocks that left.
fn pushes(net: &Net) -> Vec<(u64, usize, u64)> {
    let pushes = net
        .sent
        .iter()
        .filter_map(|(from, to, message)| match &message.body {
            Body::Push { number, delta, .. } if *from == 0 && *to == To::All => {
                let claimed = delta.context().iter().map(|(_, seen)| seen.len());
                let left = claimed.sum::<u64>() - delta.len() as u64;
                Some((*number, delta.len(), left))
            }
            _ => None,
        });
    pushes.collect()
}

#[test]
fn r1_the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut net = Net::new(&["a", "b", "c"], &config(Trust::Relays));
        net.lost.insert("push");
        net.join(0, "alice");
        net.lost.clear();
        net.run(secs(30));
        net.join(1, "bob");
        net.run(secs(5));
        format!("{:?}", net.sent)
    };
    assert_eq!(run(), run());
    assert!(run().contains("alice"));
}

#[test]
fn r1_another_seed_draws_another_jitter() {
    let first_heartbeats = |seed| {
        let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("c"), seed).unwrap();
        node.advance(secs(1));
        node.next_timeout()
    };
    assert_ne!(first_heartbeats(1), first_heartbeats(2));
}

#[test]
fn r2_a_local_change_is_in_the_next_transmit_to_all() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    net.join(0, "alice");
    assert_eq!(pushes(&net), [(1, 1, 0)]);
    assert_eq!(net.keys(1), ["alice"]);
    net.leave(0, "alice");
    assert_eq!(pushes(&net)[1..], [(2, 0, 1)]);
    assert!(net.keys(1).is_empty());
}

#[test]
fn r2_a_change_goes_before_a_heartbeat_that_is_due_as_well() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let now = net.now + secs(2);
    net.nodes[0].advance(now);
    net.nodes[0].join(now, "p", "t", "k", "").unwrap();
    let first = net.nodes[0].poll_transmit(now).unwrap();
    assert_eq!(first.message.body.kind(), "push");
    let second = net.nodes[0].poll_transmit(now).unwrap().message.body;
    assert!(matches!(second, Body::Heartbeat { pushes: 1, .. }));
}

#[test]
fn r2_what_waits_becomes_one_delta_and_is_bounded_by_what_lives() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    // The transport is busy while a hundred thousand come and go.
    for n in 0..100_000 {
        let pid = format!("pid-{n}");
        net.nodes[0]
            .join(net.now, &pid, "room", "guest", "")
            .unwrap();
        if n != 7 {
            assert_eq!(net.nodes[0].leave_by_pid(net.now, &pid), 1);
        }
    }
    net.flush();
    let pushes = pushes(&net);
    assert_eq!(
        pushes.iter().map(|(_, entries, _)| entries).sum::<usize>(),
        1
    );
    assert!(pushes.len() <= 13, "{} pushes", pushes.len());
    assert_eq!(net.keys(1), ["guest"]);
}

#[test]
fn r2_very_much_at_once_goes_in_pieces_with_heartbeats_between_them() {
    let mut config = config(Trust::Owners);
    config.max_entries = 100;
    let mut net = Net::settled(&["a", "b"], &config);
    let now = net.now + secs(2);
    for n in 0..950 {
        net.nodes[0]
            .join(now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
    }
    net.now = now;
    net.nodes[0].advance(now);
    net.flush();
    let sizes: Vec<_> = pushes(&net)
        .iter()
        .map(|(_, entries, _)| *entries)
        .collect();
    assert_eq!(sizes, [100, 100, 100, 100, 100, 100, 100, 100, 100, 50]);
    let second = &net.sent[1].2.body;
    // Its line is empty: there is nothing to compare with yet.
    assert!(matches!(second, Body::Heartbeat { line, pushes: 1 } if line.seen.is_empty()));
    assert_eq!(net.nodes[1].state().len(), 950);
    assert_eq!(net.count("question"), 0);
}

#[test]
fn r3_heartbeats_come_at_their_time_and_nothing_else_where_all_agree() {
    for trust in [Trust::Owners, Trust::Relays] {
        let mut net = Net::settled(&["a", "b", "c"], &config(trust));
        net.join(0, "alice");
        net.run(secs(10));
        net.sent.clear();
        net.run(secs(150));
        let heartbeats = net.count("heartbeat");
        assert!(
            (3 * 85..=3 * 125).contains(&heartbeats),
            "{heartbeats} heartbeats"
        );
        // Under `Relays` a fingerprint now and then, of constant size.
        let compares = if trust == Trust::Relays {
            net.count("compare")
        } else {
            0
        };
        assert_eq!(net.sent.len(), heartbeats + compares);
        assert!(compares <= 3 * 38, "{compares} comparisons");
        let is_probe = |body: &Body<&str>| match body {
            Body::Compare { digest, .. } => digest.is_empty(),
            _ => true,
        };
        assert!(
            net.sent
                .iter()
                .all(|(_, _, message)| is_probe(&message.body))
        );
    }
}

#[test]
fn r3_the_line_of_a_heartbeat_is_the_senders_own_and_of_constant_size() {
    // A restored state with a thousand gaps.
    let mut context = CausalContext::new();
    for clock in 1..1_000 {
        context.insert_range("a".into(), 3 * clock..=3 * clock);
    }
    let snapshot = PresenceDelta::from_parts("a".into(), context, vec![]);
    let state = PresenceState::<&str>::from_snapshot(snapshot.unwrap());
    let mut node = Sync::new(state, config(Trust::Owners), 1).unwrap();
    node.advance(secs(1));
    let Body::Heartbeat { line, .. } = node.poll_transmit(secs(1)).unwrap().message.body else {
        panic!("a heartbeat")
    };
    assert!(line.seen.interval_count() <= 4 && line.seen.max() == 2_997);
}

#[test]
fn r4_a_lost_push_is_asked_of_its_owner_and_of_nobody_else() {
    for trust in [Trust::Owners, Trust::Relays] {
        let mut net = Net::settled(&["a", "b", "c"], &config(trust));
        net.cut.insert((0, 1));
        net.join(0, "alice");
        net.cut.clear();
        net.run(secs(4));
        assert_eq!(net.keys(1), ["alice"]);
        let questions: Vec<_> = net
            .sent
            .iter()
            .filter(|(.., message)| message.body.kind() == "question")
            .map(|(from, to, _)| (*from, to.clone()))
            .collect();
        assert_eq!(questions, [(1, To::One("a".into()))]);
        assert_eq!(net.count("answer"), 1);
        assert!(net.nodes.iter().all(Sync::is_settled));
    }
}

#[test]
fn r4_the_answer_to_a_lost_leave_is_what_was_lost() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    for n in 0..2_000 {
        net.nodes[0]
            .join(net.now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
    }
    net.flush();
    net.run(secs(3));
    net.cut.insert((0, 1));
    net.nodes[0].leave_by_pid(net.now, "pid-700");
    net.flush();
    net.cut.clear();
    net.sent.clear();
    net.run(secs(4));
    assert_eq!(net.nodes[1].state().len(), 1_999);
    let answers: Vec<_> = net
        .sent
        .iter()
        .filter_map(|(.., message)| match &message.body {
            Body::Answer { delta, .. } => Some((delta.len(), delta.context().interval_count())),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [(0, 1)]);
}

#[test]
fn r4_a_fresh_node_pulls_in_bounded_answers_from_the_owner_alone() {
    let mut config = config(Trust::Owners);
    config.max_entries = 50;
    let mut net = Net::settled(&["a", "b"], &config);
    for n in 0..1_000 {
        net.nodes[0]
            .join(net.now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
    }
    net.flush();
    net.sent.clear();
    let fresh = net.start("c", &config);
    net.run(secs(10));
    assert_eq!(net.nodes[fresh].state().len(), 1_000);
    let answers = net.count("answer");
    assert!(
        (20..=23).contains(&answers),
        "{answers} answers of 50 entries"
    );
    let largest = net.sent.iter().map(|(.., message)| match &message.body {
        Body::Answer { delta, .. } => delta.len(),
        _ => 0,
    });
    assert!(largest.max() <= Some(50));
    let asked_b = To::One("b".into());
    assert!(
        net.sent
            .iter()
            .all(|(_, to, m)| *to != asked_b || m.body.kind() != "question")
    );
}

#[test]
fn r4_a_lost_answer_costs_time_and_not_what_came_before() {
    let mut config = config(Trust::Owners);
    config.max_entries = 50;
    let mut net = Net::new(&["a"], &config);
    for n in 0..500 {
        net.nodes[0]
            .join(net.now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
    }
    net.flush();
    let fresh = net.start("c", &config);
    // By hand: every third answer is lost.
    let (mut answers, mut largest) = (0, 0);
    for _ in 0..40_000 {
        net.now += millis(1);
        for node in 0..2 {
            net.nodes[node].advance(net.now);
            while let Some(transmit) = net.nodes[node].poll_transmit(net.now) {
                let from = net.id(node);
                if let Body::Answer { delta, .. } = &transmit.message.body {
                    answers += 1;
                    largest = largest.max(delta.len());
                    if answers % 3 == 0 {
                        continue;
                    }
                }
                net.receive(1 - node, &from, transmit.message);
            }
        }
    }
    assert_eq!(net.nodes[fresh].state().len(), 500);
    assert!(answers <= 20, "{answers} answers of {largest}");
}

#[test]
fn r4_where_the_log_of_the_owner_is_too_short_ranges_find_what_is_missing() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    net.cut.insert((0, 1));
    for n in 0..20_000 {
        // One push each, so that the log forgets the first.
        let now = net.now;
        net.nodes[0]
            .join(now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
        while net.nodes[0].poll_transmit(now).is_some() {}
    }
    net.cut.clear();
    net.run(secs(8));
    assert_eq!(net.nodes[1].state().len(), 20_000);
    assert!(net.nodes.iter().all(Sync::is_settled));
}

#[test]
fn r4_an_owner_out_of_reach_is_repaired_by_another_peer_if_peers_may_relay() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Relays));
    net.cut.insert((0, 1));
    net.join(0, "alice");
    // b hears a, and a does not hear b.
    net.cut.clear();
    net.cut.insert((1, 0));
    net.run(secs(9));
    assert_eq!(net.keys(1), ["alice"]);
    let mut asked = net
        .sent
        .iter()
        .filter(|(from, _, m)| *from == 1 && m.body.kind() == "question");
    assert!(asked.any(|(_, to, _)| *to == To::One("c".into())));
}

#[test]
fn r4_what_a_dying_owner_told_one_peer_reaches_the_others() {
    let mut config = config(Trust::Relays);
    config.down_after = secs(60);
    config.isolation_grace = secs(60);
    let mut net = Net::settled(&["a", "b", "c"], &config);
    net.join(0, "alice");
    net.cut.insert((0, 1));
    net.leave(0, "alice");
    net.isolate(0, true);
    assert_eq!((net.keys(1).len(), net.keys(2).len()), (1, 0));
    net.run(secs(40));
    assert!(net.keys(1).is_empty(), "c has told b");
}

#[test]
fn r4_what_a_peer_prunes_by_claiming_is_issued_anew() {
    // An old peer claims what it removed: b believes it, a defends its entry.
    let mut net = Net::settled(&["a", "b"], &config(Trust::Relays));
    net.join(0, "alice");
    let mut context = CausalContext::new();
    context.insert_range("a".into(), 1..=1);
    let claim = PresenceDelta::from_parts("b".into(), context, vec![]).unwrap();
    let push = say(&"x".into(), push(1, claim));
    net.receive(1, &"x".into(), push);
    assert!(net.keys(1).is_empty());
    net.run(secs(8));
    assert_eq!(net.keys(1), ["alice"]);
}

#[test]
fn r5_what_is_in_flight_is_not_asked_for() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let now = net.now;
    let a = net.id(0);
    let mut in_flight = Vec::new();
    for n in 0..10 {
        net.nodes[0]
            .join(now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
        in_flight.push(net.nodes[0].poll_transmit(now).unwrap().message);
    }
    // They arrive in reverse, over less than the delay of repairs.
    for message in in_flight.into_iter().rev() {
        net.receive(1, &a, message);
        net.run(millis(40));
    }
    assert_eq!(net.nodes[1].state().len(), 10);
    net.run(secs(10));
    assert_eq!((net.count("question"), net.count("answer")), (0, 0));
    assert!(net.nodes[1].is_settled());
}

#[test]
fn r5_a_heartbeat_that_overtakes_a_push_causes_nothing() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let now = net.now + secs(2);
    let a = net.id(0);
    net.nodes[0].advance(now);
    net.nodes[0].join(now, "p", "t", "k", "").unwrap();
    let push = net.nodes[0].poll_transmit(now).unwrap().message;
    let heartbeat = net.nodes[0].poll_transmit(now).unwrap().message;
    net.now = now;
    net.receive(1, &a, heartbeat);
    assert!(
        !net.nodes[1].is_settled(),
        "it knows that something is on its way"
    );
    net.run(millis(300));
    net.receive(1, &a, push);
    assert!(net.nodes[1].is_settled());
    net.run(secs(5));
    assert_eq!(net.count("question"), 0);
}

#[test]
fn r5_only_what_is_missing_for_the_delay_is_asked_for() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let a = net.id(0);
    let pushed = |net: &mut Net, n: u32| {
        let now = net.now;
        net.nodes[0]
            .join(now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
        net.nodes[0].poll_transmit(now).unwrap().message
    };
    let _lost = pushed(&mut net, 1);
    let second = pushed(&mut net, 2);
    net.receive(1, &a, second);
    // Another gap opens just before the first is asked about.
    net.now += millis(490);
    let _in_flight = pushed(&mut net, 3);
    let fourth = pushed(&mut net, 4);
    net.receive(1, &a, fourth);
    net.now += millis(140);
    net.nodes[1].advance(net.now);
    let asked = std::iter::from_fn(|| net.nodes[1].poll_transmit(net.now));
    let asked: Vec<_> = asked
        .filter_map(|sent| match sent.message.body {
            Body::Question { missed, .. } => Some(missed),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [ClockSet::from(1..=1)]);
}

#[test]
fn r4_what_cannot_be_sent_is_cut() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let now = net.now;
    for n in 0..5 {
        net.nodes[0]
            .join(now, &format!("pid-{n}"), "room", "guest", "")
            .unwrap();
    }
    let whole = net.nodes[0].poll_transmit(now).unwrap();
    assert!(net.nodes[0].shrink(now, whole));
    net.flush();
    assert_eq!(
        pushes(&net).iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(),
        [(1, 2), (2, 2), (3, 1)]
    );
    assert_eq!(net.nodes[1].state().len(), 5);
    net.run(secs(3));
    assert_eq!(net.count("question"), 0);
}

/// Each answer comes later than the timeout: all of them were refused, for ever.
#[test]
fn r4_answers_that_are_slower_than_the_timeout_are_waited_for_longer() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    net.cut.insert((0, 1));
    net.join(0, "alice");
    net.cut.clear();
    net.lost.insert("answer");
    let mut late = VecDeque::new();
    let (a, end) = (net.id(0), net.now + secs(60));
    while net.now < end && net.keys(1).is_empty() {
        net.sent.clear();
        net.run(millis(100));
        for (_, _, message) in net.sent.clone() {
            if message.body.kind() == "answer" {
                late.push_back((net.now + millis(2_500), message));
            }
        }
        while late.front().is_some_and(|(at, _)| *at <= net.now) {
            net.receive(1, &a, late.pop_front().unwrap().1);
        }
    }
    assert_eq!(net.keys(1), ["alice"]);
    let waited = net.now + secs(60) - end;
    assert!(waited <= secs(15), "after {waited:?}");
}

/// Who writes without a pause has no line to compare in any heartbeat: what it wrote before
/// it was met was never asked for.
#[test]
fn r4_of_a_peer_that_writes_without_a_pause_is_asked_what_it_wrote_before() {
    let mut net = Net::settled(&["a"], &config(Trust::Owners));
    let x: ReplicaId = "x".into();
    for number in 5..10 {
        let heartbeat = Body::Heartbeat {
            line: ReplicaDigest::default(),
            pushes: number,
        };
        let mut context = CausalContext::new();
        context.insert_range(x.clone(), number..=number);
        let delta = PresenceDelta::from_parts(x.clone(), context, vec![]).unwrap();
        net.receive(0, &x, say(&x, push(number, delta)));
        net.receive(0, &x, say(&x, heartbeat));
        net.run(millis(1_500));
    }
    let asks = |body: &Body<&str>| match body {
        Body::Question { question, .. } => question.get(&x).is_some(),
        _ => false,
    };
    let asked = net.sent.iter().any(|(.., message)| asks(&message.body));
    assert!(asked && !net.nodes[0].is_settled());
}

/// The pieces shared one number, and the first that came counted for all of them.
#[test]
fn r4_a_lost_piece_of_a_push_is_missed_and_told_again() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let (a, b, now) = (net.id(0), net.id(1), net.now);
    for key in ["alice", "ada", "anna", "adele"] {
        net.nodes[0].join(now, key, "room", key, "").unwrap();
    }
    let whole = net.nodes[0].poll_transmit(now).unwrap().message;
    let Body::Push { number, delta, .. } = whole.body else {
        panic!("a push")
    };
    let pieces: Vec<_> = delta.split(1).collect();
    let count = u16::try_from(pieces.len()).unwrap();
    assert_eq!(count, 4);
    for (index, delta) in (0..count).zip(pieces) {
        let piece = Piece { index, count };
        let push = Body::Push {
            number,
            piece,
            delta,
        };
        if index != 2 {
            net.receive(1, &a, say(&a, push));
        }
    }
    assert_eq!(net.keys(1).len(), 3);
    assert!(!net.nodes[1].is_settled(), "it knows that there is more");
    net.run(millis(700));
    let questions = net.sent.iter().filter_map(|(from, _, message)| {
        let Body::Question { missed, .. } = &message.body else {
            return None;
        };
        Some((*from, missed.clone()))
    });
    // By its number: what is lost is told again, and ranges are not compared.
    assert_eq!(questions.collect::<Vec<_>>(), [(1, (1..=1).into())]);
    assert_eq!(net.keys(1).len(), 4);
    assert!(net.nodes[1].is_settled() && net.nodes[0].peer(&b).is_some());
}
