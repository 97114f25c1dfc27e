//! The committed corpora as ordinary tests, and random input, seeded: shared by the tests of the
//! crates, which run on the stable toolchain.

use std::fs;
use std::path::PathBuf;

/// The files of a corpus, in a fixed order.
pub fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let corpus = corpus.join("../../xtask/fuzz/corpus").join(target);
    let files = fs::read_dir(&corpus).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{} is nearly empty", corpus.display());
    let read = |file: PathBuf| {
        let data = fs::read(&file).unwrap();
        (file, data)
    };
    files.into_iter().map(read).collect()
}

/// Feeds each file of a corpus to its target; a failure names the file.
pub fn replay(target: &str, check: fn(&[u8])) {
    for (file, data) in corpus(target) {
        let outcome = std::panic::catch_unwind(|| check(&data));
        assert!(outcome.is_ok(), "{target} fails on {}", file.display());
    }
}

/// Feeds a target with random bytes, fewer than `longest`, so many times as `LATTICE_SEEDS` says,
/// `seeds` without it; `LATTICE_SEED` takes one alone. How many times it did. A failure names the
/// seed, and `test`, which replays it.
pub fn random_bytes(seeds: u64, longest: usize, test: &str, check: fn(&[u8])) -> u64 {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = number("LATTICE_SEEDS").unwrap_or(seeds);
    let range = number("LATTICE_SEED").map_or(0..seeds, |seed| seed..seed + 1);
    for seed in range.clone() {
        let mut random = Random::new(seed);
        let length = random.draw() as usize % longest;
        let data: Vec<u8> = (0..length).map(|_| random.draw() as u8).collect();
        let outcome = std::panic::catch_unwind(|| check(&data));
        assert!(outcome.is_ok(), "LATTICE_SEED={seed} cargo test {test}");
    }
    range.end - range.start
}

/// xorshift64 (Marsaglia, 2003): enough to pick bytes and places.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 48 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() >> 17).unwrap() % bound.max(1)
    }

    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
