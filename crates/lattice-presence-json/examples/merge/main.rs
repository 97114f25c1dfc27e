//! Payload files into one view: `cargo run --example merge -- FILE...`
//!
//! Each FILE holds a state or a delta as JSON, as nodes send them to each other,
//! those of the Gleam package included; `-` is standard input. They are merged in
//! the order given; every step prints its diff, the end prints the view.
//!
//! The first file that is malformed, or contradicts what was merged before, ends
//! the run with exit code 1. What was merged before it stands: the view printed
//! is the one without that file.
//!
//! Try `samples/*.json` beside this file, in order, and the folders there.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has standard output and the standard library"
)]

use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::process::ExitCode;

use lattice_presence::{Diff, Presence, PresenceState};
use lattice_presence_json::{JsonMeta, delta_from_json_slice};

const USAGE: &str = "usage: merge FILE...   (`-` is standard input)";

/// The viewer writes nothing itself; no payload may speak in its name.
const VIEWER: &str = "viewer of the merge example";

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let mut view = PresenceState::new(VIEWER);
    let outcome = files.iter().try_for_each(|file| {
        let diff = merge(&mut view, file).map_err(|error| format!("{file}: {error}"))?;
        print_step(file, &diff);
        Ok::<(), String>(())
    });
    print_view(&view);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("merge: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Merges one file; on an error the view is what it was.
fn merge(view: &mut PresenceState<JsonMeta>, file: &str) -> Result<Diff<JsonMeta>, Box<dyn Error>> {
    let bytes = read(file)?;
    // Whole states and deltas have one format, and one way in.
    let payload = delta_from_json_slice(&bytes)?;
    Ok(view.merge_delta_with_diff(&payload)?)
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    if file != "-" {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn print_step(file: &str, diff: &Diff<JsonMeta>) {
    println!("{file}");
    if diff.is_empty() {
        println!("  (nothing changes)");
    }
    for topic in diff.topics() {
        for entry in topic.leaves() {
            println!("  - {}", line(entry));
        }
        for entry in topic.joins() {
            println!("  + {}", line(entry));
        }
    }
}

fn print_view(view: &PresenceState<JsonMeta>) {
    println!("\nonline: {}", view.len());
    for topic in view.topics() {
        for entry in view.get_by_topic(topic) {
            println!("    {}", line(entry));
        }
    }
}

/// One entry. A payload may come from anywhere: names are escaped, and JSON text
/// holds no control characters.
fn line(entry: &Presence<JsonMeta>) -> String {
    let dot = entry.dot().to_string();
    let [topic, key, pid, dot] =
        [entry.topic(), entry.key(), entry.pid(), &dot].map(|name| name.escape_debug());
    format!("{topic}  {key}  {pid}  {dot}  {}", entry.meta())
}
