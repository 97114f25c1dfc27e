//! Messages between machines: their text, their size, what they survive.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod message_support;

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Digest, Dot, Held, Message, Part, Piece, Presence,
    PresenceDelta, PresenceState, Question, Refusal, ReplicaDigest, ReplicaId, Shard,
};
use lattice_presence_json::{Category, Decoder, EncodeError, Encoder, JsonMeta};
use message_support::{Any, Said, message};
use quickcheck::QuickCheck;

fn meta(text: &str) -> JsonMeta {
    text.parse().unwrap()
}

/// A replica, the intervals seen of it, and the clocks that are held.
type Told<'t> = (&'t str, &'t [(u64, u64)], &'t [u64]);

/// Of each replica: the intervals seen, and the clocks that are held.
fn delta(told: &[Told<'_>]) -> PresenceDelta<JsonMeta> {
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
    [heartbeats(), pushes(), repairs(), rest()].concat()
}

fn heartbeats() -> Vec<(Said, &'static str)> {
    let mut line = ReplicaDigest::new((1..=9).into(), 7);
    line.live = Some(3);
    let mut gaps = ReplicaDigest::new(clocks(&[1, 2, 4, 5, 9]), 7);
    gaps.unwanted = (20..=30).into();
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
    ]
}

fn pushes() -> Vec<(Said, &'static str)> {
    let number = 5;
    let told = delta(&[
        ("a", &[(3, 6), (8, 9), (12, 12)], &[4, 8, 9]),
        ("b", &[(1, 1)], &[1]),
    ]);
    vec![
        (
            message(Body::Push {
                number,
                piece: Piece::WHOLE,
                delta: told.clone(),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","push":5,"delta":[{"seen":[[3,6],12],"entries":[[4,"room","ada","pid",{}],[8,"room","ada","pid",{}],[9,"room","ada","pid",{}]]},{"of":"b","entries":[[1,"room","ada","pid",{}]]}]}"#,
        ),
        (
            message(Body::Push {
                number,
                piece: Piece::WHOLE,
                delta: delta(&[]),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","push":5}"#,
        ),
        (
            message(Body::Push {
                number,
                piece: Piece { index: 2, count: 3 },
                delta: delta(&[("a", &[(7, 7)], &[])]),
            }),
            r#"{"v":1,"cluster":"chat","from":"a","push":5,"piece":[2,3],"delta":[{"seen":[7]}]}"#,
        ),
    ]
}

fn asked() -> Asked {
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
    asked
}

fn repairs() -> Vec<(Said, &'static str)> {
    let id = 8;
    let mut question = Question::new();
    question.insert("b".into(), asked());
    question.insert("c".into(), Asked::default());
    let differs = CausalContext::from_iter([("b".into(), clocks(&[4, 5]))]);
    let mut line = ReplicaDigest::new((1..=9).into(), 7);
    line.live = Some(3);
    let lines = Digest::from_iter([("b".into(), line)]);
    vec![
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
    ]
}

fn rest() -> Vec<(Said, &'static str)> {
    vec![
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
    let canonical = golden().remove(7);
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
    let push = length(Body::Push {
        number,
        piece: Piece::WHOLE,
        delta,
    });
    let beside = push - topic.len() - key.len() - pid.len() - text.len();
    assert!(beside <= 160, "{beside}");
    let frame = Encoder::push_frame_len("production", Shard::WHOLE, &from);
    let texts = topic.len() + key.len() + pid.len() + 6 + text.len();
    assert!(
        (push - texts..push - texts + 54).contains(&frame),
        "{frame}"
    );

    let delta = {
        let _ = state.leave(pid, topic, key);
        state.take_delta().unwrap()
    };
    let leave = length(Body::Push {
        number,
        piece: Piece::WHOLE,
        delta,
    });
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
        .encode(&message(Body::Push {
            number: 1,
            piece: Piece::WHOLE,
            delta,
        }))
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
        piece: Piece::WHOLE,
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
    let claimed = delta(&[("a", &[(1, 1), (3, 3)], &[])]);
    assert_eq!((read.context(), read.len()), (claimed.context(), 2));
    let error = Encoder::new().strict(true).encode(&push).unwrap_err();
    assert!(matches!(error, EncodeError::Entry { .. }), "{error}");
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
