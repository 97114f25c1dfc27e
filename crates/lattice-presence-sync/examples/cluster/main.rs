//! Three nodes of a chat service, as processes. At the end all have one list.
//!
//! `cargo run --release --example cluster` runs it. If all nodes see the same at the end,
//! it exits with 0. With `-- --interactive` you get a prompt on one node.
//!
//! This program starts itself three times more, as the nodes. [`node`] shows how to embed
//! the machine, and [`link`] carries the messages. A server needs something like these two
//! files. The other files run the test. [`cluster`] starts, kills and watches the
//! processes. [`stage`] has the messages between it and the nodes. [`script`] and
//! [`prompt`] tell the nodes what to do. [`view`] prints what they see.
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

/// The argument with which this program starts itself: `cluster --as-node node-a`.
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
