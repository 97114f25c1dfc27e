//! Every payload of `tests/hostile` is refused, for its one reason, at its place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::PathBuf;

use lattice_presence_json::{DecodeError, Decoder, JsonMeta};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostile {
    file: String,
    kind: Kind,
    category: String,
    path: String,
    why: String,
    #[serde(default)]
    limits: Limits,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    State,
    Digest,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    max_bytes: Option<usize>,
    max_entries: Option<usize>,
    max_replicas: Option<usize>,
    max_clouds: Option<usize>,
    max_meta_depth: Option<usize>,
    max_meta_bytes: Option<usize>,
    max_string_bytes: Option<usize>,
}

impl Limits {
    fn decoder(&self) -> Decoder {
        type Setter = fn(Decoder, usize) -> Decoder;
        let stated: [(Option<usize>, Setter); 7] = [
            (self.max_bytes, Decoder::max_bytes),
            (self.max_entries, Decoder::max_entries),
            (self.max_replicas, Decoder::max_replicas),
            (self.max_clouds, Decoder::max_clouds),
            (self.max_meta_depth, Decoder::max_meta_depth),
            (self.max_meta_bytes, Decoder::max_meta_bytes),
            (self.max_string_bytes, Decoder::max_string_bytes),
        ];
        stated
            .into_iter()
            .fold(Decoder::new(), |decoder, (limit, set)| match limit {
                Some(limit) => set(decoder, limit),
                None => decoder,
            })
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

fn manifest() -> Vec<Hostile> {
    let text = fs::read_to_string(folder().join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn decode(hostile: &Hostile, decoder: &Decoder, payload: &[u8]) -> Option<DecodeError> {
    match hostile.kind {
        Kind::State => decoder.from_json_slice::<JsonMeta>(payload).err(),
        Kind::Digest => decoder.digest_from_json_slice(payload).err(),
    }
}

#[test]
fn each_is_refused_for_its_reason_at_its_place() {
    let mut wrong = Vec::new();
    for hostile in manifest() {
        let payload = fs::read(folder().join(&hostile.file)).unwrap();
        let found = match decode(&hostile, &hostile.limits.decoder(), &payload) {
            None => "accepted".to_owned(),
            Some(e) if e.category().as_str() == hostile.category && e.path() == hostile.path => {
                continue;
            }
            Some(error) => error.to_string(),
        };
        let Hostile {
            file,
            category,
            path,
            why,
            ..
        } = &hostile;
        wrong.push(format!(
            "{file} ({why}): want {category} at {path:?}, got {found}"
        ));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Otherwise a limit would be refused for something else than itself.
#[test]
fn what_breaks_a_lowered_limit_is_accepted_under_the_defaults() {
    let limited = manifest()
        .into_iter()
        .filter(|hostile| hostile.category == "limit" || hostile.limits.max_meta_depth.is_some());
    let mut count = 0;
    for hostile in limited {
        let payload = fs::read(folder().join(&hostile.file)).unwrap();
        let error = decode(&hostile, &Decoder::new(), &payload);
        let uncovered = "coverage: neither context nor clouds cover";
        assert!(
            error
                .as_ref()
                .is_none_or(|e| e.to_string().starts_with(uncovered)),
            "{}: {error:?}",
            hostile.file
        );
        count += 1;
    }
    assert!(count >= 10);
}

#[test]
fn the_corpus_is_complete_and_each_file_is_listed_once() {
    let mut listed: Vec<String> = manifest().into_iter().map(|h| h.file).collect();
    listed.push("manifest.json".to_owned());
    listed.sort();
    let mut present: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    present.sort();
    assert_eq!(listed, present);
    assert!(listed.len() > 100);
}

/// No prefix of a payload is a payload, and none makes the decoder panic.
#[test]
fn every_prefix_of_a_payload_is_refused() {
    let payload = concat!(
        r#"{"replica":"né","context":{"né":2},"clouds":{"m":[4,[6,9]]},"values":["#,
        r#"{"tag":{"replica":"né","clock":2},"entry":{"topic":"\u00e9","key":"k","pid":"p","#,
        r#""meta":{"a":[1.5e3,true,null,"\ud83d\ude00"]},"x":0}},"#,
        r#"{"tag":{"replica":"né","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":{}}}"#,
        "]}",
    )
    .as_bytes();
    let decoder = Decoder::new();
    assert!(decoder.from_json_slice::<JsonMeta>(payload).is_ok());
    for end in 0..payload.len() {
        let error = decoder.from_json_slice::<JsonMeta>(&payload[..end]).err();
        assert_eq!(
            error.map(|e| e.category().as_str()),
            Some("syntax"),
            "prefix of {end} bytes"
        );
    }
}

/// The general reader and the shortcut for the usual layout word one error.
#[test]
fn an_error_does_not_depend_on_the_layout_of_the_values_before_it() {
    let usual =
        r#"{"tag":{"replica":"n","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":1}}"#;
    let swapped =
        r#"{"entry":{"pid":"p","key":"k","meta":1,"topic":"t"},"tag":{"clock":1,"replica":"n"}}"#;
    let bad =
        r#"{"tag":{"replica":"n","clock":2},"entry":{"topic":"t","key":"k","pid":"p","meta":[}}"#;
    let error = |first: &str| {
        let text = format!(
            r#"{{"replica":"n","context":{{"n":2}},"clouds":{{}},"values":[{first},{bad}]}}"#
        );
        Decoder::new()
            .from_json::<JsonMeta>(&text)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(usual.len(), swapped.len());
    assert_eq!(error(usual), error(swapped));
    assert!(error(usual).contains("values[1].entry.meta"));
}
