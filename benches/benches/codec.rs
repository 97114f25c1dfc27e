//! `cargo bench --package lattice-benches --bench codec`.

mod support;

fn main() {
    support::run(lattice_benches::operations::codec::OPERATIONS);
}
