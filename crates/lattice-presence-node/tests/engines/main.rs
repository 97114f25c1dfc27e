//! Every engine runs the conformance suite, cuts included, and what each does when its
//! server is slow, away or back.
#![cfg(feature = "conformance")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests print what they did, and unwrap what must be there"
)]

#[path = "../support/mod.rs"]
mod support;

mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "zenoh")]
mod zenoh;
#[cfg(feature = "zenoh")]
mod zenoh_tls;

use lattice_presence_node::engine::conformance::Report;

/// Prints what was checked, and asks that nothing was left out.
fn whole(report: &Report) {
    println!("{report}");
    assert!(report.skipped().is_empty(), "{report}");
    assert!(report.passed().len() >= 9, "{report}");
}
