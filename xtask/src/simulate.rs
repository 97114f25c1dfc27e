//! `cargo xtask simulate`: clusters in virtual time, under faults.

use crate::shell::{self, Outcome, cargo};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        "lattice-presence-sync",
        "--example",
        "simulate",
        "--",
    ]);
    shell::run(command.args(arguments))
}
