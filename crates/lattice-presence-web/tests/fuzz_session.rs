//! One socket driven by bytes: the committed corpus of the fuzz target, replayed on the
//! stable toolchain, and random bytes, seeded.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code, unreachable_pub, reason = "other tests share it")]
#[path = "../../../xtask/fuzz/src/replay.rs"]
mod replay;
#[allow(unreachable_pub, reason = "public in the fuzz package")]
#[path = "../../../xtask/fuzz/src/session.rs"]
mod session;

#[test]
fn session_corpus() {
    replay::replay("session", session::check);
}

/// Random bytes, so many of them as `LATTICE_SEEDS` says.
#[test]
fn random_bytes_break_no_promise() {
    let test = "-p lattice-presence-web --test fuzz_session random";
    replay::random_bytes(3000, 600, test, session::check);
}
