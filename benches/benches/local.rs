//! `cargo bench --package lattice-benches --bench local`.

mod support;

use criterion::{criterion_group, criterion_main};
use lattice_benches::operations::local::OPERATIONS;

criterion_group!(benches, |criterion| support::bench(criterion, OPERATIONS));
criterion_main!(benches);
