//! Three machines driven by bytes: the committed corpus of the fuzz target, replayed on the
//! stable toolchain, and mutations of it, seeded.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::print_stdout, reason = "a failure says how to replay it")]

use std::time::{Duration, Instant};

#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/machines.rs"]
mod machines;
#[allow(dead_code, unreachable_pub, reason = "other tests share it")]
#[path = "../../../xtask/fuzz/src/replay.rs"]
mod replay;

#[test]
fn machines_corpus() {
    replay::replay("machines", machines::check);
}

/// Random calls, so many histories as `LATTICE_SEEDS` says.
#[test]
fn random_calls_break_no_promise() {
    let start = Instant::now();
    let test = "-p lattice-presence-sync --test machines random";
    let histories = replay::random_bytes(300, 400, test, machines::check);
    let took = start.elapsed().max(Duration::from_nanos(1));
    let rate = histories as f64 / took.as_secs_f64();
    println!("{rate:.0} histories a second");
}
