//! What is too much for one payload goes out in parts: each is within the limits and is
//! read by itself, and together they say everything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use lattice_presence::{
    CausalContext, Digest, Dot, Presence, PresenceDelta, PresenceState, ReplicaId,
};
use lattice_presence_json::{
    Decoder, EncodeError, Encoder, EntryError, JsonMeta, LeftOut, Limits, delta_from_json,
    delta_to_json_string, digest_from_json, digest_to_json_string, to_json_string,
};
use quickcheck::{Arbitrary, Gen, QuickCheck};

type State = PresenceState<JsonMeta>;

fn meta() -> JsonMeta {
    JsonMeta::default()
}

/// Reads every part under the limits of its writer; what was left out is added up.
fn read_parts(
    encoder: &Encoder,
    limits: Limits,
    delta: &PresenceDelta<JsonMeta>,
) -> (Vec<PresenceDelta<JsonMeta>>, LeftOut) {
    let decoder = Decoder::new().limits(limits);
    let mut left_out = LeftOut::default();
    let mut parts = Vec::new();
    for part in encoder.clone().limits(limits).parts(delta) {
        let part = part.unwrap();
        let read = decoder.delta_from_json::<JsonMeta>(&part.text);
        parts.push(read.unwrap_or_else(|error| panic!("{error}: {}", part.text)));
        left_out.entries += part.left_out.entries;
        left_out.claims += part.left_out.claims;
        left_out.replicas += part.left_out.replicas;
    }
    (parts, left_out)
}

/// The parts put together, without the codec.
fn joined(parts: &[PresenceDelta<JsonMeta>]) -> PresenceDelta<JsonMeta> {
    let context = parts
        .iter()
        .fold(CausalContext::new(), |sum, part| sum.union(part.context()));
    let entries = parts
        .iter()
        .flat_map(|part| part.entries().cloned())
        .collect();
    PresenceDelta::from_parts(parts[0].replica().clone(), context, entries).unwrap()
}

/// Entries and claims of a few replicas, with gaps and with dots that left.
#[derive(Clone, Debug)]
struct Told(Vec<(u8, u64, u64, bool, usize)>);

impl Arbitrary for Told {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = usize::arbitrary(g) % 30;
        let one = |g: &mut Gen| {
            let wide = if u8::arbitrary(g) % 8 == 0 { 1000 } else { 6 };
            let (first, width) = (1 + u64::arbitrary(g) % 300, u64::arbitrary(g) % wide);
            let (live, meta) = (u8::arbitrary(g) % 3 > 0, usize::arbitrary(g) % 40);
            (u8::arbitrary(g) % 4, first, width, live, meta)
        };
        Self((0..len).map(|_| one(g)).collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

impl Told {
    fn delta(&self) -> PresenceDelta<JsonMeta> {
        let mut context = CausalContext::new();
        let mut entries = Vec::<Presence<JsonMeta>>::new();
        for &(replica, first, width, live, length) in &self.0 {
            let (replica, first) = (ReplicaId::from(format!("replica-{replica}")), first.max(1));
            context.insert_range(replica.clone(), first..=first + width);
            let dot = Dot::new(replica, first);
            if live && entries.iter().all(|entry| *entry.dot() != dot) {
                let meta = JsonMeta::new(&"m".repeat(length)).unwrap();
                entries.push(Presence::new(dot, "room", "key", "pid", meta));
            }
        }
        PresenceDelta::from_parts("replica-0".into(), context, entries).unwrap()
    }
}

fn limits(bytes: u16, entries: u8, replicas: u8, clouds: u8) -> Limits {
    Limits::new()
        .max_bytes(260 + usize::from(bytes % 1500))
        .max_entries(1 + usize::from(entries))
        .max_replicas(2 + usize::from(replicas % 4))
        .max_clouds(1 + usize::from(clouds))
}

#[test]
fn parts_are_within_the_limits_and_say_everything_together() {
    fn holds(told: Told, bytes: u16, [entries, replicas, clouds]: [u8; 3]) -> bool {
        let delta = told.delta();
        let limits = limits(bytes, entries, replicas, clouds);
        let encoder = Encoder::new().compact(true);
        let (parts, left_out) = read_parts(&encoder, limits, &delta);
        left_out.is_empty() && joined(&parts) == delta
    }
    let check = |told, bytes, a, b, c| holds(told, bytes, [a, b, c]);
    QuickCheck::new()
        .tests(2000)
        .quickcheck(check as fn(Told, u16, u8, u8, u8) -> bool);
}

/// In the default form long intervals of dots that left may be left out, and nothing else.
#[test]
fn parts_in_the_default_form_leave_out_claims_alone() {
    fn holds(told: Told, bytes: u16, [entries, replicas, clouds]: [u8; 3]) -> bool {
        let delta = told.delta();
        let limits = limits(bytes, entries, replicas, clouds);
        let (parts, left_out) = read_parts(&Encoder::new(), limits, &delta);
        let whole = joined(&parts);
        let missing = delta.context().difference(whole.context());
        let missing: u64 = missing.iter().map(|(_, clocks)| clocks.len()).sum();
        left_out.entries == 0
            && left_out.replicas == 0
            && left_out.claims == missing
            && whole.entries().eq(delta.entries())
            && delta.context().dominates(whole.context())
    }
    let check = |told, bytes, a, b, c| holds(told, bytes, [a, b, c]);
    QuickCheck::new()
        .tests(2000)
        .quickcheck(check as fn(Told, u16, u8, u8, u8) -> bool);
}

/// In whatever order they come, and however often.
#[test]
fn parts_merge_alone_to_what_the_whole_merges_to() {
    let mut state = State::new("a");
    for i in 0..500 {
        let _ = state
            .join("pid", "room", &format!("user-{i}"), meta())
            .unwrap();
        if i % 3 == 0 {
            let _ = state.leave("pid", "room", &format!("user-{}", i / 2));
        }
    }
    let limits = Limits::new().max_bytes(1000);
    let encoder = Encoder::new().compact(true);
    let (parts, _) = read_parts(&encoder, limits, &state.snapshot());
    assert!(parts.len() > 20, "{}", parts.len());
    let mut peer = State::new("b");
    for part in parts.iter().rev().chain(&parts) {
        peer.merge_delta(part).unwrap();
    }
    assert_eq!(peer.digest(), state.digest());
    // A part alone removes nothing that it does not speak of.
    for part in &parts {
        let mut peer = state.clone();
        peer.merge_delta(part).unwrap();
        assert_eq!(peer.digest(), state.digest());
    }
}

#[test]
fn an_entry_that_just_fits_a_part_is_sent_and_one_byte_more_is_not() {
    let mut state = State::new("a");
    let _ = state
        .join(
            "pid",
            "room",
            "ada",
            JsonMeta::new(&"x".repeat(100)).unwrap(),
        )
        .unwrap();
    let bytes = to_json_string(&state).unwrap().len();
    for (limit, fits) in [(bytes, true), (bytes - 1, false)] {
        let encoder = Encoder::new().max_bytes(limit);
        let parts: Vec<_> = encoder.parts(&state).map(Result::unwrap).collect();
        let entries: u64 = parts.iter().map(|part| part.left_out.entries).sum();
        assert_eq!(entries, u64::from(!fits));
        let read: usize = parts
            .iter()
            .map(|part| delta_from_json::<JsonMeta>(&part.text).unwrap().len())
            .sum();
        assert_eq!(read, usize::from(fits));
        if !fits {
            let reasons: Vec<_> = parts
                .iter()
                .flat_map(|part| &part.left_out.reasons)
                .collect();
            let [EncodeError::Entry { why, .. }] = reasons[..] else {
                panic!("{reasons:?}");
            };
            assert!(
                matches!(why, EntryError::TooLong { bytes: b, limit: l } if (*b, *l) == (bytes, limit)),
                "{why}"
            );
        }
    }
}

/// A limit under which not even a name fits ends as well, with everything reported.
#[test]
fn absurd_limits_end() {
    let delta = Told(vec![(0, 1, 5, true, 9), (1, 7, 2, true, 3)]).delta();
    for compact in [false, true] {
        for limit in 0..300 {
            let limits = Limits::new().max_bytes(limit);
            let parts = Encoder::new().compact(compact).limits(limits).parts(&delta);
            let told: u64 = parts
                .map(|part| {
                    let part = part.unwrap();
                    let read = delta_from_json::<JsonMeta>(&part.text).unwrap();
                    assert!(part.text.len() <= limit || read.is_empty());
                    read.len() as u64 + part.left_out.entries
                })
                .sum();
            assert_eq!(told, 2, "{limit}");
        }
    }
}

/// 257 metas of 1 MiB, scaled by 2^-12: more than one payload may have.
#[test]
fn many_legal_metas_do_not_silence_a_node() {
    let limits = Limits::new().max_bytes(1 << 16).max_meta_bytes(256);
    too_many_bytes(257, 254, limits);
}

/// The same in the size in which it was found. `cargo test --release -- --ignored`
#[test]
#[ignore = "takes half a gigabyte and some seconds"]
fn many_legal_metas_of_a_mebibyte_do_not_silence_a_node() {
    too_many_bytes(257, (1 << 20) - 2, Limits::new());
}

fn too_many_bytes(entries: usize, length: usize, limits: Limits) {
    let mut state = State::new("a");
    let meta = JsonMeta::new(&"x".repeat(length)).unwrap();
    for i in 0..entries {
        let _ = state
            .join("pid", "room", &i.to_string(), meta.clone())
            .unwrap();
    }
    converges(&state, limits);
    // A state is written whole or not at all: who stores it must not lose a part.
    let whole = Encoder::new().limits(limits).encode(&state);
    assert!(matches!(
        whole,
        Err(EncodeError::TooMany { what: "bytes", .. })
    ));
}

/// A peer gets everything, by parts at once, and by single deltas round by round.
fn converges(state: &State, limits: Limits) {
    let encoder = Encoder::new().limits(limits);
    let decoder = Decoder::new().limits(limits);
    let mut by_parts = State::new("b");
    for part in encoder
        .clone()
        .compact(true)
        .parts(&state.delta_since(&by_parts.digest()))
    {
        let part = part.unwrap();
        assert!(part.text.len() <= limits_bytes(limits) && part.left_out.is_empty());
        by_parts
            .merge_delta(&decoder.delta_from_json(&part.text).unwrap())
            .unwrap();
    }
    assert_eq!(by_parts.digest(), state.digest());

    let mut by_rounds = State::new("c");
    let mut rounds = 0;
    while by_rounds.digest() != state.digest() {
        let digest = collected(&encoder, &decoder, &by_rounds.digest());
        let answer = encoder
            .delta_to_json_string(&state.delta_since(&digest))
            .unwrap();
        by_rounds
            .merge_delta(&decoder.delta_from_json(&answer).unwrap())
            .unwrap();
        rounds += 1;
        assert!(rounds < 100, "no end");
    }
    assert!(rounds > 1, "it was not too much for one payload");
}

fn limits_bytes(limits: Limits) -> usize {
    let shown = format!("{limits:?}");
    let bytes = shown.split("max_bytes: ").nth(1).unwrap();
    bytes.split(',').next().unwrap().parse().unwrap()
}

/// 1.7 million entries, scaled: more values than one payload may list.
#[test]
fn many_entries_do_not_silence_a_node() {
    let mut state = State::new("a");
    for i in 0..3000 {
        let _ = state.join("pid", "room", &i.to_string(), meta()).unwrap();
    }
    converges(&state, Limits::new().max_entries(1000));
    converges(&state, Limits::new().max_bytes(100_000));
}

/// 651 KB of made-up names: more replicas than one payload may name.
#[test]
fn many_made_up_names_do_not_silence_a_node() {
    // Behind all the others.
    let mut state = State::new("za");
    let _ = state.join("pid", "room", "ada", meta()).unwrap();
    for payload in 0..20 {
        let names: Vec<_> = (0..4000).map(|i| format!(r#""{payload}-{i}":1"#)).collect();
        let payload = format!(
            r#"{{"replica":"p","context":{{{}}},"clouds":{{}},"values":[]}}"#,
            names.join(",")
        );
        state
            .merge_delta(&delta_from_json(&payload).unwrap())
            .unwrap();
    }
    let digest = state.digest();
    assert_eq!(collected(&Encoder::new(), &Decoder::new(), &digest), digest);
    converges(&state, Limits::new());

    // Single payloads alone: the made-up names do not keep what lives from arriving.
    let mut peer = State::new("b");
    for _ in 0..3 {
        let digest = digest_to_json_string(&peer.digest()).unwrap();
        let answer = state.delta_since(&digest_from_json(&digest).unwrap());
        let answer = delta_to_json_string(&answer).unwrap();
        peer.merge_delta(&delta_from_json(&answer).unwrap())
            .unwrap();
    }
    assert!(peer.contains("pid", "room", "ada"));
    let last = Encoder::new().encode(&peer.digest()).unwrap();
    assert!(last.left_out.replicas > 0);
    assert!(
        digest_from_json(&last.text)
            .unwrap()
            .get(&"za".into())
            .is_some()
    );
}

/// Gaps without end: more intervals than one payload may list.
#[test]
fn many_gaps_do_not_silence_a_node() {
    let mut state = State::new("a");
    let _ = state.join("pid", "room", "ada", meta()).unwrap();
    for payload in 0..5_u64 {
        let first = 3 + (payload << 20);
        let clocks: Vec<_> = (0..400_000).map(|i| (first + 2 * i).to_string()).collect();
        let payload = format!(
            r#"{{"replica":"p","context":{{}},"clouds":{{"x":[{}]}},"values":[]}}"#,
            clocks.join(",")
        );
        state
            .merge_delta(&delta_from_json(&payload).unwrap())
            .unwrap();
    }
    // One line of two million intervals: the first of them are told.
    let digest = Encoder::new().encode(&state.digest()).unwrap();
    assert_eq!(digest.left_out.claims, 2_000_000 - (1 << 20));
    let read = digest_from_json(&digest.text).unwrap();
    assert_eq!(read.iter().len(), 2);
    let (parts, left_out) = read_parts(
        &Encoder::new().compact(true),
        Limits::new(),
        &state.snapshot(),
    );
    assert!(left_out.is_empty());
    assert_eq!(parts.len(), 2);
    assert_eq!(joined(&parts).context(), state.context());
    assert!(delta_to_json_string(&state.snapshot()).unwrap().len() < 300_000);
}

/// A digest, sent in parts and put together again.
fn collected(
    encoder: &Encoder,
    decoder: &Decoder,
    digest: &Digest<ReplicaId>,
) -> Digest<ReplicaId> {
    let mut collected = Digest::new();
    for part in encoder.parts(digest) {
        let part = part.unwrap();
        assert!(part.left_out.is_empty());
        for (replica, known) in decoder.digest_from_json(&part.text).unwrap().iter() {
            collected.insert(replica.clone(), known.clone());
        }
    }
    collected
}
