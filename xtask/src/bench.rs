//! `cargo xtask bench`: the performance table.

use crate::shell::{Outcome, cargo, run as run_command};

/// Runs the benches package, which owns every option; or, for what a node costs, an example
/// of the node, which alone needs zenoh and a Redis server.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let command: &[&str] = if is_of_nodes(arguments) {
        &[
            "run",
            "--release",
            "--package",
            "lattice-presence-node",
            "--all-features",
            "--example",
            "cost",
            "--",
        ]
    } else {
        &["run", "--release", "--package", "lattice-benches", "--"]
    };
    run_command(cargo(command).args(arguments))
}

/// Whether rows of nodes are asked for.
fn is_of_nodes(arguments: &[String]) -> bool {
    let filters = arguments.windows(2).filter(|pair| pair[0] == "--filter");
    filters.into_iter().any(|pair| pair[1].starts_with("node"))
}

#[cfg(test)]
mod tests {
    use super::is_of_nodes;

    #[test]
    fn rows_of_nodes_are_told_by_the_filter() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            is_of_nodes(&words)
        };
        assert!(of("--filter node"));
        assert!(of("--quick --filter node:"));
        assert!(!of("--filter sync"));
        assert!(!of("--quick --out node"));
    }
}
