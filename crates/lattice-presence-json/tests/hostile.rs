//! Every payload of `tests/hostile` is refused, for its one reason, at its place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

extern crate alloc;

use alloc::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use lattice_presence_json::{
    DecodeError, Decoder, EncodeError, Encoder, JsonMeta, digest_to_json_string,
};
use serde::Deserialize;

#[allow(dead_code, unreachable_pub, reason = "other tests share it")]
#[path = "../../../xtask/fuzz/src/replay.rs"]
mod replay;

use replay::Random;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostile {
    file: String,
    kind: Kind,
    category: String,
    path: String,
    line: usize,
    column: usize,
    why: String,
    #[serde(default)]
    limits: Limits,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    State,
    Digest,
    Message,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    max_bytes: Option<usize>,
    max_entries: Option<usize>,
    max_replicas: Option<usize>,
    max_clouds: Option<usize>,
    max_claims: Option<u64>,
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
        let decoder = match self.max_claims {
            Some(limit) => Decoder::new().max_claims(limit),
            None => Decoder::new(),
        };
        stated
            .into_iter()
            .fold(decoder, |decoder, (limit, set)| match limit {
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
        Kind::Message => decoder.message_from_json_slice::<JsonMeta>(payload).err(),
    }
}

#[test]
fn each_is_refused_for_its_reason_at_its_place() {
    let mut wrong = Vec::new();
    for hostile in manifest() {
        let payload = fs::read(folder().join(&hostile.file)).unwrap();
        let found = match decode(&hostile, &hostile.limits.decoder(), &payload) {
            None => "accepted".to_owned(),
            Some(e)
                if e.category().as_str() == hostile.category
                    && e.path() == hostile.path
                    && (e.line(), e.column()) == (hostile.line, hostile.column) =>
            {
                continue;
            }
            Some(error) => error.to_string(),
        };
        let Hostile {
            file,
            category,
            path,
            line,
            column,
            why,
            ..
        } = &hostile;
        wrong.push(format!(
            "{file} ({why}): want {category} at {path:?} ({line}, {column}), got {found}"
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

/// Payloads cut, joined and changed at random, seeded. What is accepted can be
/// written and read again; what is refused has a place in the payload.
#[test]
fn mutated_and_spliced_payloads_are_refused_or_survive() {
    const ROUNDS: usize = 100_000;
    let payloads: Vec<Vec<u8>> = manifest()
        .iter()
        .map(|hostile| fs::read(folder().join(&hostile.file)).unwrap())
        .chain(ACCEPTED.iter().map(|text| text.as_bytes().to_vec()))
        .filter(|payload| payload.len() > 2)
        .collect();
    let mut random = Random::new(0x5EED);
    let mut found = BTreeMap::<&str, usize>::new();
    for round in 0..ROUNDS {
        let bytes = mutant(&payloads, &mut random);
        let outcome = judged(&bytes).unwrap_or_else(|wrong| {
            panic!("round {round}: {wrong}: {}", bytes.escape_ascii());
        });
        *found.entry(outcome).or_default() += 1;
    }
    // Otherwise the mutants would all die of their grammar.
    for (outcome, least) in [
        ("accepted", 500),
        ("message", 300),
        ("syntax", 1000),
        ("shape", 500),
        ("duplicate", 50),
        ("clock", 50),
        ("coverage", 50),
    ] {
        assert!(found.get(outcome) >= Some(&least), "{outcome}: {found:?}");
    }
}

const ACCEPTED: [&str; 6] = [
    r#"{"v":1,"cluster":"c","shard":[1,4],"from":"n","push":5,"delta":[{"seen":[[3,6],12],"entries":[[4,"t","k","p",{"a":[1]}],[8,"t","k","q",0]]},{"of":"m","entries":[[1,"t","k","p",null]]}]}"#,
    r#"{"v":1,"cluster":"c","from":"n","question":8,"missed":[[2,3],9],"asks":{"m":{"context":3,"cloud":[7],"unwanted":[9],"parts":[[1,2,"00000000000000ff"],[3,7,"0000000000000001",[3,7]]]},"o":{}}}"#,
    r#"{"v":1,"cluster":"c","from":"n","answer":8,"delta":[{"of":"m","seen":[[2,9]]}],"differs":{"m":[[4,5]]},"resent":[2],"more":true}"#,
    r#"{"replica":"n","context":{"n":3,"m":1},"clouds":{"m":[4,[6,9]]},"values":[{"tag":{"replica":"n","clock":3},"entry":{"topic":"t","key":"k","pid":"p","meta":{"a":[1,null]}}},{"tag":{"replica":"m","clock":7},"entry":{"topic":"t","key":"k","pid":"q","meta":""}}]}"#,
    r#"{"values":[{"entry":{"pid":"p","key":"\u006b","meta":[{}],"topic":"t"},"tag":{"clock":2,"replica":"n"}}],"clouds":{"n":[2]},"context":{},"replica":"m"}"#,
    r#"{"n":{"context":3,"cloud":[[5,6],9],"fingerprint":"0123456789abcdef"},"m":{"context":0,"cloud":[1],"fingerprint":"0000000000000000"}}"#,
];

/// Two payloads joined where both have a token of one kind, or one as it is, and
/// up to two bytes of it changed.
fn mutant(payloads: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const TOKENS: &[u8] = b"{}[],:\"012379-\\ae";
    let (head, tail) = (random.of(payloads), random.of(payloads));
    let token = *random.of(TOKENS);
    let places =
        |bytes: &[u8]| -> Vec<usize> { (0..bytes.len()).filter(|&i| bytes[i] == token).collect() };
    let (cuts, joints) = (places(head), places(tail));
    let mut bytes = head.clone();
    if random.below(2) == 0 && !cuts.is_empty() && !joints.is_empty() {
        bytes.truncate(*random.of(&cuts));
        bytes.extend_from_slice(&tail[*random.of(&joints)..]);
    }
    for _ in 0..random.below(3) {
        let place = random.below(bytes.len());
        bytes[place] = *random.of(TOKENS);
    }
    bytes
}

/// What becomes of a payload, read as a state and as a digest.
fn judged(bytes: &[u8]) -> Result<&'static str, String> {
    let decoder = Decoder::new();
    let text = |error: EncodeError| error.to_string();
    match decoder.digest_from_json_slice(bytes) {
        Ok(digest) => {
            let written = digest_to_json_string(&digest).map_err(text)?;
            if decoder.digest_from_json(&written).ok() != Some(digest) {
                return Err("the digest changes".into());
            }
        }
        Err(error) => check_place(bytes, &error)?,
    }
    match decoder.message_from_json_slice::<JsonMeta>(bytes) {
        Ok(message) => {
            let written = Encoder::new().encode(&message).map_err(text)?.text;
            let read = decoder.message_from_json::<JsonMeta>(&written).ok();
            return if read == Some(message) {
                Ok("message")
            } else {
                Err("the message changes".into())
            };
        }
        Err(error) => check_place(bytes, &error)?,
    }
    match decoder.delta_from_json_slice::<JsonMeta>(bytes) {
        Ok(delta) => {
            let compact = Encoder::new().compact(true);
            let written = compact.delta_to_json_string(&delta).map_err(text)?;
            if decoder.delta_from_json(&written).ok() != Some(delta) {
                return Err("the delta changes".into());
            }
            Ok("accepted")
        }
        Err(error) => {
            check_place(bytes, &error)?;
            Ok(error.category().as_str())
        }
    }
}

fn check_place(bytes: &[u8], error: &DecodeError) -> Result<(), String> {
    let line = bytes.split(|&b| b == b'\n').nth(error.line() - 1);
    match line {
        Some(line) if (1..=line.len() + 1).contains(&error.column()) => Ok(()),
        _ => Err(format!("no such place: {error}")),
    }
}
