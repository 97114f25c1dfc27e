//! `cargo bench --package lattice-benches --bench reads`.

mod support;

fn main() {
    support::run(lattice_benches::operations::reads::OPERATIONS);
}
