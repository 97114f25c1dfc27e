//! One socket driven by bytes: the committed corpus of the fuzz target, replayed on the
//! stable toolchain, and random bytes, seeded.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::PathBuf;

#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/session.rs"]
mod session;

#[test]
fn session_corpus() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let directory = directory.join("../../xtask/fuzz/corpus/session");
    let files = fs::read_dir(&directory).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 20, "{} is nearly empty", directory.display());
    for file in files {
        let data = fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| session::check(&data));
        assert!(outcome.is_ok(), "session fails on {}", file.display());
    }
}

/// xorshift64 (Marsaglia, 2003).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

/// Random bytes, so many of them as `LATTICE_SEEDS` says.
#[test]
fn random_bytes_break_no_promise() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = number("LATTICE_SEEDS").unwrap_or(3000);
    let range = number("LATTICE_SEED").map_or(0..seeds, |seed| seed..seed + 1);
    for seed in range {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let length = next(&mut state) % 600;
        let data: Vec<u8> = (0..length).map(|_| next(&mut state) as u8).collect();
        let outcome = std::panic::catch_unwind(|| session::check(&data));
        assert!(
            outcome.is_ok(),
            "LATTICE_SEED={seed} cargo test -p lattice-presence-web --test fuzz_session random"
        );
    }
}
