//! The committed fuzz corpora, replayed on the stable toolchain: what the fuzzer
//! found stays found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
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
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/roundtrip.rs"]
mod roundtrip;

/// The files of a corpus, in a fixed order.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../xtask/fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} is nearly empty", corpus.display());
    let read = |file: PathBuf| {
        let data = fs::read(&file).unwrap();
        (file, data)
    };
    files.into_iter().map(read).collect()
}

/// Feeds each file of a corpus to its target; a failure names the file.
fn replay(target: &str, check: fn(&[u8])) {
    for (file, data) in corpus(target) {
        let outcome = std::panic::catch_unwind(|| check(&data));
        assert!(outcome.is_ok(), "{target} fails on {}", file.display());
    }
}

/// Feeds a target with files that were cut, joined and changed at random, seeded: what a
/// fuzzer does, on stable and without looking. `LATTICE_ROUNDS` sets how often.
fn mutate(target: &str, check: fn(&[u8])) {
    let rounds = std::env::var("LATTICE_ROUNDS").ok();
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let corpus = corpus(target);
    let mut random = Random(0x5EED);
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

/// Xorshift: enough to pick places.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
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
