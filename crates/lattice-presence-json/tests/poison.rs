//! Nothing that a node holds keeps it from speaking: what no peer would read is left
//! out, with its dot, and reported.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::HashMap;

use lattice_presence::{
    CausalContext, Digest, Dot, Presence, PresenceDelta, PresenceState, ReplicaId,
};
use lattice_presence_json::{
    Category, Decoder, EncodeError, Encoder, EntryError, JsonMeta, MAX_META_DEPTH,
    MAX_STRING_BYTES, delta_from_json, delta_from_json_slice, delta_to_json_string,
    delta_to_json_writer, digest_from_json, digest_to_json_string, from_json, to_json_string,
};
use serde::Serialize;
use serde_json::Value;

type State = PresenceState<JsonMeta>;

fn meta() -> JsonMeta {
    JsonMeta::default()
}

/// A delta with one entry per slot, under ascending clocks of `a`, all of them seen. A state
/// refuses to join what is too long. But a codec with other limits may bring it.
fn delta_of<M>(slots: Vec<(String, M)>) -> PresenceDelta<M> {
    let replica = ReplicaId::from("a");
    let mut context = CausalContext::new();
    context.insert_range(replica.clone(), 1..=slots.len() as u64);
    let entry = |(clock, (key, meta)): (u64, (String, M))| {
        Presence::new(Dot::new(replica.clone(), clock), "room", &key, "pid", meta)
    };
    let entries = (1..).zip(slots).map(entry).collect();
    PresenceDelta::from_parts(replica, context, entries).unwrap()
}

/// The second of three entries is bad: the others arrive, and nobody hears of the dot of
/// the bad one.
fn the_others_arrive<M: Serialize + 'static>(
    delta: &PresenceDelta<M>,
    wrong: impl Fn(&EntryError) -> bool,
) {
    for compact in [false, true] {
        let encoder = Encoder::new().compact(compact);
        let encoded = encoder.encode(delta).unwrap();
        assert_eq!(encoded.left_out.entries, 1);
        assert_eq!((encoded.left_out.claims, encoded.left_out.replicas), (0, 0));
        let [EncodeError::Entry { entry, why }] = &encoded.left_out.reasons[..] else {
            panic!("{:?}", encoded.left_out);
        };
        assert!(wrong(why), "{why}");
        assert_eq!(entry.dot.clock, 2);
        assert!(encoded.left_out.to_string().contains("a:2"));

        let read = delta_from_json::<JsonMeta>(&encoded.text).unwrap();
        let clocks: Vec<_> = read.entries().map(|entry| entry.dot().clock).collect();
        assert_eq!(clocks, [1, 3]);
        let claimed = read.context().get(&"a".into()).unwrap();
        assert_eq!(claimed.intervals().collect::<Vec<_>>(), [1..=1, 3..=3]);

        let mut written = Vec::new();
        let left_out = encoder.encode_to(delta, &mut written).unwrap();
        assert_eq!(written, encoded.text.into_bytes());
        assert_eq!(left_out.entries, 1);

        let error = encoder.strict(true).encode(delta).unwrap_err();
        assert!(matches!(error, EncodeError::Entry { .. }), "{error}");
    }
}

#[test]
fn an_over_long_text_does_not_silence_the_node() {
    let long = "x".repeat(MAX_STRING_BYTES + 1);
    let slots = [String::from("ada"), long, String::from("bob")];
    let delta = delta_of(slots.map(|key| (key, meta())).to_vec());
    the_others_arrive(
        &delta,
        |why| matches!(why, EntryError::StringTooLong { field: "key", bytes, .. } if *bytes == MAX_STRING_BYTES + 1),
    );
}

#[test]
fn metadata_that_no_peer_reads_does_not_silence_the_node() {
    let nested = |arrays| (0..arrays).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let named = |metas: [Value; 3]| -> Vec<_> {
        (0..)
            .zip(metas)
            .map(|(i, m)| (format!("key-{i}"), m))
            .collect()
    };
    let deep = delta_of(named([nested(1), nested(MAX_META_DEPTH + 1), nested(2)]));
    the_others_arrive(
        &deep,
        |why| matches!(why, EntryError::Meta(error) if error.category() == Category::Depth),
    );
    let long = Value::String("x".repeat(1 << 20));
    let long = delta_of(named([nested(1), long, nested(2)]));
    the_others_arrive(&long, |why| matches!(why, EntryError::MetaTooLong { .. }));

    // A key that is no string is no key of JSON.
    let metas = [vec![], vec![([1_u8, 2], 3)], vec![]].map(HashMap::from_iter);
    let metas: [HashMap<[u8; 2], u8>; 3] = metas;
    let slots = (0..).zip(metas).map(|(i, m)| (format!("key-{i}"), m));
    let delta = delta_of(slots.collect());
    the_others_arrive(&delta, |why| matches!(why, EntryError::Serialize(_)));
}

#[test]
fn what_is_checked_before_it_enters_is_what_is_left_out() {
    let encoder = Encoder::new().max_meta_bytes(8).max_string_bytes(5);
    let long = "xxxxxx";
    for (slot, meta, fits) in [
        (["room", "ada", "pid"], "\"123456\"", true),
        (["room", "ada", "pid"], "\"1234567\"", false),
        ([long, "ada", "pid"], "0", false),
        (["room", long, "pid"], "0", false),
        (["room", "ada", long], "0", false),
        (["xxxxx", "xxxxx", "xxxxx"], "0", true),
    ] {
        let [topic, key, pid] = slot;
        let meta: JsonMeta = meta.parse().unwrap();
        assert_eq!(
            encoder.check(topic, key, pid, &meta).is_ok(),
            fits,
            "{slot:?}"
        );
        let mut state = State::new("a");
        let _ = state.join(pid, topic, key, meta).unwrap();
        let encoded = encoder.encode(&state).unwrap();
        assert_eq!(encoded.left_out.entries, u64::from(!fits), "{slot:?}");
    }
}

#[test]
fn a_replica_that_no_peer_can_name_is_left_out_with_all_that_is_its_own() {
    for name in [String::new(), "x".repeat(MAX_STRING_BYTES + 1)] {
        let bad = ReplicaId::from(name.as_str());
        let mut context = CausalContext::new();
        context.insert_range(bad.clone(), 1..=9);
        context.insert_range("b".into(), 1..=1);
        let entry = |replica: &ReplicaId| {
            Presence::new(Dot::new(replica.clone(), 1), "t", "k", "p", meta())
        };
        let entries = vec![entry(&bad), entry(&"b".into())];
        let delta = PresenceDelta::from_parts("a".into(), context, entries).unwrap();
        let encoded = Encoder::new().encode(&delta).unwrap();
        assert_eq!(
            (encoded.left_out.entries, encoded.left_out.replicas),
            (1, 1)
        );
        let read = delta_from_json::<JsonMeta>(&encoded.text).unwrap();
        assert_eq!(read.context().replicas().collect::<Vec<_>>(), [&"b".into()]);
        assert_eq!(read.len(), 1);

        let state = PresenceState::from_snapshot(delta);
        let digest = Encoder::new().encode(&state.digest()).unwrap();
        assert_eq!(digest.left_out.replicas, 1);
        assert_eq!(digest_from_json(&digest.text).unwrap().iter().len(), 1);
    }
}

/// 78 bytes that once kept a node from ever writing again.
#[test]
fn a_made_up_interval_does_not_silence_the_node() {
    for made_up in ["[[3,1099511627770]]", "[[3,4194306]]"] {
        let payload =
            format!(r#"{{"replica":"p","context":{{}},"clouds":{{"x":{made_up}}},"values":[]}}"#);
        let mut victim = State::new("a");
        let _ = victim.join("pid", "room", "ada", meta()).unwrap();
        victim
            .merge_delta(&delta_from_json(&payload).unwrap())
            .unwrap();

        let text = to_json_string(&victim).unwrap();
        assert!(text.len() < 300, "{text}");
        assert!(
            from_json::<JsonMeta>(&text)
                .unwrap()
                .contains("pid", "room", "ada")
        );
        let answer = victim.delta_since(&Digest::new());
        assert!(delta_to_json_string(&answer).unwrap().len() < 300);
        let mut written = Vec::new();
        delta_to_json_writer(&answer, &mut written).unwrap();
        assert_eq!(
            delta_from_json_slice::<JsonMeta>(&written).unwrap().len(),
            1
        );
        assert!(digest_to_json_string(&victim.digest()).is_ok());
        // Between peers that read intervals nothing is left out.
        let compact = Encoder::new().compact(true).encode(&answer).unwrap();
        assert!(compact.left_out.is_empty());
        assert_eq!(delta_from_json::<JsonMeta>(&compact.text).unwrap(), answer);
    }
}

#[test]
fn a_payload_claims_only_so_much_beyond_what_it_carries() {
    let claim = |last: u64| {
        format!(r#"{{"replica":"p","context":{{}},"clouds":{{"x":[[3,{last}]]}},"values":[]}}"#)
    };
    assert!(delta_from_json::<JsonMeta>(&claim((1 << 40) + 2)).is_ok());
    for last in [(1 << 40) + 3, (1 << 53) - 1] {
        let error = delta_from_json::<JsonMeta>(&claim(last)).unwrap_err();
        assert_eq!(
            (error.category(), error.path()),
            (Category::Limit, "clouds")
        );
    }
    // Clocks with a value are no claims.
    let value = |clock| {
        format!(
            r#"{{"tag":{{"replica":"x","clock":{clock}}},"entry":{{"topic":"","key":"","pid":"","meta":0}}}}"#
        )
    };
    let carried = format!(
        r#"{{"replica":"p","context":{{}},"clouds":{{"x":[[3,4]]}},"values":[{},{}]}}"#,
        value(3),
        value(4)
    );
    let decoder = Decoder::new().max_claims(0);
    assert!(decoder.delta_from_json::<JsonMeta>(&carried).is_ok());
    let wider = carried.replace("[3,4]", "[3,5]");
    assert!(decoder.delta_from_json::<JsonMeta>(&wider).is_err());
    // Several payloads can claim more than one may: then less is written.
    let mut state = State::new("a");
    for i in 0..3_u64 {
        let (first, last) = ((i << 40) + 3, ((i + 1) << 40) + 2);
        let claim = format!(
            r#"{{"replica":"p","context":{{}},"clouds":{{"x{i}":[[{first},{last}]]}},"values":[]}}"#
        );
        state
            .merge_delta(&delta_from_json(&claim).unwrap())
            .unwrap();
    }
    let encoded = Encoder::new().compact(true).encode(&state).unwrap();
    assert_eq!(encoded.left_out.claims, 2 << 40);
    assert!(delta_from_json::<JsonMeta>(&encoded.text).is_ok());
}

/// What real removals leave is told before what somebody made up.
#[test]
fn made_up_claims_do_not_displace_real_removals() {
    let mut victim = State::new("m");
    for i in 0..300 {
        let _ = victim
            .join("pid", "room", &format!("user-{i}"), meta())
            .unwrap();
    }
    let _ = victim.take_delta();
    for i in (0..300).step_by(3) {
        let _ = victim.leave("pid", "room", &format!("user-{i}"));
    }
    let removals = victim.take_delta().unwrap();
    let mut clouds = Vec::new();
    for i in 0..60_u64 {
        clouds.push(format!(
            r#""{}{i}":[[3,16000]]"#,
            if i % 2 == 0 { 'a' } else { 'z' }
        ));
    }
    let claims = format!(
        r#"{{"replica":"m","context":{{}},"clouds":{{{}}},"values":[]}}"#,
        clouds.join(",")
    );
    let claims = delta_from_json::<JsonMeta>(&claims).unwrap();
    let context = removals.context().union(claims.context());
    let entries = removals.entries().cloned().collect();
    let delta = PresenceDelta::from_parts("m".into(), context, entries).unwrap();
    let text = delta_to_json_string(&delta).unwrap();
    let read = delta_from_json::<JsonMeta>(&text).unwrap();
    assert_eq!(
        read.context().get(&"m".into()),
        removals.context().get(&"m".into())
    );
}

/// Clocks of entries are no claims: they are listed however many they are.
#[test]
fn the_clocks_of_entries_are_always_listed() {
    let replica = ReplicaId::from("a");
    let mut context = CausalContext::new();
    let mut entries = Vec::new();
    for i in 0..20_000_u64 {
        context.insert_range(replica.clone(), 3 * i + 2..=3 * i + 3);
        let dot = Dot::new(replica.clone(), 3 * i + 2);
        entries.push(Presence::new(dot, "room", "ada", &i.to_string(), meta()));
    }
    let delta = PresenceDelta::from_parts("a".into(), context, entries).unwrap();
    let encoded = Encoder::new().encode(&delta).unwrap();
    let left_out = &encoded.left_out;
    assert_eq!((left_out.entries, left_out.claims), (0, 20_000 - (1 << 14)));
    let read = delta_from_json::<JsonMeta>(&encoded.text).unwrap();
    assert!(read.entries().eq(delta.entries()));
}

/// What one small payload makes a node send to somebody who asks with nothing: the bound
/// that docs/wire-format.md states.
#[test]
fn amplification_over_one_exchange_is_bounded() {
    let intervals = |n: u64, width: u64| -> String {
        let runs = (0..n).map(|i| {
            let first = 3 + i * (width + 1);
            format!("[{first},{}]", first + width - 1)
        });
        runs.collect::<Vec<_>>().join(",")
    };
    let far = |n: u64| -> String {
        let first = (1 << 53) - 1 - 2 * n;
        (0..n)
            .map(|i| (first + 2 * i).to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut greatest = 0;
    for clouds in [
        format!(r#""x":[{}]"#, intervals(1, 1 << 14)),
        format!(r#""x":[{}]"#, intervals(1, (1 << 14) + 1)),
        format!(r#""x":[{}]"#, intervals(1 << 10, 16)),
        format!(r#""x":[{}]"#, intervals(1 << 12, 1 << 12)),
        format!(
            r#""x":[[{},{}]]"#,
            (1_u64 << 53) - (1 << 14),
            (1_u64 << 53) - 1
        ),
        format!(r#""x":[{}]"#, far(1 << 15)),
        (0..4000)
            .map(|i| format!(r#""x{i}":[[3,99]]"#))
            .collect::<Vec<_>>()
            .join(","),
    ] {
        let payload =
            format!(r#"{{"replica":"p","context":{{}},"clouds":{{{clouds}}},"values":[]}}"#);
        let mut victim = State::new("a");
        victim
            .merge_delta(&delta_from_json(&payload).unwrap())
            .unwrap();
        let answer = delta_to_json_string(&victim.delta_since(&Digest::new())).unwrap();
        // At most 2^14 clocks of 16 digits, and what was spelt out itself.
        let bound = (17 << 14) + payload.len() + 1024;
        assert!(
            answer.len() <= bound,
            "{} from {}",
            answer.len(),
            payload.len()
        );
        greatest = greatest.max(answer.len());
        // A line of a digest costs some 70 bytes beyond the name and the intervals.
        let digest = digest_to_json_string(&victim.digest()).unwrap();
        let replicas = victim.context().replicas().count();
        assert!(
            digest.len() <= 2 * payload.len() + 72 * replicas,
            "{}",
            digest.len()
        );
    }
    assert!(
        greatest > 200_000,
        "the worst case is not among them: {greatest}"
    );
}
