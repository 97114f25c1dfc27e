//! `cargo bench --package lattice-benches --bench local`.

mod support;

fn main() {
    support::run(lattice_benches::operations::local::OPERATIONS);
}
