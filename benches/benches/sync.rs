//! `cargo bench --package lattice-benches --bench sync`.

mod support;

fn main() {
    support::run(lattice_benches::operations::sync::OPERATIONS);
}
