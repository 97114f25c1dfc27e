//! What the tests of memory share: the counted allocator, and the shortest names.

use std::alloc::System;

use lattice_presence_json::{Category, DecodeError};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the smallest tables take is no multiple of anything.
const SLACK: usize = 4 << 10;

/// How many times its size a payload cost, beside the slack, and what came of it.
pub(crate) fn measured<T>(
    payload: &str,
    decode: impl FnOnce(&str) -> Result<T, DecodeError>,
) -> (f64, Option<Category>) {
    ALLOCATOR.reset_peak_memory();
    let result = decode(payload);
    #[allow(clippy::cast_precision_loss, reason = "a ratio of megabytes")]
    let multiple = ALLOCATOR.get_peak_memory().saturating_sub(SLACK) as f64 / payload.len() as f64;
    (multiple, result.err().map(|error| error.category()))
}

/// One more than a power of two: every list has just doubled. One more than seven eighths
/// of it: every hash table has.
pub(crate) fn sizes(bits: u32) -> [usize; 3] {
    let power = 1 << bits;
    [power - power / 8 + 1, power, power + 1]
}

/// A number in the shortest names that there are: of the 93 letters of one byte that need
/// no escape. The first is `a`.
pub(crate) fn name(mut i: usize) -> String {
    const LETTERS: &[u8; 93] =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&'()*+,-./:;<=>?@[]^_`{|}~";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[i % LETTERS.len()]));
        if i < LETTERS.len() {
            return name;
        }
        i = i / LETTERS.len() - 1;
    }
}

/// `n` pieces with commas between them.
pub(crate) fn list(n: usize, piece: impl FnMut(usize) -> String) -> String {
    (0..n).map(piece).collect::<Vec<_>>().join(",")
}

/// Whether `docs/wire-format.md` says that a payload costs at most so many times its length.
pub(crate) fn is_stated(bound: f64) -> bool {
    let page = include_str!("../../../../docs/wire-format.md").split_whitespace();
    let page = page.collect::<Vec<_>>().join(" ");
    page.contains(&format!("at most `{bound} × length + 4 KiB`"))
}
