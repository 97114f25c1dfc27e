//! The machine in a simulated cluster: virtual time, every fault, one view at the end.
//!
//! A failure names the seed; `cargo xtask simulate` runs the same with other numbers, for
//! people.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a simulation is a program with the standard library"
)]
#![allow(dead_code, reason = "the table is printed by the task")]
#![allow(clippy::print_stdout, reason = "a failure says how to replay it")]

mod chaos;
mod checks;
mod host;
mod hostile;
mod network;
mod report;
mod rng;
mod scenarios;
mod sizes;
mod users;
mod world;

use std::ops::Range;

use chaos::{Chaos, FAULTS, Plan};
use lattice_presence_sync::Trust;

/// The seeds to run: one, or so many, or the default number.
fn seeds(default: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    match number("LATTICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LATTICE_SEEDS").unwrap_or(default),
    }
}

fn replay(test: &str, seed: u64) {
    println!("LATTICE_SEED={seed} cargo test -p lattice-presence-sync --test simulation {test}");
}

#[test]
fn a_cluster_under_every_fault_comes_to_one_view() {
    let mut met = std::collections::BTreeMap::new();
    for seed in seeds(6) {
        replay("every_fault", seed);
        let tally = Chaos::new(Plan::new(5, seed)).run();
        assert!(tally.steps > 10_000, "{tally:?}");
        for (kind, count) in tally.faults {
            *met.entry(kind).or_insert(0) += count;
        }
    }
    if seeds(6).count() >= 6 {
        for kind in FAULTS.iter().chain(&["hostile message"]) {
            assert!(met.contains_key(kind), "no {kind} in {met:?}");
        }
    }
}

#[test]
fn r5_churn_without_loss_causes_no_repair() {
    for seed in seeds(4) {
        replay("r5_", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::quiet(6, 2, 30.0, trust, seed);
    }
}

#[test]
fn r4_what_is_lost_is_repaired_and_costs_not_much_more() {
    for seed in seeds(4) {
        replay("r4_", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::lossy(8, 2, 0.1, trust, seed);
    }
}

#[test]
fn r4_lost_pieces_of_pushes_are_missed() {
    for seed in seeds(4) {
        replay("r4_lost_pieces", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::small_payloads(4, 0.05, trust, seed);
    }
}

#[test]
fn r4_nodes_that_start_together_get_what_they_lack_and_no_more() {
    for seed in seeds(2) {
        replay("r4_", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::start_together(20, 50, trust, seed);
        scenarios::returning(8, trust, seed);
    }
}

#[test]
fn r7_halves_that_were_apart_come_together() {
    for seed in seeds(2) {
        replay("r7_", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::halves(8, 3, trust, seed);
    }
}

#[test]
fn r8_a_rolling_deployment_shows_no_departure_and_leaves_no_ghost() {
    for seed in seeds(4) {
        replay("r8_", seed);
        let trust = if seed % 2 == 0 {
            Trust::Owners
        } else {
            Trust::Relays
        };
        scenarios::rolling(4, 0.05, trust, seed);
    }
}

#[test]
fn r13_a_fresh_node_pulls_everything_in_pieces() {
    scenarios::pull(30_000, 1);
}
