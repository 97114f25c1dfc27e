//! Every payload in the vectors is decoded to its content, and written back in canonical
//! bytes. Or it is refused, if this library refuses it on purpose.
//!
//! The expectation is computed by a naive reading of its own, from plain serde
//! structures, which shares no code with the codec.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lattice_presence_json::{
    JsonMeta, delta_from_json, delta_to_json_string, from_json, to_json_string,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize, Serialize)]
struct Payload<'a> {
    replica: String,
    context: BTreeMap<String, u64>,
    clouds: BTreeMap<String, BTreeSet<u64>>,
    #[serde(borrow)]
    values: Vec<Entered<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Entered<'a> {
    tag: Tag,
    #[serde(borrow)]
    entry: Entry<'a>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
struct Tag {
    replica: String,
    clock: u64,
}

#[derive(Deserialize, Serialize)]
struct Entry<'a> {
    topic: String,
    key: String,
    pid: String,
    #[serde(borrow)]
    meta: &'a RawValue,
}

impl Payload<'_> {
    /// Clock by clock, as slowly as it is obvious.
    fn normalize(&mut self) {
        for (replica, cloud) in &mut self.clouds {
            let prefix = self.context.entry(replica.clone()).or_insert(0);
            while cloud.contains(&(*prefix + 1)) {
                *prefix += 1;
            }
            cloud.retain(|clock| clock > prefix);
        }
        self.context.retain(|_, prefix| *prefix > 0);
        self.clouds.retain(|_, cloud| !cloud.is_empty());
        self.values.sort_by(|a, b| a.tag.cmp(&b.tag));
    }
}

fn vectors() -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let files = fs::read_dir(folder).unwrap();
    // Beside a vector may lie what this implementation expects instead.
    let is_vector = |path: &PathBuf| {
        let name = path.to_str().unwrap();
        name.ends_with(".json") && !name.ends_with(".ours.json")
    };
    let mut vectors: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(is_vector)
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // An expectation that no Rust string can hold, and that is not used here.
            let text = fs::read_to_string(path)
                .unwrap()
                .replace(r#""\ud800""#, "null");
            let vector = serde_json::from_str(&text).unwrap();
            (name, vector)
        })
        .collect();
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    vectors
}

/// Payloads that `lattice_presence` 2.0.0 accepts or writes, and that are refused
/// here: the rule, and the expected category.
fn differs(vector: &str, payload: &str) -> Option<&'static str> {
    match vector {
        // Decoding: values that no context covers are refused.
        "33-unseen_local_tag_without_context" if payload.contains(r#""node-b","context":{}"#) => {
            Some("coverage")
        }
        "36-uncovered_value_from_third_replica" if payload.contains(r#""node-z","clock":4"#) => {
            Some("coverage")
        }
        // Encoding: metadata that no peer accepts is not written in the first place.
        "55-metadata_depth_not_checked_on_join" if payload.contains(&"[".repeat(65)) => {
            Some("depth")
        }
        // Decoding: malformed JSON. The Erlang target refuses it as well.
        "57-malformed_payloads" if payload.contains(r#""meta":"\ud800""#) => Some("syntax"),
        _ => None,
    }
}

fn check_accepted(vector: &str, text: &str) {
    let mut expected: Payload<'_> = serde_json::from_str(text).unwrap();
    expected.normalize();
    let canonical = serde_json::to_string(&expected).unwrap();

    let state = from_json::<JsonMeta>(text).unwrap_or_else(|e| panic!("{vector}: {e}\n{text}"));
    let entries: Vec<_> = state.entries().collect();
    assert_eq!(state.replica().as_str(), expected.replica, "{vector}");
    assert_eq!(entries.len(), expected.values.len(), "{vector}");
    for (found, wanted) in entries.iter().zip(&expected.values) {
        assert_eq!(found.dot().replica.as_str(), wanted.tag.replica, "{vector}");
        assert_eq!(found.dot().clock, wanted.tag.clock, "{vector}");
        assert_eq!(found.topic(), wanted.entry.topic, "{vector}");
        assert_eq!(found.key(), wanted.entry.key, "{vector}");
        assert_eq!(found.pid(), wanted.entry.pid, "{vector}");
        assert_eq!(found.meta().as_str(), wanted.entry.meta.get(), "{vector}");
    }
    assert_eq!(to_json_string(&state).unwrap(), canonical, "{vector}");

    let delta = delta_from_json::<JsonMeta>(&canonical).unwrap();
    assert_eq!(delta_to_json_string(&delta).unwrap(), canonical, "{vector}");
    // Any other metadata type goes through serde.
    let delta = delta_from_json::<Box<RawValue>>(text).unwrap();
    assert_eq!(delta_to_json_string(&delta).unwrap(), canonical, "{vector}");
}

#[test]
fn payloads_decode_to_what_they_say_and_come_back_canonical() {
    let (mut accepted, mut refused, mut different) = (0, 0, 0);
    for (vector, scenario) in vectors() {
        let mut payloads = Vec::new();
        let results = scenario["expect"]["results"].as_array().unwrap();
        for (step, result) in scenario["steps"].as_array().unwrap().iter().zip(results) {
            if let Some(json) = step["json"].as_str() {
                payloads.push((json, result.get("ok").is_some()));
            }
        }
        for (_, node) in scenario["expect"]["nodes"].as_object().unwrap() {
            payloads.extend(node["json"].as_str().map(|json| (json, true)));
        }
        for (text, reference_accepts) in payloads {
            match (reference_accepts, differs(&vector, text)) {
                (true, None) => {
                    check_accepted(&vector, text);
                    accepted += 1;
                }
                (true, Some(category)) => {
                    let error = from_json::<JsonMeta>(text).unwrap_err();
                    assert_eq!(error.category().as_str(), category, "{vector}: {text}");
                    different += 1;
                }
                (false, _) => {
                    let result = from_json::<JsonMeta>(text);
                    assert!(result.is_err(), "{vector}: {text}");
                    refused += 1;
                }
            }
        }
    }
    assert!(
        accepted >= 100 && refused >= 90 && different >= 5,
        "{accepted} accepted, {refused} refused, {different} different",
    );
}

#[test]
fn malformed_payloads_are_refused_by_category() {
    let (_, scenario) = vectors()
        .into_iter()
        .find(|(name, _)| name == "57-malformed_payloads")
        .unwrap();
    let mut wrong = Vec::new();
    for step in scenario["steps"].as_array().unwrap() {
        let (node, note) = (
            step["node"].as_str().unwrap(),
            step["note"].as_str().unwrap(),
        );
        let number: u32 = node[1..].parse().unwrap();
        let expected = match number {
            1..=7 | 13..=20 | 93 => "syntax",
            45 | 52..=57 | 90 => "clock",
            46 => "accepted",
            94 => "depth",
            _ => "shape",
        };
        let found = from_json::<JsonMeta>(step["json"].as_str().unwrap())
            .map_or_else(|error| error.category().as_str(), |_| "accepted");
        if found != expected {
            wrong.push(format!("{node} ({note}): want {expected}, got {found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Design, section 4: accepted, and normalized.
#[test]
fn harmless_differences_are_normalized() {
    let canonical = concat!(
        r#"{"replica":"n","context":{"n":4},"clouds":{"a":[3,4,9],"b":[2]},"values":["#,
        r#"{"tag":{"replica":"n","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":{"a":[1.0,"\u0041"]}}},"#,
        r#"{"tag":{"replica":"n","clock":3},"entry":{"topic":"t","key":"é\n","pid":"p","meta":1}}]}"#,
    );
    let same = [
        canonical.to_owned(),
        // Zero, empty, duplicate, unsorted and covered clocks.
        canonical.replace(r#""n":4}"#, r#""n":4,"z":0}"#),
        canonical.replace(r#""n":4}"#, r#""n":-0}"#).replace(r#""b":[2]"#, r#""b":[2],"n":[2,1,3,4]"#),
        canonical.replace(r#""b":[2]"#, r#""b":[2,2],"c":[]"#),
        canonical.replace("[3,4,9]", "[9,4,3,4,9]"),
        canonical.replace("[3,4,9]", "[[9,9],[3,4]]"),
        canonical.replace("[3,4,9]", "[[3,3],[3,4],9]"),
        canonical.replace(r#""b":[2]"#, r#""b":[2],"n":[1,4,2]"#),
        canonical.replace(r#"{"n":4}"#, r#"{"n":2}"#).replace(r#""b":[2]"#, r#""b":[2],"n":[[2,4]]"#),
        // Neighbours of a gap stay apart, in any order.
        canonical.replace("[3,4,9]", "[9,4,3]"),
        canonical.replace("[3,4,9]", "[9,[3,4]]"),
        // Unknown fields, at every level, however deep and however often.
        canonical.replace("]}}]}", r#"]}}],"x":{"y":[null]},"x":1}"#).replace(r#""meta":1}}]}"#, r#""meta":1},"x":{}}],"x":[[]],"x":1}"#),
        canonical.replace(r#""clock":3}"#, r#""clock":3,"node":"x"}"#),
        canonical.replace(r#""pid":"p","meta":1"#, r#""pid":"p","x":{"pid":1},"meta":1"#),
        canonical.replace(r#"{"replica":"n","context""#, &format!(r#"{{"x":{}{},"replica":"n","context""#, "[".repeat(5000), "]".repeat(5000))),
        // Escapes in names and strings, white space, order of fields.
        canonical.replace(r#""tag""#, r#""\u0074ag""#),
        canonical.replace(r#""é\n""#, r#""\u00e9\u000A""#),
        canonical.replace(r#"{"a":[1.0,"\u0041"]}"#, "{ \"a\"\n:\t[ 1.0 ,\r\"\\u0041\" ] }"),
        canonical.replace(',', " ,\n").replace(':', "\t: ").replace('{', "{ ").replace("}", " }\r").replace('[', "[ ").replace(']', " ]"),
        format!(" {canonical}\n"),
        r#"{"values":[{"entry":{"meta":1,"pid":"p","key":"é\n","topic":"t"},"tag":{"clock":3,"replica":"n"}},{"tag":{"replica":"n","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":{"a":[1.0,"\u0041"]}}}],"clouds":{"b":[2],"a":[3,4,9]},"context":{"n":4},"replica":"n"}"#.to_owned(),
    ];
    let mut distinct = BTreeSet::new();
    for text in &same {
        assert!(distinct.insert(text), "a case that changes nothing: {text}");
        let state = from_json::<JsonMeta>(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(to_json_string(&state).unwrap(), canonical, "{text}");
    }
}

#[test]
fn a_gap_of_one_clock_stays_a_gap() {
    let canonical = r#"{"replica":"n","context":{},"clouds":{"n":[3,5,7,9]},"values":[]}"#;
    for clouds in ["[9,3,5,7]", "[9,7,5,3]", "[9,[3,3],[5,5],7]", "[5,3,9,7]"] {
        let text = canonical.replace("[3,5,7,9]", clouds);
        let delta = delta_from_json::<JsonMeta>(&text).unwrap();
        assert_eq!(delta_to_json_string(&delta).unwrap(), canonical, "{clouds}");
    }
}

#[test]
fn escapes_in_names_are_what_they_spell() {
    let text = concat!(
        r#"{"replica":"\ud83d\ude00","context":{"\uD83D\uDE00":1},"clouds":{},"values":["#,
        r#"{"tag":{"replica":"😀","clock":1},"entry":{"topic":"\u00e9\/\"","#,
        r#""key":"\b\f\n\r\t\\","pid":"\udbff\udfff\u0000","meta":0}}]}"#,
    );
    let state = from_json::<JsonMeta>(text).unwrap();
    let entry = state.entries().next().unwrap();
    assert_eq!(state.replica().as_str(), "😀");
    assert_eq!(entry.topic(), "é/\"");
    assert_eq!(entry.key(), "\u{8}\u{c}\n\r\t\\");
    assert_eq!(entry.pid(), "\u{10ffff}\0");
}

#[test]
fn positions_count_characters_and_lines() {
    let text = "{\"é😀\":\n\t\"é😀\", !}";
    let error = from_json::<JsonMeta>(text).unwrap_err();
    assert_eq!((error.line(), error.column()), (2, 8));
}

/// What makes metadata itself: nothing but the white space between tokens goes.
#[test]
fn metadata_comes_back_as_it_was_spelled() {
    for meta in [
        "9007199254740993",
        "123456789012345678901234567890",
        "-0.0",
        "1e400",
        "1E+2",
        r#"{"b":1,"a":2,"b":3}"#,
        r#""\u0041\/\ud83d\ude00""#,
        r#"[" a : b , { } "]"#,
        "[]",
        "{}",
    ] {
        let text = format!(
            r#"{{"replica":"n","context":{{"n":1}},"clouds":{{}},"values":[{{"tag":{{"replica":"n","clock":1}},"entry":{{"topic":"t","key":"k","pid":"p","meta":{meta}}}}}]}}"#
        );
        let state = from_json::<JsonMeta>(&text).unwrap();
        assert_eq!(to_json_string(&state).unwrap(), text);
    }
}
