//! Messages between machines: their text, their size, what they survive, and how they are
//! cut to a transport's payloads.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Digest, Dot, Held, MAX_CLOCK, Message, Part, Presence,
    PresenceDelta, PresenceState, Question, Refusal, ReplicaDigest, ReplicaId, Shard,
};
use lattice_presence_json::{
    Category, Decoder, EncodeError, Encoder, EntryError, JsonMeta, Limits,
};
use quickcheck::{Arbitrary, Gen, QuickCheck};

type Said = Message<JsonMeta>;

fn meta(text: &str) -> JsonMeta {
    text.parse().unwrap()
}

fn message(body: Body<JsonMeta>) -> Said {
    Message::new("chat", Shard::WHOLE, "a", body)
}

/// Of each replica: the intervals seen, and the clocks that are held.
fn delta(told: &[(&str, &[(u64, u64)], &[u64])]) -> PresenceDelta<JsonMeta> {
    let mut context = CausalContext::new();
    let mut entries = Vec::new();
    for &(replica, seen, held) in told {
        for &(first, last) in seen {
            context.insert_range(replica.into(), first..=last);
        }
        for &clock in held {
            let dot = Dot::new(replica.into(), clock);
            entries.push(Presence::new(dot, "room", "ada", "pid", meta("{}")));
        }
    }
    PresenceDelta::from_parts("a".into(), context, entries).unwrap()
}

fn clocks(clocks: &[u64]) -> ClockSet {
    clocks.iter().copied().collect()
}

/// One of each kind, with its text.
fn golden() -> Vec<(Said, &'static str)> {
    let mut line = ReplicaDigest::new((1..=9).into(), 7);
    line.live = Some(3);
    let mut gaps = ReplicaDigest::new(clocks(&[1, 2, 4, 5, 9]), 7);
    gaps.unwanted = (20..=30).into();
    let mut asked = Asked::default();
    asked.seen = clocks(&[1, 2, 3, 7]);
    asked.unwanted = clocks(&[9]);
    asked.parts = vec![
        Part {
            first: 1,
            last: 2,
            held: Held::Fingerprint(255),
        },
        Part {
            first: 3,
            last: 7,
            held: Held::Dots {
                clocks: clocks(&[3, 7]),
                fingerprint: 1,
            },
        },
    ];
    let mut question = Question::new();
    question.insert("b".into(), asked);
    question.insert("c".into(), Asked::default());
    let (number, id) = (5, 8);
    let told = delta(&[
        ("a", &[(3, 6), (8, 9), (12, 12)], &[4, 8, 9]),
        ("b", &[(1, 1)], &[1]),
    ]);
    let differs = CausalContext::from_iter([("b".into(), clocks(&[4, 5]))]);
    let lines = Digest::from_iter([("b".into(), line.clone())]);
    vec![
        (
            message(Body::Heartbeat { line, pushes: 6 }),
            r#"{"v":1,"cluster":"chat","from":"a","heartbeat":6,"context":9,"fingerprint":"0000000000000007","live":3}"#,
        ),
        (
            message(Body::Heartbeat {
                line: gaps,
                pushes: 0,
            }),
            r#"{"v":1,"cluster":"chat","from":"a","heartbeat":0,"context":2,"cloud":[[4,5],9],"fingerprint":"0000000000000007","unwanted":[[20,30]]}"#,
        ),
        (
            message(Body::Push {
                number,
                delta: told.clone(),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","push":5,"delta":[{"seen":[[3,6],12],"entries":[[4,"room","ada","pid",{}],[8,"room","ada","pid",{}],[9,"room","ada","pid",{}]]},{"of":"b","entries":[[1,"room","ada","pid",{}]]}]}"#,
        ),
        (
            message(Body::Push {
                number,
                delta: delta(&[]),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","push":5}"#,
        ),
        (
            message(Body::Question {
                id,
                missed: clocks(&[2, 3, 9]),
                question,
            }),
            r#"{"v":1,"cluster":"chat","from":"a","question":8,"missed":[[2,3],9],"asks":{"b":{"context":3,"cloud":[7],"unwanted":[9],"parts":[[1,2,"00000000000000ff"],[3,7,"0000000000000001",[3,7]]]},"c":{}}}"#,
        ),
        (
            message(Body::Question {
                id,
                missed: ClockSet::new(),
                question: Question::new(),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","question":8}"#,
        ),
        (
            message(Body::Answer {
                id,
                delta: delta(&[("b", &[(2, 9)], &[])]),
                differs,
                resent: clocks(&[2]),
                more: true,
            }),
            r#"{"v":1,"cluster":"chat","from":"a","answer":8,"delta":[{"of":"b","seen":[[2,9]]}],"differs":{"b":[[4,5]]},"resent":[2],"more":true}"#,
        ),
        (
            message(Body::Compare {
                fingerprint: 10,
                digest: lines,
                reply: true,
            }),
            r#"{"v":1,"cluster":"chat","from":"a","compare":"000000000000000a","digest":{"b":{"context":9,"cloud":[],"fingerprint":"0000000000000007","live":3}},"reply":true}"#,
        ),
        (
            message(Body::Goodbye),
            r#"{"v":1,"cluster":"chat","from":"a","goodbye":true}"#,
        ),
        (
            Message::new(
                "chat",
                Shard { index: 2, count: 4 },
                "a",
                Body::Refusal {
                    reason: Refusal::Version { reads: 1 },
                },
            ),
            r#"{"v":1,"cluster":"chat","shard":[2,4],"from":"a","refusal":"version","reads":1}"#,
        ),
        (
            message(Body::Refusal {
                reason: Refusal::Cluster,
            }),
            r#"{"v":1,"cluster":"chat","from":"a","refusal":"cluster"}"#,
        ),
        (
            message(Body::Refusal {
                reason: Refusal::Shards { count: 4 },
            }),
            r#"{"v":1,"cluster":"chat","from":"a","refusal":"shards","count":4}"#,
        ),
    ]
}

/// What equality of lines leaves out counts here.
fn in_full(message: &Said) -> String {
    let lines: Vec<_> = match &message.body {
        Body::Heartbeat { line, .. } => vec![(line.live, line.unwanted.clone())],
        Body::Compare { digest, .. } => digest
            .iter()
            .map(|(_, line)| (line.live, line.unwanted.clone()))
            .collect(),
        _ => Vec::new(),
    };
    format!("{message:?} {lines:?}")
}

#[test]
fn each_kind_has_its_text_and_comes_back() {
    for (message, text) in golden() {
        let encoded = Encoder::new().encode(&message).unwrap();
        assert_eq!(encoded.text, text);
        assert!(encoded.left_out.is_empty());
        let read = Decoder::new().message_from_json::<JsonMeta>(text).unwrap();
        assert_eq!(read, message);
        assert_eq!(in_full(&read), in_full(&message));
        let mut written = Vec::new();
        let _ = Encoder::new().encode_to(&message, &mut written).unwrap();
        assert_eq!(written, text.as_bytes());
        let header = Decoder::new().message_header(text).unwrap();
        assert_eq!(
            (header.version, &header.cluster, header.shard, &header.from),
            (1, &message.cluster, message.shard, &message.from)
        );
    }
}

/// White space, unknown fields, and fields of the body in any order.
#[test]
fn harmless_differences_are_normalized() {
    let text = r#" { "v" : 1 , "x":[{}], "cluster":"chat","y":0, "from":"\u0061",
        "answer":8, "more":true,"z":{"a":[]},
        "resent":[2], "differs":{"b":[5,[4,5]]}, "delta":[{"x":1,"of":"b","seen":[9,[2,8]],"entries":[]}] } "#;
    let message = Decoder::new().message_from_json::<JsonMeta>(text).unwrap();
    let canonical = golden().remove(6);
    assert_eq!(message, canonical.0);
    // Entries in any order, claims that follow from them.
    let text = r#"{"v":1,"cluster":"chat","from":"a","push":5,"delta":[{"of":"b","seen":[1],"entries":[[1,"room","ada","pid",{}]]},{"of":"a","seen":[[3,6],12,[8,9]],"entries":[[9,"room","ada","pid",{}],[4,"room","ada","pid",{ }],[8,"room","ada","pid",{}]]}]}"#;
    let message = Decoder::new().message_from_json::<JsonMeta>(text).unwrap();
    assert_eq!(message, golden().remove(2).0);
}

/// The ceilings of the performance contract, with names as they are in a cluster.
#[test]
fn a_heartbeat_and_a_push_are_short() {
    let from = ReplicaId::incarnation("berlin-1", [0x5A; 16]);
    let mut state = PresenceState::new(from.clone());
    for i in 0..100_000_u64 {
        let _ = state
            .join("pid", "room", &i.to_string(), meta("{}"))
            .unwrap();
        if i % 2 == 0 {
            let _ = state.leave("pid", "room", &i.to_string());
        }
    }
    let length = |body| {
        let message = Message::new("production", Shard::WHOLE, from.clone(), body);
        Encoder::new().encode(&message).unwrap().text.len()
    };
    let line = state.line(&from).unwrap();
    let pushes = 100_000;
    let heartbeat = length(Body::Heartbeat { line, pushes });
    assert!(heartbeat <= 200, "{heartbeat}");

    let _ = state.take_delta();
    let (topic, key, pid, text) = ("room:lobby", "ada", "pid-1", r#"{"status":"here"}"#);
    let _ = state.join(pid, topic, key, meta(text)).unwrap();
    let (number, delta) = (100_000, state.take_delta().unwrap());
    let push = length(Body::Push { number, delta });
    let beside = push - topic.len() - key.len() - pid.len() - text.len();
    assert!(beside <= 160, "{beside}");
    let frame = Encoder::push_frame_len("production", Shard::WHOLE, &from);
    let texts = topic.len() + key.len() + pid.len() + 6 + text.len();
    assert!(
        (push - texts..push - texts + 32).contains(&frame),
        "{frame}"
    );

    let delta = {
        let _ = state.leave(pid, topic, key);
        state.take_delta().unwrap()
    };
    let leave = length(Body::Push { number, delta });
    assert!(leave <= 160, "{leave}");
    eprintln!("heartbeat {heartbeat}, join {beside} beside its texts, leave {leave}");
}

#[test]
fn another_version_is_told_apart_and_its_header_read() {
    let later =
        r#"{"v":2,"sealed":true,"cluster":"chat","shard":[1,2],"crc":7,"from":"b","shout":!!"#;
    let error = Decoder::new()
        .message_from_json::<JsonMeta>(later)
        .unwrap_err();
    assert_eq!((error.category(), error.path()), (Category::Version, "v"));
    let header = Decoder::new().message_header(later).unwrap();
    assert_eq!((header.version, header.from.as_str()), (2, "b"));
    assert_eq!((&*header.cluster, header.shard.count), ("chat", 2));
}

#[test]
fn a_delta_of_somebody_else_is_not_written() {
    let delta = PresenceState::<JsonMeta>::new("b").snapshot();
    let error = Encoder::new()
        .encode(&message(Body::Push { number: 1, delta }))
        .unwrap_err();
    assert!(matches!(error, EncodeError::NotTheSender), "{error}");
}

/// As in payloads: with its dot, and reported.
#[test]
fn what_no_peer_reads_is_left_out_of_messages() {
    let told = delta(&[("a", &[(1, 3)], &[1, 2, 3])]);
    let entries = told.entries().map(|entry| {
        let long = "x".repeat(if entry.dot().clock == 2 { 70_000 } else { 1 });
        Presence::new(entry.dot().clone(), "room", &long, "pid", meta("{}"))
    });
    let told =
        PresenceDelta::from_parts("a".into(), told.context().clone(), entries.collect()).unwrap();
    let push = message(Body::Push {
        number: 1,
        delta: told,
    });
    let encoded = Encoder::new().encode(&push).unwrap();
    assert_eq!(encoded.left_out.entries, 1);
    let read = Decoder::new()
        .message_from_json::<JsonMeta>(&encoded.text)
        .unwrap();
    let Body::Push { delta: read, .. } = read.body else {
        panic!("{read:?}");
    };
    assert_eq!(
        read,
        delta(&[("a", &[(1, 1), (3, 3)], &[])]).clone_with(&read)
    );
    let error = Encoder::new().strict(true).encode(&push).unwrap_err();
    assert!(matches!(error, EncodeError::Entry { .. }), "{error}");
}

/// For comparing contexts only.
trait CloneWith {
    fn clone_with(&self, other: &PresenceDelta<JsonMeta>) -> PresenceDelta<JsonMeta>;
}

impl CloneWith for PresenceDelta<JsonMeta> {
    fn clone_with(&self, other: &PresenceDelta<JsonMeta>) -> PresenceDelta<JsonMeta> {
        let entries = other.entries().cloned().collect();
        PresenceDelta::from_parts("a".into(), self.context().clone(), entries).unwrap()
    }
}

/// Any message, from a list of numbers.
#[derive(Clone, Debug)]
struct Any(Vec<u64>);

impl Arbitrary for Any {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = 4 + usize::arbitrary(g) % 120;
        Self((0..len).map(|_| u64::arbitrary(g)).collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(
            self.0
                .shrink()
                .filter(|numbers| numbers.len() >= 4)
                .map(Self),
        )
    }
}

struct Numbers<'a>(core::slice::Iter<'a, u64>);

impl Numbers<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next().map_or(0, |number| number % bound)
    }

    fn clocks(&mut self) -> ClockSet {
        let mut clocks = ClockSet::new();
        let mut last = 0;
        for _ in 0..self.below(6) {
            let first = last + 1 + self.below(20);
            last = first + self.below(4);
            clocks.insert_range(first..=last);
        }
        if self.below(9) == 0 {
            clocks.insert(MAX_CLOCK);
        }
        clocks
    }

    fn replica(&mut self) -> ReplicaId {
        let names = ["a", "b", "c", "node \"é\"", "lattice-presence:v1:x:y"];
        names[usize::try_from(self.below(5)).unwrap()].into()
    }

    fn delta(&mut self) -> PresenceDelta<JsonMeta> {
        let mut context = CausalContext::new();
        let mut entries = Vec::new();
        for _ in 0..self.below(4) {
            let (replica, seen) = (self.replica(), self.clocks());
            if context.get(&replica).is_some() {
                continue;
            }
            for clock in seen.clocks() {
                if self.below(2) == 0 {
                    let length = usize::try_from(self.below(90)).unwrap();
                    let meta = JsonMeta::new(&"m\n".repeat(length)).unwrap();
                    let dot = Dot::new(replica.clone(), clock);
                    entries.push(Presence::new(dot, "room", "k\"ey", "pid", meta));
                }
            }
            context.insert_set(replica, &seen);
        }
        PresenceDelta::from_parts("a".into(), context, entries).unwrap()
    }

    fn line(&mut self) -> ReplicaDigest {
        let mut line = ReplicaDigest::new(self.clocks(), self.below(u64::MAX));
        line.live = (self.below(2) == 0).then(|| self.below(MAX_CLOCK));
        line.unwanted = self.clocks();
        line
    }

    fn asked(&mut self) -> Asked {
        let mut asked = Asked::default();
        asked.seen = self.clocks();
        asked.unwanted = self.clocks();
        let mut last = 0;
        for _ in 0..self.below(5) {
            let first = last + 1 + self.below(9);
            last = first + self.below(99);
            let fingerprint = self.below(u64::MAX);
            let held = match self.below(2) {
                0 => Held::Fingerprint(fingerprint),
                _ => Held::Dots {
                    clocks: self.clocks().intersection(&(first..=last).into()),
                    fingerprint,
                },
            };
            asked.parts.push(Part { first, last, held });
        }
        asked
    }

    fn body(&mut self) -> Body<JsonMeta> {
        let number = self.below(MAX_CLOCK);
        match self.below(7) {
            0 => Body::Heartbeat {
                line: self.line(),
                pushes: number,
            },
            1 => Body::Push {
                number,
                delta: self.delta(),
            },
            2 => {
                let mut question = Question::new();
                for _ in 0..self.below(4) {
                    question.insert(self.replica(), self.asked());
                }
                Body::Question {
                    id: number,
                    missed: self.clocks(),
                    question,
                }
            }
            3 => Body::Answer {
                id: number,
                delta: self.delta(),
                differs: (0..self.below(3))
                    .map(|_| (self.replica(), self.clocks()))
                    .collect(),
                resent: self.clocks(),
                more: self.below(2) == 0,
            },
            4 => Body::Compare {
                fingerprint: number,
                digest: (0..self.below(4))
                    .map(|_| (self.replica(), self.line()))
                    .collect(),
                reply: self.below(2) == 0,
            },
            5 => Body::Goodbye,
            _ => Body::Refusal {
                reason: Refusal::Shards { count: 7 },
            },
        }
    }
}

impl Any {
    fn message(&self) -> Said {
        let mut numbers = Numbers(self.0.iter());
        let shard = match numbers.below(2) {
            0 => Shard::WHOLE,
            _ => Shard { index: 3, count: 4 },
        };
        Message::new("chat", shard, "a", numbers.body())
    }
}

#[test]
fn every_message_survives_and_is_canonical() {
    fn holds(any: Any) -> bool {
        let message = any.message();
        let encoded = Encoder::new().encode(&message).unwrap();
        let read = Decoder::new()
            .message_from_json::<JsonMeta>(&encoded.text)
            .unwrap();
        encoded.left_out.is_empty()
            && read == message
            && in_full(&read) == in_full(&message)
            && Encoder::new().encode(&read).unwrap().text == encoded.text
            && serde_json::from_str::<serde::de::IgnoredAny>(&encoded.text).is_ok()
    }
    QuickCheck::new()
        .tests(5000)
        .quickcheck(holds as fn(Any) -> bool);
}

fn parts(message: &Said, limits: Limits) -> Vec<(Said, u64, u64)> {
    let encoder = Encoder::new().limits(limits);
    let shown = format!("{limits:?}");
    let max: usize = shown
        .split("max_bytes: ")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap();
    let read = encoder.parts(message).map(|part| {
        let part = part.unwrap();
        assert!(part.text.len() <= max, "{} > {max}", part.text.len());
        let decoder = Decoder::new().limits(limits);
        let read = decoder.message_from_json(&part.text).unwrap();
        (read, part.left_out.entries, part.left_out.claims)
    });
    read.collect()
}

/// Cut at any size, a message is still within what it said: pushes lose nothing, answers say
/// where there is more, questions ask about less.
#[test]
fn messages_are_cut_to_fit() {
    fn holds(any: Any, bytes: u16) -> bool {
        let message = any.message();
        let limits = Limits::new().max_bytes(520 + usize::from(bytes) % 1500);
        let read = parts(&message, limits);
        let left_out: u64 = read
            .iter()
            .map(|(_, entries, claims)| entries + claims)
            .sum();
        assert!(!read.is_empty());
        for (part, _, _) in &read {
            assert_eq!(part.body.kind(), message.body.kind());
        }
        match &message.body {
            Body::Push { number, delta } => {
                let mut context = CausalContext::new();
                let mut entries = Vec::new();
                for (part, _, _) in &read {
                    let Body::Push {
                        number: n,
                        delta: part,
                    } = &part.body
                    else {
                        return false;
                    };
                    assert_eq!(n, number);
                    context.merge(part.context());
                    entries.extend(part.entries().cloned());
                }
                let whole = PresenceDelta::from_parts("a".into(), context, entries).unwrap();
                left_out == 0 && whole == *delta
            }
            Body::Answer { delta, more, .. } => {
                let [(part, _, _)] = &read[..] else {
                    return false;
                };
                let Body::Answer {
                    delta: part,
                    more: cut,
                    differs,
                    resent,
                    ..
                } = &part.body
                else {
                    return false;
                };
                let rest = delta.context().difference(part.context());
                part.entries().all(|entry| delta.get(entry.dot()).is_some())
                    && (rest.is_empty()
                        || *cut
                            && resent.is_empty()
                            && (differs.is_empty() || differs.dominates(&rest)))
                    && (part != delta || !rest.is_empty() || *more || *cut || part == delta)
                    && (delta.is_empty() || !part.is_empty())
            }
            Body::Question { question, .. } => {
                let [(part, _, _)] = &read[..] else {
                    return false;
                };
                let Body::Question { question: less, .. } = &part.body else {
                    return false;
                };
                less.iter().all(|(replica, asked)| {
                    let whole = question.get(replica).unwrap();
                    asked.seen.is_subset(&whole.seen)
                        && asked.parts.iter().all(|part| whole.parts.contains(part))
                })
            }
            Body::Compare { digest, .. } => {
                let told = |replica: &ReplicaId| {
                    read.iter().any(|(part, _, _)| {
                        matches!(&part.body, Body::Compare { digest, .. } if digest.get(replica).is_some())
                    })
                };
                digest.iter().all(|(replica, _)| told(replica))
            }
            _ => read.len() == 1,
        }
    }
    QuickCheck::new()
        .tests(4000)
        .quickcheck(holds as fn(Any, u16) -> bool);
}

/// A push of thousands of entries in payloads of 8 KiB: nearly full ones.
#[test]
fn long_pushes_fill_their_messages() {
    let mut state = PresenceState::new("a");
    for i in 0..5000 {
        let _ = state
            .join("pid", "room:lobby", &format!("user-{i}"), meta("{}"))
            .unwrap();
    }
    let push = message(Body::Push {
        number: 1,
        delta: state.take_delta().unwrap(),
    });
    let whole = Encoder::new().encode(&push).unwrap().text.len();
    let read = parts(&push, Limits::new().max_bytes(8192));
    assert!(
        read.len() <= whole / 8192 * 3 / 2,
        "{} messages",
        read.len()
    );
    let mut peer = PresenceState::new("b");
    for (part, _, _) in read.into_iter().rev() {
        let Body::Push { delta, .. } = part.body else {
            panic!("{part:?}");
        };
        peer.merge_delta(&delta).unwrap();
    }
    assert_eq!(peer.digest(), state.digest());
}

/// What fits is found out beforehand, to the byte but for the digits of two numbers.
#[test]
fn one_entry_that_is_too_long_for_any_message_is_left_out_and_told() {
    let limits = Limits::new().max_bytes(400);
    let told = |length: usize| {
        let mut state = PresenceState::new("a");
        let meta = JsonMeta::new(&"x".repeat(length)).unwrap();
        let frame = Encoder::push_frame_len("chat", Shard::WHOLE, &"a".into());
        let fits = Encoder::new()
            .max_bytes(400 - frame)
            .check("room", "ada", "pid", &meta);
        let _ = state.join("pid", "room", "ada", meta).unwrap();
        let delta = state.take_delta().unwrap();
        let push = message(Body::Push { number: 1, delta });
        let left_out = parts(&push, limits)
            .iter()
            .map(|(_, entries, _)| entries)
            .sum::<u64>();
        (fits, left_out)
    };
    for length in 0..500 {
        match told(length) {
            (Ok(()), left_out) => assert_eq!(left_out, 0, "{length}"),
            (Err(EntryError::TooLong { .. }), left_out) => {
                assert!(left_out == 1 || length < 320, "{length}");
            }
            (Err(error), _) => panic!("{error}"),
        }
    }
    assert_eq!(told(499).1, 1);
    assert_eq!(told(9).1, 0);
}
