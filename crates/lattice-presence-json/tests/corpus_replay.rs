//! The committed fuzz corpora, replayed on the stable toolchain: what the fuzzer
//! found stays found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::path::PathBuf;

#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/admitted.rs"]
mod admitted;
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/decode.rs"]
mod decode;
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/merge_both_ways.rs"]
mod merge_both_ways;
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/message.rs"]
mod message;
#[allow(dead_code, unreachable_pub, reason = "other tests share it")]
#[path = "../../../xtask/fuzz/src/replay.rs"]
mod replay;
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/roundtrip.rs"]
mod roundtrip;

use replay::{Random, corpus, replay};

/// Feeds a target with files that were cut, joined and changed at random, seeded: what a
/// fuzzer does, on stable and without looking. `LATTICE_ROUNDS` sets how often.
fn mutate(target: &str, check: fn(&[u8])) {
    let rounds = std::env::var("LATTICE_ROUNDS").ok();
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let corpus = corpus(target);
    let mut random = Random::new(0x5EED);
    for round in 0..rounds {
        let data = mutant(&corpus, &mut random);
        let outcome = std::panic::catch_unwind(|| check(&data));
        let shown = || data.escape_ascii().to_string();
        assert!(
            outcome.is_ok(),
            "{target} fails in round {round}: {}",
            shown()
        );
    }
}

/// A file whose end may be another one's, from a token on that both have, and up to three
/// bytes of it changed.
fn mutant(corpus: &[(PathBuf, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    const TOKENS: &[u8] = b"{}[],:\"012379-\\ae";
    let mut data = corpus[random.below(corpus.len())].1.clone();
    let tail = &corpus[random.below(corpus.len())].1;
    let token = TOKENS[random.below(TOKENS.len())];
    let places = |bytes: &[u8]| -> Vec<usize> {
        let found = bytes.iter().enumerate().filter(|(_, b)| **b == token);
        found.map(|(place, _)| place).collect()
    };
    let (cuts, joints) = (places(&data), places(tail));
    if random.below(2) == 0 && !cuts.is_empty() && !joints.is_empty() {
        data.truncate(cuts[random.below(cuts.len())]);
        data.extend_from_slice(&tail[joints[random.below(joints.len())]..]);
    }
    for _ in 0..random.below(4) {
        if !data.is_empty() {
            let place = random.below(data.len());
            data[place] = TOKENS[random.below(TOKENS.len())];
        }
    }
    data
}

#[test]
fn mutants_of_the_corpora() {
    mutate("decode", decode::check);
    mutate("roundtrip", roundtrip::check);
    mutate("message", message::check);
}

#[test]
fn decode_corpus() {
    replay("decode", decode::check);
}

#[test]
fn roundtrip_corpus() {
    replay("roundtrip", roundtrip::check);
}

#[test]
fn message_corpus() {
    replay("message", message::check);
}

#[test]
fn merge_both_ways_corpus() {
    replay("merge_both_ways", merge_both_ways::check);
}
