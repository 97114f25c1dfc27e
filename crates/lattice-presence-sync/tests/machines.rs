//! Three machines driven by bytes: the committed corpus of the fuzz target, replayed on the
//! stable toolchain, and mutations of it, seeded.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::print_stdout, reason = "a failure says how to replay it")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/machines.rs"]
mod machines;

fn corpus() -> Vec<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let directory = directory.join("../../xtask/fuzz/corpus/machines");
    let files = fs::read_dir(&directory).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} is nearly empty", directory.display());
    files
}

#[test]
fn machines_corpus() {
    for file in corpus() {
        let data = fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| machines::check(&data));
        assert!(outcome.is_ok(), "machines fails on {}", file.display());
    }
}

/// xorshift64 (Marsaglia, 2003).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

/// Random calls, so many histories as `LATTICE_SEEDS` says.
#[test]
fn random_calls_break_no_promise() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = number("LATTICE_SEEDS").unwrap_or(300);
    let range = number("LATTICE_SEED").map_or(0..seeds, |seed| seed..seed + 1);
    let start = Instant::now();
    for seed in range.clone() {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let length = next(&mut state) % 400;
        let data: Vec<u8> = (0..length).map(|_| next(&mut state) as u8).collect();
        let outcome = std::panic::catch_unwind(|| machines::check(&data));
        assert!(
            outcome.is_ok(),
            "LATTICE_SEED={seed} cargo test -p lattice-presence-sync --test machines random"
        );
    }
    let took = start.elapsed().max(Duration::from_nanos(1));
    let rate = (range.end - range.start) as f64 / took.as_secs_f64();
    println!("{rate:.0} histories a second");
}
