//! `cargo xtask demo`: three nodes, one view.

use crate::shell::{Outcome, cargo, run as run_command};

/// Runs the cluster example; `arguments` go to it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_command(cargo(["run", "--release", "--example", "cluster", "--"]).args(arguments))
}
