//! `cargo bench --package lattice-benches --bench liveness`.

mod support;

fn main() {
    support::run(lattice_benches::operations::liveness::OPERATIONS);
}
