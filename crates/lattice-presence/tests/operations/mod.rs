//! Sequences of operations on a few replicas, run on the crate and on the naive
//! model at once. The property test draws them from a seed, the fuzzer from bytes.

mod compare;
#[path = "../model/mod.rs"]
mod model;
mod op;
mod owner;
mod world;

pub use op::{Case, Choices, Identity, Op, Slot, draw_identities};

pub use world::Tally;

/// Runs a case; panics at the first observable that differs from the model.
pub fn run_case(case: &Case) -> Tally {
    let mut world = world::World::new(&case.identities);
    for (step, op) in case.ops.iter().enumerate() {
        world.apply(step, op);
        world.check();
    }
    world.tally
}

/// Runs a case of many operations, and compares now and then.
pub fn run_long_case(case: &Case, every: usize) {
    let mut world = world::World::new(&case.identities);
    for (step, op) in case.ops.iter().enumerate() {
        world.apply(step, op);
        if step % every == every - 1 {
            world.check();
        }
    }
    world.check();
}

/// Reads `data` as a case and runs it: the fuzzer's entry.
pub fn run(data: &[u8]) {
    let mut bytes = op::Bytes::new(data);
    let identities = draw_identities(&mut bytes);
    let mut ops = Vec::new();
    while !bytes.is_empty() && ops.len() < 200 {
        ops.push(Op::draw(&mut bytes));
    }
    drop(run_case(&Case { identities, ops }));
}
