//! `cargo bench --package lattice-benches --bench codec`.

mod support;

use criterion::{criterion_group, criterion_main};
use lattice_benches::operations::codec::OPERATIONS;

criterion_group!(benches, |criterion| support::bench(criterion, OPERATIONS));
criterion_main!(benches);
