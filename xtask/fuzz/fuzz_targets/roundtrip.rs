//! See `src/roundtrip.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lattice_fuzz::roundtrip::check(data));
