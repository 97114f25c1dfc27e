//! Random operation sequences on two to five replicas, compared with the naive model
//! after every operation.
//!
//! `LATTICE_SEED=n` runs one seed, `LATTICE_SEEDS=n` runs that many.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(missing_docs, unreachable_pub, reason = "test modules, shared with the fuzzer by path")]

mod operations;

use operations::{Case, Choices, Op};
use quickcheck::{Arbitrary, Gen};
use std::env;
use std::panic::{self, AssertUnwindSafe};

impl Choices for Gen {
    fn below(&mut self, bound: usize) -> usize {
        let range: Vec<usize> = (0..bound).collect();
        *self.choose(&range).expect("the bound is not zero")
    }
}

impl Arbitrary for Op {
    fn arbitrary(generator: &mut Gen) -> Self {
        Self::draw(generator)
    }
}

fn draw(seed: u64) -> Case {
    let mut generator = Gen::from_size_and_seed(60, seed);
    let identities = operations::draw_identities(&mut generator);
    let length = 10 + generator.below(70);
    let ops = (0..length).map(|_| Op::draw(&mut generator)).collect();
    Case { identities, ops }
}

fn fails(case: &Case) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| operations::run_case(case))).is_err()
}

/// Drops operations as long as what is left still fails.
fn shrink(mut case: Case) -> Case {
    'smaller: loop {
        for ops in case.ops.shrink() {
            let smaller = Case { identities: case.identities.clone(), ops };
            if fails(&smaller) {
                case = smaller;
                continue 'smaller;
            }
        }
        return case;
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a seed is a number"))
}

#[test]
fn every_observable_equals_the_model() {
    let seeds = match number("LATTICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LATTICE_SEEDS").unwrap_or(2_000),
    };
    for seed in seeds {
        let case = draw(seed);
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let failing = fails(&case).then(|| shrink(case));
        panic::set_hook(hook);
        if let Some(case) = failing {
            eprintln!("replay: LATTICE_SEED={seed} cargo test -p lattice-presence --test against_model");
            eprintln!("{case:#?}");
            operations::run_case(&case);
        }
    }
}
