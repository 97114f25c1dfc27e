//! Seeded simulations of a cluster: loss, duplication, reordering, partitions, crashes
//! with restart under a new incarnation, prunes and returns. Each run ends quiescent and
//! must have converged, without ghosts and without losses.
//!
//! `LATTICE_SEED=n` runs one seed at every size, `LATTICE_SEEDS=n` that many of them.

#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have std"
)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(missing_docs, unreachable_pub, reason = "test modules")]

mod cluster;
mod host;
mod network;
mod rng;

use cluster::{Cluster, Plan};
use std::env;
use std::ops::Range;

fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().expect("a seed is a number"))
}

fn seeds(count: u64) -> Range<u64> {
    match number("LATTICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LATTICE_SEEDS").unwrap_or(count),
    }
}

/// Says how to replay if dropped by a panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "replay: LATTICE_SEED={seed} cargo test -p lattice-presence --test simulation -- --nocapture"
            );
        }
    }
}

fn simulate(plan: Plan, count: u64) {
    for seed in seeds(count) {
        let _replay = Replay(seed);
        let mut cluster = Cluster::new(seed, plan);
        cluster.run(plan.steps);
        cluster.settle();
    }
}

#[test]
fn three_replicas_converge() {
    simulate(
        Plan {
            hosts: 3,
            steps: 120,
        },
        5_000,
    );
}

#[test]
fn eight_replicas_converge() {
    simulate(
        Plan {
            hosts: 8,
            steps: 300,
        },
        600,
    );
}

#[test]
fn thirty_two_replicas_converge() {
    simulate(
        Plan {
            hosts: 32,
            steps: 1_000,
        },
        24,
    );
}
