//! What lattice-presence costs, beside what a plain hash map and plain
//! `serde_json` cost for the same work in the same process.
//!
//! The program of this package measures every operation interleaved with its
//! floor and prints the table; the criterion benches run the same cases. Both
//! take them from [`operations`]. `docs/benchmarks.md` says how to read it all.

pub mod case;
pub mod chart;
pub mod compare;
pub mod floors;
pub mod heap;
pub mod instructions;
pub mod measure;
pub mod operations;
pub mod peer;
pub mod row;
pub mod table;
pub mod workload;
