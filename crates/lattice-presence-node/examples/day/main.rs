//! Four nodes of a chat service over zenoh. One is killed, the network is cut, and all are
//! replaced. At the end all have one list.
//!
//! `cargo run --release -p lattice-presence-node --features zenoh --example day` runs it.
//! If all nodes see the same at the end, it exits with 0.
//!
//! This program starts itself four times more, as the nodes. Only [`node`] is what you
//! would write in a server: start, track, read, follow, drain. The other files run the
//! test. [`process`] starts, asks and kills the nodes. [`cable`] connects them, and can be
//! cut. [`script`] tells them what to do.
//!
//! `day node --help` says how to run one node by hand, over any engine.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has standard output and the standard library"
)]

mod cable;
mod node;
mod process;
mod script;

use std::error::Error;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        None => script::play().await,
        Some("node") => node::run(&arguments[1..]).await,
        Some(_) => Err(Box::<dyn Error>::from("usage: day, or day node --help")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("day: {error}");
            ExitCode::FAILURE
        }
    }
}
