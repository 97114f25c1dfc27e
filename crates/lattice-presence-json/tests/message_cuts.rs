//! Messages that are cut to the payloads of a transport.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

extern crate alloc;

mod message_support;

use alloc::collections::BTreeMap;
use std::panic::catch_unwind;

use lattice_presence::{
    Body, CausalContext, Digest, Piece, PresenceDelta, PresenceState, Question, ReplicaId, Shard,
};
use lattice_presence_json::{Decoder, Encoder, EntryError, JsonMeta, Limits};
use message_support::{Any, Said, message};
use quickcheck::{Arbitrary, Gen};

fn meta(text: &str) -> JsonMeta {
    text.parse().unwrap()
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

/// Cut at any size, a message still says nothing else than what it said. Its kind, if it had
/// to be cut.
fn is_cut_rightly(any: &Any, bytes: u16) -> Option<&'static str> {
    let mut message = any.message();
    if let Body::Push { piece, .. } = &mut message.body {
        // A piece is not cut again.
        *piece = Piece::WHOLE;
    }
    // Room for one entry, or for one line.
    let (least, range) = match &message.body {
        Body::Push { .. } | Body::Answer { .. } => (520, 1500),
        _ => (300, 400),
    };
    let few = usize::from(bytes % 7);
    let limits = Limits::new()
        .max_bytes(least + usize::from(bytes) % range)
        .max_entries(1 + few)
        .max_clouds(2 + few)
        .max_replicas(2 + few / 2);
    let read = parts(&message, limits);
    let left_out: u64 = read
        .iter()
        .map(|(_, entries, claims)| entries + claims)
        .sum();
    for (part, _, _) in &read {
        assert_eq!(part.body.kind(), message.body.kind());
        assert_eq!(
            (&part.cluster, part.shard),
            (&message.cluster, message.shard)
        );
    }
    let bodies: Vec<_> = read.iter().map(|(part, _, _)| &part.body).collect();
    match &message.body {
        Body::Push { number, delta, .. } => {
            assert_eq!(left_out, 0);
            pushes_say_the_same(&bodies, *number, delta);
        }
        Body::Answer { delta, .. } => answers_say_where_there_is_more(&bodies, delta),
        Body::Question { question, .. } => questions_ask_about_less(&bodies, question),
        Body::Compare { digest, .. } => comparisons_name_everybody(&bodies, digest),
        _ => assert_eq!(bodies.len(), 1),
    }
    (bodies.len() != 1 || *bodies[0] != message.body).then_some(message.body.kind())
}

fn pushes_say_the_same(bodies: &[&Body<JsonMeta>], number: u64, whole: &PresenceDelta<JsonMeta>) {
    let mut context = CausalContext::new();
    let mut entries = Vec::new();
    let count = u16::try_from(bodies.len()).unwrap();
    for (body, index) in bodies.iter().zip(0..) {
        let Body::Push {
            number: n,
            piece,
            delta,
        } = body
        else {
            panic!("{body:?}");
        };
        assert_eq!((*n, *piece), (number, Piece { index, count }));
        context.merge(delta.context());
        entries.extend(delta.entries().cloned());
    }
    let joined = PresenceDelta::from_parts("a".into(), context, entries).unwrap();
    assert_eq!(joined, *whole);
}

fn answers_say_where_there_is_more(bodies: &[&Body<JsonMeta>], whole: &PresenceDelta<JsonMeta>) {
    let [
        Body::Answer {
            delta,
            differs,
            resent,
            more,
            ..
        },
    ] = bodies
    else {
        panic!("{bodies:?}");
    };
    let rest = whole.context().difference(delta.context());
    assert!(whole.is_empty() || !delta.is_empty(), "no progress");
    assert!(
        delta
            .entries()
            .all(|entry| whole.get(entry.dot()).is_some())
    );
    // What it claims, it carries as far as it lives.
    let told = whole
        .entries()
        .filter(|entry| delta.context().contains(entry.dot()));
    assert_eq!(told.count(), delta.len());
    assert!(whole.context().dominates(delta.context()));
    if !rest.is_empty() {
        assert!(*more && resent.is_empty());
        assert!(differs.is_empty() || differs.dominates(&rest));
    }
}

fn questions_ask_about_less(bodies: &[&Body<JsonMeta>], whole: &Question<ReplicaId>) {
    let [Body::Question { question, .. }] = bodies else {
        panic!("{bodies:?}");
    };
    assert!(whole.is_empty() || !question.is_empty());
    for (replica, asked) in question.iter() {
        let all = whole.get(replica).unwrap();
        assert!(asked.seen.is_subset(&all.seen));
        assert!(asked.parts.iter().all(|part| all.parts.contains(part)));
    }
}

fn comparisons_name_everybody(bodies: &[&Body<JsonMeta>], whole: &Digest<ReplicaId>) {
    let mut named = Digest::new();
    for body in bodies {
        let Body::Compare { digest, .. } = body else {
            panic!("{body:?}");
        };
        for (replica, known) in digest.iter() {
            let all = whole.get(replica).unwrap();
            assert!(known.seen.is_subset(&all.seen));
            assert_eq!(known.fingerprint, all.fingerprint);
            named.insert(replica.clone(), known.clone());
        }
    }
    let mut seen = whole.iter().filter(|(_, known)| !known.seen.is_empty());
    assert!(seen.all(|(replica, _)| named.get(replica).is_some()));
}

#[test]
fn messages_are_cut_to_fit() {
    let mut random = Gen::new(100);
    let mut cut = BTreeMap::<&str, usize>::new();
    for _ in 0..6000 {
        let (any, bytes) = (Any::arbitrary(&mut random), u16::arbitrary(&mut random));
        let outcome = catch_unwind(|| is_cut_rightly(&any, bytes));
        match outcome {
            Ok(kind) => *cut.entry(kind.unwrap_or("not cut")).or_default() += 1,
            Err(_) => panic!("cut wrongly at {bytes}: {any:?}"),
        }
    }
    // Otherwise nothing would have been cut.
    for kind in ["push", "answer", "question", "compare", "not cut"] {
        assert!(cut.get(kind) >= Some(&20), "{kind}: {cut:?}");
    }
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
        piece: Piece::WHOLE,
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
        let push = message(Body::Push {
            number: 1,
            piece: Piece::WHOLE,
            delta,
        });
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
