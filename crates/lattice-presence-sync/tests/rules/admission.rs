//! R11 and R13: what is let in, and how much at once.

use std::time::Instant;

use lattice_presence::{
    Asked, CausalContext, ClockSet, Digest, Dot, MAX_CLOCK, MergeError, Presence, PresenceDelta,
    Question, ReplicaDigest, ReplicaId,
};
use lattice_presence_sync::{
    Body, Liveness, MAX_ENTRIES, Piece, Refusal, Refused, Sync, To, Trust,
};

use crate::net::{Net, Seen, config, life, millis, push, say, secs};

/// Words of `from` that say: `about` has issued so many, and so many of them live.
fn words(from: &str, about: &str, seen: u64, live: u64) -> PresenceDelta<&'static str> {
    let mut context = CausalContext::new();
    context.insert_range(about.into(), 1..=seen);
    let entries = (1..=live).map(|clock| {
        let dot = Dot::new(about.into(), clock);
        Presence::new(dot, "room", "x", &format!("pid-{clock}"), "")
    });
    PresenceDelta::from_parts(from.into(), context, entries.collect()).unwrap()
}

/// What `a` says to the message, which must change nothing of its view.
fn refuse(net: &mut Net, from: &ReplicaId, body: Body<&'static str>) -> Refused {
    let before = (net.nodes[0].state().digest(), net.events[0].len());
    net.refused.clear();
    net.receive(0, from, say(from, body));
    assert_eq!(net.nodes[0].state().digest(), before.0);
    net.refused.pop().expect("it was to be refused")
}

#[test]
fn r11_under_owners_nobody_speaks_for_another() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(2, "carol");
    let b = net.id(1);
    for delta in [
        words("b", "c", 1, 0),        // c's entry is gone
        words("b", "c", 9, 2),        // c's future
        words("b", "a", 5, 0),        // own dots never issued
        words("c", "c", 1, 1),        // c's words, brought by b
        words("b", "newcomer", 1, 1), // somebody unknown
    ] {
        let refused = refuse(&mut net, &b, push(1, delta));
        assert!(
            matches!(refused, Refused::Merge(MergeError::NotOwned { .. })),
            "{refused}"
        );
    }
    assert_eq!(net.keys(0), ["carol"]);
    assert_eq!(net.nodes[0].peer(&b).unwrap().refused.of("merge"), 5);
    assert!(net.nodes[0].peer(&"newcomer".into()).is_none());
}

#[test]
fn r11_under_relays_words_of_others_are_taken_and_own_dots_that_were_never_issued_are_not() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Relays));
    let b = net.id(1);
    let relayed = push(1, words("b", "d", 2, 1));
    net.receive(0, &b, say(&b, relayed));
    assert_eq!(net.nodes[0].state().entries().count(), 1);
    let forged = push(2, words("b", "a", 5, 0));
    let refused = refuse(&mut net, &b, forged.clone());
    assert!(matches!(
        refused,
        Refused::Merge(MergeError::SameReplica { .. })
    ));
    refuse(&mut net, &b, forged);
    let conflicts = net.events[0]
        .iter()
        .filter(|seen| **seen == Seen::Conflict(b.clone()));
    assert_eq!(conflicts.count(), 1, "reported at a bounded rate");
}

#[test]
fn r11_a_stranger_is_refused_aloud_on_both_sides() {
    let mut net = Net::settled(&["a"], &config(Trust::Owners));
    let mut other = config(Trust::Owners);
    other.cluster = "another".into();
    let x = net.start("x", &other);
    net.run(secs(20));
    assert!(net.nodes[0].peers().next().is_none());
    let (_, stranger) = net.nodes[0].strangers().next().unwrap();
    assert!(stranger.refused.of("stranger") >= 10);
    assert_eq!(stranger.refuses_us, Some(Refusal::Cluster));
    let (_, stranger) = net.nodes[x].strangers().next().unwrap();
    assert_eq!(stranger.refuses_us, Some(Refusal::Cluster));
    // At a bounded rate, and without an answer to an answer.
    assert_eq!(net.count("refusal"), 2);
}

#[test]
fn r11_another_version_or_number_of_shards_is_refused() {
    let mut net = Net::settled(&["a"], &config(Trust::Owners));
    let x: ReplicaId = "x".into();
    let mut message = say(&x, Body::Goodbye);
    message.version = 2;
    net.receive(0, &x, message);
    assert_eq!(
        net.refused.pop(),
        Some(Refused::Stranger(Refusal::Version { reads: 1 }))
    );
    let mut message = say(&x, Body::Goodbye);
    message.shard.count = 16;
    net.receive(0, &x, message);
    assert_eq!(
        net.refused.pop(),
        Some(Refused::Stranger(Refusal::Shards { count: 1 }))
    );
    net.flush();
    assert_eq!(net.sent.last().unwrap().1, To::One(x));
}

#[test]
fn r11_who_names_another_sender_is_refused_under_its_own_name() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    let (b, c) = (net.id(1), net.id(2));
    net.receive(0, &b, say(&c, Body::Goodbye));
    assert_eq!(
        net.refused.pop(),
        Some(Refused::Impostor { named: c.clone() })
    );
    assert_eq!(net.liveness(0, &c), Some(Liveness::Up));
    assert_eq!(net.nodes[0].peer(&b).unwrap().refused.of("impostor"), 1);
    assert_eq!(net.nodes[0].peer(&c).unwrap().refused.total(), 0);
}

#[test]
fn r11_own_messages_come_back_and_a_second_process_is_told_apart() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    net.join(0, "alice");
    let a = net.id(0);
    for (_, _, message) in net.sent.clone() {
        if message.from == a {
            net.receive(0, &a, message);
        }
    }
    assert!(net.refused.is_empty(), "an echo is no fault");
    let second = push(7, words("a", "a", 9, 9));
    assert_eq!(refuse(&mut net, &a, second), Refused::SameName);
    assert!(net.events[0].contains(&Seen::Conflict(a)));
}

#[test]
fn r11_an_answer_that_nobody_asked_for_is_refused() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    let answer = Body::Answer {
        id: 1,
        delta: words("b", "b", 3, 3),
        differs: CausalContext::new(),
        resent: ClockSet::new(),
        more: true,
    };
    assert_eq!(refuse(&mut net, &b, answer), Refused::Unasked);
}

#[test]
fn r11_an_answer_to_another_question_is_refused() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    net.isolate(1, true);
    let line = ReplicaDigest::new((1..=1_000).into(), 1);
    let heartbeat = Body::Heartbeat { line, pushes: 9 };
    net.receive(0, &b, say(&b, heartbeat));
    net.sent.clear();
    net.run(millis(700));
    let asked = net
        .sent
        .iter()
        .find_map(|(.., message)| match &message.body {
            Body::Question { id, .. } => Some(*id),
            _ => None,
        });
    let answer = Body::Answer {
        id: asked.expect("it asks") + 1,
        delta: words("b", "b", 3, 3),
        differs: CausalContext::new(),
        resent: ClockSet::new(),
        more: false,
    };
    assert_eq!(refuse(&mut net, &b, answer), Refused::Unasked);
}

#[test]
fn r11_a_digest_of_very_many_replicas_is_refused_without_work() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Relays));
    let b = net.id(1);
    let line = ReplicaDigest::new((1..=9).into(), 7);
    let lines = (0..100_000).map(|n| (ReplicaId::new(format!("x{n:06}")), line.clone()));
    let digest: Digest<ReplicaId> = lines.collect();
    let compare = Body::Compare {
        fingerprint: 1,
        digest,
        reply: true,
    };
    assert_eq!(
        refuse(&mut net, &b, compare),
        Refused::TooLarge { what: "replicas" }
    );
    let mut question = Question::new();
    for n in 0..5_000 {
        question.insert(ReplicaId::new(format!("x{n}")), Asked::default());
    }
    let question = Body::Question {
        id: 1,
        missed: ClockSet::new(),
        question,
    };
    assert_eq!(
        refuse(&mut net, &b, question),
        Refused::TooLarge { what: "replicas" }
    );
    assert_eq!(net.nodes[0].peers().count(), 1);
}

#[test]
fn r11_numbers_that_nobody_writes_are_refused() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    let zero = push(0, words("b", "b", 1, 1));
    assert_eq!(refuse(&mut net, &b, zero), Refused::BadNumber);
    for (index, count) in [(0, 0), (1, 1), (9, 3)] {
        let piece = Body::Push {
            number: 1,
            piece: Piece { index, count },
            delta: words("b", "b", 1, 1),
        };
        assert_eq!(refuse(&mut net, &b, piece), Refused::BadNumber);
    }
    let line = ReplicaDigest::default();
    let vast = Body::Heartbeat {
        line: line.clone(),
        pushes: MAX_CLOCK + 1,
    };
    assert_eq!(refuse(&mut net, &b, vast), Refused::BadNumber);
    // The largest that may be: missing pushes without end cost one question at a time.
    let most = Body::Heartbeat {
        line,
        pushes: MAX_CLOCK,
    };
    net.receive(0, &b, say(&b, most));
    net.sent.clear();
    net.run(secs(60));
    assert!(
        net.count("question") < 30,
        "{} questions",
        net.count("question")
    );
}

#[test]
fn r11_who_always_says_that_there_is_more_is_left_alone() {
    let mut net = Net::settled(&["a"], &config(Trust::Owners));
    let x: ReplicaId = "x".into();
    let (mut asked, mut heartbeat_at) = (0, net.now);
    let end = net.now + secs(25);
    while net.now < end {
        net.now += millis(5);
        if net.now >= heartbeat_at {
            heartbeat_at += secs(1);
            let line = ReplicaDigest::new((1..=1_000).into(), 1);
            let heartbeat = Body::Heartbeat {
                line,
                pushes: 1_000,
            };
            net.receive(0, &x, say(&x, heartbeat));
        }
        net.nodes[0].advance(net.now);
        while let Some(transmit) = net.nodes[0].poll_transmit(net.now) {
            if let Body::Question { id, .. } = transmit.message.body {
                asked += 1;
                assert!(asked < 100, "asked without end");
                let answer = Body::Answer {
                    id,
                    delta: words("x", "x", 1, 1),
                    differs: CausalContext::new(),
                    resent: ClockSet::new(),
                    more: true,
                };
                net.receive(0, &x, say(&x, answer));
            }
        }
    }
    assert!((1..=8).contains(&asked), "asked {asked} times in 25 s");
}

#[test]
fn r11_who_sends_nothing_but_nonsense_is_not_answered_for_a_while() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    net.isolate(1, true);
    for _ in 0..16 {
        refuse(&mut net, &b, push(0, words("b", "b", 1, 1)));
    }
    assert!(net.nodes[0].peer(&b).unwrap().muted_until.is_some());
    let question = Body::Question {
        id: 1,
        missed: (1..=1).into(),
        question: Question::new(),
    };
    assert_eq!(refuse(&mut net, &b, question.clone()), Refused::Muted);
    net.run(secs(31));
    net.receive(0, &b, say(&b, question));
    net.sent.clear();
    net.flush();
    assert_eq!(net.count("answer"), 1, "its time is over");
}

#[test]
fn r11_under_owners_an_answer_speaks_of_its_sender_alone() {
    let mut net = Net::settled(&["a", "b", "c"], &config(Trust::Owners));
    net.join(2, "carol");
    net.join(0, "alice");
    let b = net.id(1);
    let mut question = Question::new();
    for name in ["a", "c"] {
        question.insert(ReplicaId::new(name), Asked::default());
    }
    net.sent.clear();
    net.receive(
        0,
        &b,
        say(
            &b,
            Body::Question {
                id: 9,
                missed: ClockSet::new(),
                question,
            },
        ),
    );
    net.flush();
    let Body::Answer { delta, .. } = &net.sent[0].2.body else {
        panic!("an answer")
    };
    assert_eq!(
        delta.context().replicas().collect::<Vec<_>>(),
        ["a"].map(ReplicaId::new).iter().collect::<Vec<_>>()
    );
}

/// Words of a life of `n` about so many former ones, the first of them `first`.
fn former_lives(from: &ReplicaId, first: u8, count: u8) -> PresenceDelta<&'static str> {
    let lives = (first..first + count).map(|ms| (life("n", ms), (1..=1).into()));
    PresenceDelta::from_parts(from.clone(), lives.collect(), Vec::new()).unwrap()
}

/// Invented former lives took the places of all peers that might come.
#[test]
fn r11_under_owners_former_lives_are_few() {
    let mut net = Net::settled(&["a"], &config(Trust::Owners));
    let n = life("n", 250);
    let too_many = push(1, former_lives(&n, 0, 65));
    let refused = refuse(&mut net, &n, too_many);
    assert_eq!(refused, Refused::TooLarge { what: "lives" });
    net.receive(0, &n, say(&n, push(1, former_lives(&n, 0, 60))));
    assert!(net.refused.is_empty());
    for first in [60, 120, 180] {
        let more = push(2, former_lives(&n, first, 60));
        let refused = refuse(&mut net, &n, more);
        assert_eq!(refused, Refused::TooLarge { what: "lives" });
    }
    assert_eq!(net.nodes[0].peers().count(), 61);
    // They are let go, and there is room again.
    net.run(secs(17));
    net.receive(0, &n, say(&n, push(2, former_lives(&n, 60, 60))));
    assert!(net.refused.is_empty(), "{:?}", net.refused);
}

#[test]
fn r13_a_message_beyond_the_bound_is_refused() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    let most = MAX_ENTRIES as u64;
    let of = |live| push(1, words("b", "b", live, live));
    let refused = refuse(&mut net, &b, of(most + 1));
    assert_eq!(refused, Refused::TooLarge { what: "entries" });
    net.receive(0, &b, say(&b, of(most)));
    assert_eq!(net.nodes[0].state().len(), MAX_ENTRIES);
}

#[test]
fn r13_more_peers_than_the_bound_are_refused() {
    let mut config = config(Trust::Relays);
    config.max_peers = 3;
    let mut net = Net::settled(&["a"], &config);
    let heartbeat = || Body::Heartbeat {
        line: ReplicaDigest::default(),
        pushes: 0,
    };
    for name in ["x1", "x2", "x3"] {
        net.receive(0, &name.into(), say(&name.into(), heartbeat()));
    }
    assert!(net.refused.is_empty());
    assert_eq!(
        refuse(&mut net, &"x4".into(), heartbeat()),
        Refused::TooManyPeers
    );
    let push = push(1, words("x1", "x5", 2, 1));
    assert_eq!(refuse(&mut net, &"x1".into(), push), Refused::TooManyPeers);
    for n in 0..1_000 {
        let id = ReplicaId::new(format!("y{n}"));
        refuse(&mut net, &id, heartbeat());
    }
    assert_eq!(net.nodes[0].peers().count(), 3);
    assert!(net.nodes[0].strangers().count() <= 64);
}

#[test]
fn r13_gaps_in_the_pushes_of_a_peer_are_not_remembered_without_end() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    net.isolate(1, true);
    let start = Instant::now();
    for n in 1..=20_000 {
        let push = push(2 * n, words("b", "b", 1, 0));
        net.receive(0, &b, say(&b, push));
    }
    // Quadratic work would take minutes.
    assert!(start.elapsed() < secs(5), "{:?}", start.elapsed());
    assert!(!net.nodes[0].is_settled());
}

#[test]
fn r13_questions_that_wait_take_one_place_for_each_peer() {
    let mut net = Net::settled(&["a", "b"], &config(Trust::Owners));
    let b = net.id(1);
    net.join(0, "alice");
    for id in 0..1_000 {
        let question = Body::Question {
            id,
            missed: (1..=1).into(),
            question: Question::new(),
        };
        net.receive(0, &b, say(&b, question));
    }
    net.sent.clear();
    net.isolate(1, true);
    net.flush();
    let answers = net
        .sent
        .iter()
        .filter_map(|(.., message)| match &message.body {
            Body::Answer { id, .. } => Some(*id),
            _ => None,
        });
    assert_eq!(answers.collect::<Vec<_>>(), [999]);
    assert!(Sync::counters(&net.nodes[0]).answers >= 1);
}
