//! Nodes of one process, over the engine in memory: what an application sees, under churn,
//! faults and bad input.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests print what they did, and unwrap what must be there"
)]

mod churn;
mod cluster;
mod fetch;
mod hostile;
mod messages;
mod support;
mod trouble;
