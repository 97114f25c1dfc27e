//! `docs/wire-format.md` says what the code does: its examples, its limits, its
//! fingerprints.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::Path;

use lattice_causal::{dot_fingerprint, identity_of};
use lattice_presence_json::{Decoder, Encoder, JsonMeta, digest_from_json, from_json};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire-format.md");
    fs::read_to_string(path).unwrap()
}

/// The cells of the table rows that have `count` of them.
fn rows(page: &str, count: usize) -> Vec<Vec<&str>> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| {
            line.split(" | ")
                .map(|cell| cell.trim_matches('`'))
                .collect()
        })
        .filter(|cells: &Vec<_>| cells.len() == count)
        .collect()
}

#[test]
fn examples_decode() {
    let page = page();
    let mut examples = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let state = from_json::<JsonMeta>(examples.next().unwrap()).unwrap();
    assert!(state.contains("pid-1", "room:lobby", "alice"));
    let digest = digest_from_json(examples.next().unwrap()).unwrap();
    assert_eq!(digest.iter().count(), 1);
    for kind in ["push", "question"] {
        let text = examples.next().unwrap();
        let message = Decoder::new().message_from_json::<JsonMeta>(text).unwrap();
        assert_eq!(message.body.kind(), kind);
        // They are canonical, but for line breaks.
        let lines: String = text.lines().map(str::trim).collect();
        assert_eq!(Encoder::new().encode(&message).unwrap().text, lines);
    }
    assert_eq!(examples.next(), None);
}

/// Every field that the golden messages of `messages.rs` write is in the grammar.
#[test]
fn the_grammar_names_every_field_of_messages() {
    let page = page();
    let section = page.split("## Messages").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let grammar = section.split("```text").nth(1).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages.rs");
    let golden = fs::read_to_string(path).unwrap();
    let mut fields: Vec<&str> = golden
        .lines()
        .filter_map(|line| line.trim().strip_prefix("r#\"{\"v\":1"))
        .flat_map(|text| text.split('"').skip(1))
        .collect();
    fields.retain(|word| golden.contains(&format!("\"{word}\":")) && word.len() > 1);
    fields.sort_unstable();
    fields.dedup();
    assert!(fields.len() >= 20, "{fields:?}");
    for field in fields {
        assert!(grammar.contains(&format!("\"{field}\"")), "{field}");
    }
}

#[test]
fn limits_are_the_defaults() {
    let page = page();
    let defaults = format!("{:?}", Decoder::new());
    let mut checked = 0;
    for cells in rows(&page, 3) {
        if cells[2].starts_with("max_") {
            let limit: u64 = match cells[1].strip_prefix("2^") {
                Some(exponent) => 1 << exponent.parse::<u32>().unwrap(),
                None => cells[1].split(';').next().unwrap().parse().unwrap(),
            };
            let expected = format!("{}: {limit}", cells[2]);
            assert!(defaults.contains(&expected), "{expected} in {defaults}");
            checked += 1;
        }
    }
    assert_eq!(checked, defaults.matches("max_").count());
    let listed = format!("{:?}", Encoder::new());
    assert!(listed.contains("max_listed: 16384") && page.contains("beyond 2^14 clocks"));
}

#[test]
fn fingerprints_are_those_of_the_core() {
    let page = page();
    let (mut sum, mut checked) = (0_u64, 0);
    for cells in rows(&page, 6) {
        let Ok(clock) = cells[0].parse() else {
            continue;
        };
        let pid = if cells[3] == "(empty)" { "" } else { cells[3] };
        let identity = identity_of([cells[1], cells[2], pid]);
        let fingerprint = dot_fingerprint(clock, identity);
        assert_eq!(format!("{identity:016x}"), cells[4]);
        assert_eq!(format!("{fingerprint:016x}"), cells[5]);
        if checked < 2 {
            sum = sum.wrapping_add(fingerprint);
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
    assert!(page.contains(&format!("has the fingerprint `{sum:016x}`")));
}

/// And the digest of a state sums them up.
#[test]
fn a_digest_holds_the_sum() {
    let state = from_json::<JsonMeta>(concat!(
        r#"{"replica":"n","context":{"n":3},"clouds":{},"values":["#,
        r#"{"tag":{"replica":"n","clock":1},"entry":{"topic":"t","key":"k","pid":"p","meta":1}},"#,
        r#"{"tag":{"replica":"n","clock":3},"entry":{"topic":"room:lobby","key":"alice","pid":"pid-1","meta":2}}]}"#,
    ))
    .unwrap();
    let fingerprint = state.digest().get(&"n".into()).unwrap().fingerprint;
    assert!(page().contains(&format!("has the fingerprint `{fingerprint:016x}`")));
}
