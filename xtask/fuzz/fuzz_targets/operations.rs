//! Bytes as operations on a few replicas, run on the crate and on the naive model
//! at once: every observable is equal after each.
#![no_main]

#[allow(dead_code, unused_imports, reason = "shared with the property tests")]
#[path = "../../../crates/lattice-presence/tests/operations/mod.rs"]
mod operations;

libfuzzer_sys::fuzz_target!(|data: &[u8]| operations::run(data));
