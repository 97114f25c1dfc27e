//! Merges payload files into one list: `cargo run --example merge -- FILE...`
//!
//! Each FILE holds a state or a delta as JSON, as nodes send them to each other. Files of
//! the Gleam package work too. `-` is standard input. The files are merged in the given
//! order. Every step prints its diff, and the end prints the list.
//!
//! The run ends at the first file that is malformed, or that contradicts what was merged
//! before. The list is then printed without that file.
//!
//! Exit codes: 0 if all files were merged (or if nobody reads the output to its end), 1 if
//! a file was refused or could not be read, 2 if the call has no FILE.
//!
//! Try `samples/*.json` beside this file, in order, and the folders there.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program has the standard library"
)]

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;

use lattice_presence::{Diff, Presence, PresenceState};
use lattice_presence_json::{JsonMeta, delta_from_json_slice};

const USAGE: &str = "usage: merge FILE...   (`-` is standard input)

Merges payload files in the order given; prints the diff of each, then the view.
Exit codes: 0 all merged, 1 a file was refused or could not be read, 2 no FILE.";

/// This program writes nothing itself, so no payload may use its name.
const VIEWER: &str = "viewer of the merge example";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = io::stdout().lock();
    let outcome = match arguments.first().map(String::as_str) {
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
        Some("--help" | "-h") => writeln!(out, "{USAGE}").map(|()| ExitCode::SUCCESS),
        Some(_) => run(&arguments, &mut out),
    };
    outcome.unwrap_or_else(|error| match error.kind() {
        // The reader of the output has ended.
        ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => failed(&error.to_string()),
    })
}

/// Merges the files. An error is an error of the output.
fn run(files: &[String], out: &mut impl Write) -> io::Result<ExitCode> {
    let mut view = PresenceState::new(VIEWER);
    for file in files {
        match merge(&mut view, file) {
            Ok(diff) => print_step(out, file, &diff)?,
            Err(error) => {
                print_view(out, &view)?;
                return Ok(failed(&format!("{file}: {error}")));
            }
        }
    }
    print_view(out, &view)?;
    Ok(ExitCode::SUCCESS)
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("merge: {}", shown(reason));
    ExitCode::FAILURE
}

/// Merges one file. On an error the list has not changed.
fn merge(view: &mut PresenceState<JsonMeta>, file: &str) -> Result<Diff<JsonMeta>, Box<dyn Error>> {
    let bytes = read(file)?;
    // States and deltas have the same format, and are read in the same way.
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

fn print_step(out: &mut impl Write, file: &str, diff: &Diff<JsonMeta>) -> io::Result<()> {
    writeln!(out, "{}", shown(file))?;
    if diff.is_empty() {
        writeln!(out, "  (nothing changes)")?;
    }
    for topic in diff.topics() {
        for entry in topic.leaves() {
            writeln!(out, "  - {}", line(entry))?;
        }
        for entry in topic.joins() {
            writeln!(out, "  + {}", line(entry))?;
        }
    }
    Ok(())
}

fn print_view(out: &mut impl Write, view: &PresenceState<JsonMeta>) -> io::Result<()> {
    writeln!(out, "\nonline: {}", view.len())?;
    for topic in view.topics() {
        for entry in view.get_by_topic(topic) {
            writeln!(out, "    {}", line(entry))?;
        }
    }
    Ok(())
}

/// One entry.
fn line(entry: &Presence<JsonMeta>) -> String {
    let dot = entry.dot().to_string();
    let [topic, key, pid, dot] =
        [entry.topic(), entry.key(), entry.pid(), &dot].map(|name| name.escape_debug());
    let meta = shown(entry.meta().as_str());
    format!("{topic}  {key}  {pid}  {dot}  {meta}")
}

/// Makes text from any source safe for a terminal. Characters that do not print are
/// escaped. (JSON text may hold DEL and C1 as they are.) Quotes stay.
fn shown(text: &str) -> String {
    let is_plain = |c| matches!(c, '"' | '\'' | '\\');
    let mut shown = String::new();
    for piece in text.split_inclusive(is_plain) {
        let body = piece.strip_suffix(is_plain).unwrap_or(piece);
        shown.extend(body.escape_debug());
        shown.push_str(&piece[body.len()..]);
    }
    shown
}
