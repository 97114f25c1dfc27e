//! Three processes, one view: a short day of a chat service.
//!
//! `cargo run --release --example cluster` plays it and exits with 0 when, at the
//! end, all nodes see the same; `-- --interactive` gives a prompt on one node.
//!
//! This program runs itself three times more, as the nodes. How to embed the
//! machine is in [`node`], with [`link`] to carry messages; a server needs something
//! like these two files. The others are the stage: [`cluster`] starts, kills and watches the processes, [`stage`]
//! is what they say to each other, [`script`] and [`prompt`] tell them what to
//! do, [`view`] prints what they see.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has standard output and the standard library"
)]

mod cluster;
mod link;
mod node;
mod prompt;
mod script;
mod stage;
mod view;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: cluster [--interactive]";

/// How this program calls itself: `cluster --as-node node-a`.
const NODE_ROLE: &str = "--as-node";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => script::play(),
        ["--interactive"] => prompt::run(),
        [NODE_ROLE, name] => node::run(name),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(Box::<dyn Error>::from(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}
