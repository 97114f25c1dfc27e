//! The machine in a simulated cluster: virtual time, every fault, one view at the end.
//!
//! A failure names the plan; `cargo xtask simulate` replays it.
#![allow(
    clippy::expect_used,
    reason = "a simulation that cannot go on is a bug of the simulation"
)]

mod chaos;
mod checks;
mod host;
mod hostile;
mod network;
mod rng;
mod sizes;
mod users;
mod world;

use chaos::{Chaos, Plan};

#[test]
fn a_cluster_under_every_fault_comes_to_one_view() {
    let seeds = std::env::var("LATTICE_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let seeds = seeds.unwrap_or(4);
    let one = std::env::var("LATTICE_SEED")
        .ok()
        .and_then(|n| n.parse().ok());
    let range = one.map_or(0..seeds, |seed: u64| seed..seed + 1);
    for seed in range {
        let plan = Plan::new(5, seed);
        println!(
            "LATTICE_SEED={seed} cargo test -p lattice-presence-sync --test simulation: {plan:?}"
        );
        let tally = Chaos::new(plan).run();
        println!(
            "{} steps, {:?} {:?}",
            tally.steps, tally.faults, tally.refused
        );
        assert!(tally.steps > 10_000, "{tally:?}");
    }
}
