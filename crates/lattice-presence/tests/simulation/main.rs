//! Seeded simulations of a cluster: loss, duplication, reordering, partitions, crashes
//! with restart under a new incarnation, prunes and returns. Each run ends quiescent and
//! must have converged, without ghosts and without losses.
//!
//! `LATTICE_SEED=n` runs one seed at every size, `LATTICE_SEEDS=n` that many of the
//! smallest cluster and fewer of the larger ones.

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

use cluster::{Cluster, Plan, Tally};
use std::env;
use std::ops::Range;

fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().expect("a seed is a number"))
}

const THREE: Plan = Plan {
    hosts: 3,
    steps: 120,
};
const EIGHT: Plan = Plan {
    hosts: 8,
    steps: 300,
};
const THIRTY_TWO: Plan = Plan {
    hosts: 32,
    steps: 1_000,
};

/// The default: 5,000 seeds of the smallest cluster, fewer of the larger ones.
const SEEDS: u64 = 20_000;

/// One in `share` of the seeds to run, or the one that is asked for.
fn seeds(share: u64) -> Range<u64> {
    match number("LATTICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LATTICE_SEEDS").unwrap_or(SEEDS).div_ceil(share),
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

fn simulate(plan: Plan, seed: u64) -> Tally {
    let _replay = Replay(seed);
    let mut cluster = Cluster::new(seed, plan);
    cluster.run(plan.steps);
    cluster.converge();
    cluster.tally
}

#[test]
fn three_replicas_converge() {
    for seed in seeds(1) {
        simulate(THREE, seed);
    }
}

#[test]
fn eight_replicas_converge() {
    for seed in seeds(8) {
        simulate(EIGHT, seed);
    }
}

#[test]
fn thirty_two_replicas_converge() {
    for seed in seeds(200) {
        simulate(THIRTY_TWO, seed);
    }
}

/// A run without faults would show nothing.
#[test]
fn every_kind_of_trouble_occurs() {
    let mut total = Tally::new();
    for seed in 0..100 {
        for (trouble, count) in simulate(EIGHT, seed) {
            *total.entry(trouble).or_default() += count;
        }
    }
    for trouble in [
        "lost",
        "repeated",
        "overtaken",
        "cut off",
        "crashed",
        "restarted",
        "replaced while running",
        "learnt of its successor",
        "marked down",
        "pruned",
        "trusted again",
        "re-issued",
        "hidden at the end",
    ] {
        let count = total.get(trouble).copied().unwrap_or(0);
        assert!(count >= 50, "{trouble}: {count} times in {total:?}");
    }
}
