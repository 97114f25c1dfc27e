//! Random operation sequences on two to five replicas, compared with the naive model
//! after every operation.
//!
//! `LATTICE_SEED=n` runs one seed, `LATTICE_SEEDS=n` runs that many.

#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have std"
)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "test modules, shared with the fuzzer by path"
)]

mod operations;

use operations::{Case, Choices, Identity, Op, Slot, Tally};
use quickcheck::{Arbitrary, Gen};
use std::cell::Cell;
use std::env;
use std::fs;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

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

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Shrinking fails on purpose, many times: this thread says nothing meanwhile.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

fn fails(case: &Case) -> bool {
    let run = AssertUnwindSafe(|| operations::run_case(case));
    quietly(|| panic::catch_unwind(run).is_err())
}

/// Drops operations as long as what is left still fails.
fn shrink(mut case: Case) -> Case {
    'smaller: loop {
        for ops in case.ops.shrink() {
            let smaller = Case {
                identities: case.identities.clone(),
                ops,
            };
            if fails(&smaller) {
                case = smaller;
                continue 'smaller;
            }
        }
        return case;
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().expect("a seed is a number"))
}

/// Runs a case. One that fails is shrunk first, and shown with the way to repeat it.
fn run_or_explain(case: Case, seed: u64, test: &str) -> Tally {
    let run = AssertUnwindSafe(|| operations::run_case(&case));
    if let Ok(tally) = quietly(|| panic::catch_unwind(run)) {
        return tally;
    }
    let case = shrink(case);
    eprintln!(
        "replay: LATTICE_SEED={seed} cargo test -p lattice-presence --test against_model {test}"
    );
    eprintln!("{case:#?}");
    operations::run_case(&case)
}

fn seeds(usually: u64) -> Range<u64> {
    match number("LATTICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LATTICE_SEEDS").unwrap_or(usually),
    }
}

#[test]
fn every_observable_equals_the_model() {
    for seed in seeds(3_000) {
        let _tally = run_or_explain(draw(seed), seed, "every");
    }
}

/// Hundreds of users per replica: long runs of dots, large groups, many gaps.
fn draw_long(seed: u64) -> Case {
    let mut generator = Gen::from_size_and_seed(60, seed);
    let mut draw = |bound| generator.below(bound);
    let ops = (0..1_000).map(|_| {
        let kind = draw(100);
        let (node, other) = (draw(3), draw(3));
        let slot = Slot {
            pid: draw(90),
            topic: draw(6),
            key: draw(20),
        };
        match kind {
            0..60 => Op::Join { node, slot },
            60..64 => Op::LeaveByPid {
                node,
                pid: slot.pid,
            },
            64..76 => Op::SendDelta { node },
            76..92 => Op::Deliver {
                to: node,
                packet: draw(256),
            },
            92..95 => Op::Sync {
                to: node,
                from: other,
            },
            95..97 => Op::Merge {
                to: node,
                from: other,
            },
            97 => Op::Expel {
                node,
                replica: 2 * other,
            },
            _ => Op::Up {
                node,
                replica: 2 * other,
            },
        }
    });
    Case {
        identities: [0, 1, 2].map(|base| Identity::Ordered { base }).to_vec(),
        ops: ops.collect(),
    }
}

#[test]
fn a_long_history_equals_the_model() {
    for seed in 0..1 {
        operations::run_long_case(&draw_long(seed), 500);
    }
}

/// Few bases, many lives of each, prunes and returns: where who may say what of whom is
/// decided.
fn draw_lives(seed: u64) -> Case {
    let mut generator = Gen::from_size_and_seed(60, seed);
    let mut draw = |bound| generator.below(bound);
    let identities = (0..2 + draw(3)).map(|_| Identity::Ordered { base: draw(2) });
    let identities = identities.collect();
    let ops = (0..20 + draw(40)).map(|_| {
        let kind = draw(100);
        let (node, other) = (draw(5), draw(5));
        let slot = Slot {
            pid: draw(3),
            topic: 0,
            key: draw(2),
        };
        let identity = Identity::Ordered { base: draw(2) };
        match kind {
            0..22 => Op::Join { node, slot },
            22..32 => Op::Leave { node, slot },
            32..36 => Op::SendDelta { node },
            36..38 => Op::SendSnapshot { node },
            38..41 => Op::SendPruned {
                node,
                nth: draw(16),
            },
            41..52 => Op::Deliver {
                to: node,
                packet: draw(16),
            },
            52..70 => Op::Sync {
                to: node,
                from: other,
            },
            70..78 => Op::Merge {
                to: node,
                from: other,
            },
            78..86 => Op::Expel {
                node,
                replica: 2 * draw(5),
            },
            86..91 => Op::Up {
                node,
                replica: draw(16),
            },
            91..94 => Op::Supersede {
                node,
                replica: draw(16),
            },
            94..97 => Op::Restart { node, identity },
            _ => Op::Reincarnate { node, identity },
        }
    });
    let ops = ops.collect();
    Case { identities, ops }
}

/// `cargo test … --release` with `LATTICE_SEEDS=100000` shows it on millions of words.
#[test]
fn the_owner_has_the_last_word() {
    let mut total = Tally::new();
    let count = seeds(1_200).count();
    for seed in seeds(1_200) {
        for (outcome, met) in run_or_explain(draw_lives(seed), seed, "owner") {
            *total.entry(outcome).or_default() += met;
        }
    }
    for outcome in [
        "NewerKnown",
        "a newer life heard",
        "a ghost went",
        "a ghost went though a newer life is pruned",
        "an exception held",
        "an owner spoke",
        "both spoke",
        "superseded",
    ] {
        assert!(
            count == 1 || total.get(outcome).is_some_and(|met| *met >= count / 200),
            "{outcome} in {total:?}"
        );
    }
}

/// Sequences that never meet a refusal, a filter or a successor would show little.
#[test]
fn the_sequences_reach_every_outcome() {
    let mut total = Tally::new();
    for seed in 0..200 {
        for (outcome, count) in operations::run_case(&draw(seed)) {
            *total.entry(outcome).or_default() += count;
        }
    }
    for outcome in [
        "Absent",
        "ConflictingDot",
        "LocalReplica",
        "NotDown",
        "NotOwned",
        "SameReplica",
        "NotFresh",
        "filtered",
        "re-issued",
        "superseded",
        "reincarnated",
    ] {
        assert!(
            total.get(outcome).is_some_and(|count| *count >= 10),
            "{outcome} in {total:?}"
        );
    }
}

/// The fuzzer's entry accepts any bytes.
#[test]
fn any_bytes_are_a_case() {
    let mut bytes = Vec::new();
    let mut state = 1u32;
    for length in 0..150 {
        operations::run(&bytes);
        bytes.resize(length, 0);
        state = state.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
        bytes[length / 2..].fill((state >> 24) as u8);
    }
}

/// What the fuzzer found stays found.
#[test]
fn the_fuzz_corpus_equals_the_model() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../xtask/fuzz/corpus/operations"
    );
    let mut files: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{corpus} is nearly empty");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let outcome = panic::catch_unwind(|| operations::run(&bytes));
        assert!(outcome.is_ok(), "the model differs on {}", file.display());
    }
}
