//! `cargo xtask test`: every test and doctest.

use crate::shell::{Outcome, cargo, run as run_command};

/// Runs the tests of the whole workspace; `arguments` go to `cargo test`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_command(cargo(["test", "--workspace", "--all-features"]).args(arguments))
}
