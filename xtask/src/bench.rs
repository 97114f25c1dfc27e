//! `cargo xtask bench`: the performance table.

use crate::shell::{Outcome, cargo, run as run_command};

/// Runs the benches package, which owns every option.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_command(cargo(["run", "--release", "--package", "lattice-benches", "--"]).args(arguments))
}
