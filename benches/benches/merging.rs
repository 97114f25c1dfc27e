//! `cargo bench --package lattice-benches --bench merging`.

mod support;

fn main() {
    support::run(lattice_benches::operations::merging::OPERATIONS);
}
