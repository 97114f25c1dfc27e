//! See `src/merge_both_ways.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lattice_fuzz::merge_both_ways::check(data));
