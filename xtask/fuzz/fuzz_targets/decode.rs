//! See `src/decode.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lattice_fuzz::decode::check(data));
