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

/// Feeds each file of a corpus to its target; a failure names the file.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../xtask/fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} is nearly empty", corpus.display());
    for file in files {
        let data = fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| check(&data));
        assert!(outcome.is_ok(), "{target} fails on {}", file.display());
    }
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
