//! `cargo xtask docs`: the API documentation.

use crate::shell::{Outcome, PUBLISHED, cargo, run as run_command};

/// Builds the documentation of the published crates; a warning is a failure.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo(["doc", "--no-deps", "--all-features"]);
    for published in PUBLISHED {
        command.args(["--package", published]);
    }
    command.arg("--lib").args(arguments);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}
