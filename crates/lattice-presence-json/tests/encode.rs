//! What encoding refuses, and what the error names. And writing piece by piece.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use core::error::Error;
use std::collections::HashMap;
use std::io;

use lattice_presence::{
    CausalContext, Digest, Dot, Presence, PresenceDelta, PresenceState, ReplicaDigest,
};
use lattice_presence_json::{
    Category, DecodeError, Decoder, EncodeError, Encoder, EntryError, JsonMeta, MAX_META_BYTES,
    MAX_META_DEPTH, MAX_STRING_BYTES, MetaError, delta_from_json, delta_to_json_string, from_json,
    to_json_string, to_json_writer,
};
use serde_json::Value;

fn nested(arrays: usize) -> Value {
    (0..arrays).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

/// Who asks for strictness gets errors; who does not, see `poison.rs`.
fn strict() -> Encoder {
    Encoder::new().strict(true)
}

fn state_of<M>(metas: impl IntoIterator<Item = M>) -> PresenceState<M> {
    let mut state = PresenceState::new("node-a");
    for (i, meta) in metas.into_iter().enumerate() {
        let _ = state
            .join("pid", "topic", &format!("key-{i}"), meta)
            .unwrap();
    }
    state
}

#[test]
fn too_deep_metadata_is_refused_by_name() {
    let fits = state_of([nested(MAX_META_DEPTH)]);
    assert!(from_json::<JsonMeta>(&to_json_string(&fits).unwrap()).is_ok());

    let poisoned = state_of([nested(1), nested(MAX_META_DEPTH + 1), nested(2)]);
    let error = strict().to_json_string(&poisoned).unwrap_err();
    let EncodeError::Entry { entry, why } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((entry.key.as_str(), entry.dot.clock), ("key-1", 2));
    let EntryError::Meta(source) = why else {
        panic!("{why:?}");
    };
    assert_eq!(source.category(), Category::Depth);
    assert!(
        error
            .to_string()
            .contains(r#"node-a:2 (topic "topic", key "key-1", pid "pid")"#)
    );
    assert!(error.source().is_some());
}

#[test]
fn metadata_text_is_checked_when_it_is_made() {
    assert!(JsonMeta::new(&nested(MAX_META_DEPTH)).is_ok());
    let error = JsonMeta::new(&nested(MAX_META_DEPTH + 1)).unwrap_err();
    let MetaError::Text(source) = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.category(), Category::Depth);

    let longest = "x".repeat(MAX_META_BYTES - 2);
    assert!(JsonMeta::new(&longest).is_ok());
    let error = JsonMeta::from_text(&format!("\"{longest}x\"")).unwrap_err();
    assert_eq!(error.category(), Category::Limit);
}

#[test]
fn metadata_that_does_not_serialize_is_refused_by_name() {
    let state = state_of([HashMap::from([((1, 2), 3)])]);
    let error = strict().to_json_string(&state).unwrap_err();
    let EncodeError::Entry { entry, why } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(entry.key, "key-0");
    assert!(matches!(why, EntryError::Serialize(_)), "{error}");
}

#[test]
fn metadata_of_another_type_is_an_error_of_its_own() {
    let text = to_json_string(&state_of([1, 2])).unwrap();
    let text = text.replace(r#""meta":2"#, r#""meta":"two""#);
    let error = delta_from_json::<u8>(&text).unwrap_err();
    assert_eq!(error.category(), Category::Meta);
    assert_eq!(error.path(), "values[1].entry.meta");
    assert!(error.source().unwrap().is::<serde_json::Error>());
}

#[test]
fn long_metadata_and_strings_are_refused_by_name() {
    let state = state_of([JsonMeta::new(&"x".repeat(98)).unwrap()]);
    assert!(strict().max_meta_bytes(100).to_json_string(&state).is_ok());
    let error = strict().max_meta_bytes(99).to_json_string(&state);
    let Err(EncodeError::Entry { why, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        why.to_string(),
        "metadata of 100 bytes, and 99 are the limit"
    );

    let long = "x".repeat(MAX_STRING_BYTES + 1);
    for (i, field) in ["pid", "topic", "key"].into_iter().enumerate() {
        let mut names = ["n"; 3];
        names[i] = &long;
        // A state refuses to join it. But a codec with other limits may bring it.
        let dot = Dot::new("node-a".into(), 1);
        let context = CausalContext::from_iter([dot.clone()]);
        let entry = Presence::new(dot, names[1], names[2], names[0], ());
        let delta = PresenceDelta::from_parts("node-a".into(), context, vec![entry]).unwrap();
        let state = PresenceState::from_snapshot(delta);
        let error = strict().to_json_string(&state).unwrap_err();
        let EncodeError::Entry { entry, why } = &error else {
            panic!("{error}");
        };
        let EntryError::StringTooLong {
            field: found,
            bytes,
            ..
        } = why
        else {
            panic!("{error}");
        };
        assert_eq!((entry.dot.clock, *found, *bytes), (1, field, long.len()));
        assert!(error.to_string().len() < 1000, "{error}");
    }
}

#[test]
fn replicas_that_no_peer_accepts_are_refused() {
    for (name, empty) in [
        (String::new(), true),
        ("x".repeat(MAX_STRING_BYTES + 1), false),
    ] {
        let mut state = PresenceState::new(name.as_str());
        let _ = state.join("p", "t", "k", ()).unwrap();
        let known = ReplicaDigest::new((1..=1).into(), 0);
        let digest = Digest::from_iter([(name.as_str().into(), known)]);
        for error in [
            to_json_string(&state).unwrap_err(),
            delta_to_json_string(&state.snapshot()).unwrap_err(),
            strict().digest_to_json_string(&digest).unwrap_err(),
        ] {
            let refused_as_empty = matches!(error, EncodeError::EmptyReplica);
            let refused_as_long = matches!(error, EncodeError::ReplicaTooLong { .. });
            assert_eq!(
                (refused_as_empty, refused_as_long),
                (empty, !empty),
                "{error}"
            );
        }
    }
}

#[test]
fn a_claim_of_everything_is_not_written_out_clock_by_clock() {
    let text =
        r#"{"replica":"n","context":{},"clouds":{"a":[3],"b":[[5,1099511627776]]},"values":[]}"#;
    let delta = delta_from_json::<JsonMeta>(text).unwrap();
    let error = strict().delta_to_json_string(&delta).unwrap_err();
    let EncodeError::CloudTooWide { replica, limit } = error else {
        panic!("{error}");
    };
    assert_eq!((replica.as_str(), limit), ("b", 1 << 14));
    assert_eq!(
        delta_to_json_string(&delta).unwrap(),
        text.replace(r#","b":[[5,1099511627776]]"#, "")
    );
    assert_eq!(
        strict().compact(true).delta_to_json_string(&delta).unwrap(),
        text
    );
}

#[test]
fn the_limit_on_clouds_counts_all_replicas() {
    let text =
        r#"{"replica":"n","context":{"a":1,"n":9},"clouds":{"a":[3,4],"b":[5,6]},"values":[]}"#;
    let delta = delta_from_json::<JsonMeta>(text).unwrap();
    let encoder = strict();
    assert_eq!(
        encoder
            .clone()
            .max_clouds(4)
            .delta_to_json_string(&delta)
            .unwrap(),
        text
    );
    assert!(encoder.max_clouds(3).delta_to_json_string(&delta).is_err());
}

/// Takes a limited number of bytes, and remembers how they came.
struct Socket {
    pieces: Vec<Vec<u8>>,
    room: usize,
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            return Err(io::Error::other("the peer is gone"));
        }
        self.room -= bytes.len();
        self.pieces.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_gets_the_same_bytes_in_pieces() {
    let state = state_of((0..5000).map(|i| JsonMeta::new(&i).unwrap()));
    let text = to_json_string(&state).unwrap();
    let mut socket = Socket {
        pieces: Vec::new(),
        room: usize::MAX,
    };
    to_json_writer(&state, &mut socket).unwrap();
    assert!(socket.pieces.len() > 3, "{} pieces", socket.pieces.len());
    assert!(socket.pieces.iter().all(|piece| piece.len() < 1 << 17));
    assert_eq!(socket.pieces.concat(), text.into_bytes());
}

#[test]
fn a_writer_that_fails_is_reported() {
    let state = state_of((0..5000).map(|i| JsonMeta::new(&i).unwrap()));
    for room in [0, 100_000] {
        let mut socket = Socket {
            pieces: Vec::new(),
            room,
        };
        let error = to_json_writer(&state, &mut socket).unwrap_err();
        assert!(matches!(error, EncodeError::Io(_)), "{error}");
    }
}

#[test]
fn decode_errors_are_one_word_and_travel() {
    fn travels<T: Error + Send + Sync + 'static>() {}
    travels::<DecodeError>();
    travels::<EncodeError>();
    travels::<MetaError>();
    assert_eq!(size_of::<Result<(), DecodeError>>(), size_of::<usize>());
}

/// A peer under the same limits refuses just what is refused here, one step
/// further.
#[test]
fn what_a_peer_would_refuse_as_a_whole_is_refused_here() {
    let text = concat!(
        r#"{"replica":"n","context":{"a":1,"b":1},"clouds":{"a":[3,5],"b":[[7,9]]},"values":["#,
        r#"{"tag":{"replica":"a","clock":1},"entry":{"topic":"","key":"","pid":"","meta":0}},"#,
        r#"{"tag":{"replica":"b","clock":1},"entry":{"topic":"","key":"","pid":"","meta":0}}]}"#,
    );
    let delta = delta_from_json::<JsonMeta>(text).unwrap();
    type Set = (fn(Encoder, usize) -> Encoder, fn(Decoder, usize) -> Decoder);
    let limits: [(&str, usize, Set); 4] = [
        (
            "bytes",
            text.len(),
            (Encoder::max_bytes, Decoder::max_bytes),
        ),
        ("values", 2, (Encoder::max_entries, Decoder::max_entries)),
        (
            "replicas",
            3,
            (Encoder::max_replicas, Decoder::max_replicas),
        ),
        ("cloud items", 3, (Encoder::max_clouds, Decoder::max_clouds)),
    ];
    for (name, edge, (encoder, decoder)) in limits {
        for (limit, fits) in [(edge, true), (edge - 1, false)] {
            let encoder = encoder(strict().compact(true), limit);
            let accepted = decoder(Decoder::new(), limit).delta_from_json::<JsonMeta>(text);
            assert_eq!(accepted.is_ok(), fits, "{name}: {limit}");
            match encoder.delta_to_json_string(&delta) {
                Ok(written) => assert!(fits && written == text, "{name}: {limit}"),
                Err(EncodeError::TooMany {
                    what,
                    limit: stated,
                }) => {
                    assert!(!fits && (what, stated) == (name, limit), "{name}: {limit}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    let digest = PresenceState::from_snapshot(delta).digest();
    for (name, encoder) in [
        ("replicas", strict().max_replicas(1)),
        ("cloud items", strict().max_clouds(2)),
        ("bytes", strict().max_bytes(60)),
    ] {
        let error = encoder.digest_to_json_string(&digest).unwrap_err();
        assert!(error.to_string().ends_with(name), "{error}");
    }
}

/// Clocks alone: as many as may be listed are listed, in the compact form any number.
#[test]
fn as_many_clocks_as_may_be_listed_are_written() {
    let listed = |clocks: u64| {
        let clocks: Vec<String> = (1..=clocks).map(|i| (2 * i).to_string()).collect();
        format!(
            r#"{{"replica":"n","context":{{}},"clouds":{{"n":[{}]}},"values":[]}}"#,
            clocks.join(",")
        )
    };
    let fits = delta_from_json::<JsonMeta>(&listed(1 << 14)).unwrap();
    assert!(delta_to_json_string(&fits).unwrap() == listed(1 << 14));
    let over = listed((1 << 14) + 1);
    let delta = delta_from_json::<JsonMeta>(&over).unwrap();
    assert!(delta_to_json_string(&delta).unwrap() == listed(1 << 14));
    assert!(strict().delta_to_json_string(&delta).is_err());
    assert!(strict().compact(true).delta_to_json_string(&delta).unwrap() == over);
}

#[test]
fn a_writer_gets_small_pieces_of_wide_clouds_and_of_many_names() {
    let clocks: Vec<String> = (0..100_000).map(|i| (2 * i + 2).to_string()).collect();
    let cloud = format!(r#""n":[{}]"#, clocks.join(","));
    let names: Vec<String> = (10_000..40_000).map(|i| format!(r#""{i}":1"#)).collect();
    let names = names.join(",");
    for (context, clouds) in [("", cloud.as_str()), (&names, "")] {
        let text = format!(
            r#"{{"replica":"n","context":{{{context}}},"clouds":{{{clouds}}},"values":[]}}"#
        );
        let decoder = Decoder::new().max_replicas(1 << 16);
        let delta = decoder.delta_from_json::<JsonMeta>(&text).unwrap();
        for compact in [false, true] {
            let mut socket = Socket {
                pieces: Vec::new(),
                room: usize::MAX,
            };
            let encoder = Encoder::new().compact(compact).max_listed(u64::MAX);
            let encoder = encoder.max_replicas(1 << 16);
            encoder.delta_to_json_writer(&delta, &mut socket).unwrap();
            assert!(socket.pieces.concat() == text.as_bytes());
            let longest = socket.pieces.iter().map(Vec::len).max().unwrap();
            assert!(longest <= (1 << 16) + 64, "{longest}");
            assert!(socket.pieces.len() > 4);
        }
    }
}

#[test]
fn errors_show_no_control_characters_of_names() {
    let text = concat!(
        r#"{"replica":"n","context":{"\u001b[2J\u009b":1},"clouds":{},"values":["#,
        r#"{"tag":{"replica":"\u001b[2J\u009b","clock":1},"#,
        r#""entry":{"topic":"\u001b","key":"\u007f 234567","pid":"\n","meta":12}}]}"#,
    );
    let delta = delta_from_json::<JsonMeta>(text).unwrap();
    for (encoder, told) in [
        (strict().max_meta_bytes(1), "metadata of"),
        (strict().max_string_bytes(6), "a key of"),
    ] {
        let error = encoder.delta_to_json_string(&delta).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(told), "{shown:?}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}
