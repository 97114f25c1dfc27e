//! CRDT crates at the same work: a map from texts to texts on two replicas, and what
//! it takes to keep them equal. `cargo xtask peers` runs it and prints the tables.
//!
//! Each crate does the work with its own map, its own way to say what changed and
//! its own bytes; [`Peer`] is all that they have in common here. What a crate does
//! not have is not emulated: the cell says so.

mod automerge_peer;
mod crdts_peer;
mod dson_peer;
#[path = "../../src/heap.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the counting allocator of the benches"
)]
mod heap;
mod lattice_peer;
mod measure;
mod peer;
mod table;
mod yrs_peer;

use std::process::ExitCode;

use peer::Peer;
use table::Column;

#[global_allocator]
static GLOBAL: heap::Counting = heap::Counting;

/// How much work.
#[derive(Clone, Copy)]
struct Size {
    /// Keys of a replica.
    n: usize,
    /// Pairs of a removal and an addition, for the growth.
    pairs: usize,
}

fn main() -> ExitCode {
    let size = match size_of(std::env::args().skip(1)) {
        Ok(size) => size,
        Err(message) => {
            eprintln!("lattice-peers: {message}");
            return ExitCode::from(2);
        }
    };
    let columns = [
        column::<lattice_peer::Map>(size),
        column::<crdts_peer::Map>(size),
        column::<dson_peer::Map>(size),
        column::<yrs_peer::Map>(size),
        column::<automerge_peer::Map>(size),
    ];
    println!("{}", table::features(&columns));
    println!("{}", table::figures(&columns, size.n, size.pairs));
    ExitCode::SUCCESS
}

fn column<P: Peer>(size: Size) -> Column {
    eprintln!("{} …", P::NAME);
    measure::column::<P>(size)
}

fn size_of(mut arguments: impl Iterator<Item = String>) -> Result<Size, String> {
    let mut size = Size {
        n: 4_000,
        pairs: 5_000,
    };
    while let Some(option) = arguments.next() {
        let mut value = || {
            let value = arguments.next().ok_or(format!("{option} needs a number"))?;
            let number = value.parse().map_err(|_| format!("{value} is no number"))?;
            if number == 0 {
                return Err(format!("{option} must be positive"));
            }
            Ok(number)
        };
        match option.as_str() {
            "--n" => size.n = value()?.max(100),
            "--pairs" => size.pairs = value()?,
            other => return Err(format!("no option `{other}`; there are --n and --pairs")),
        }
    }
    Ok(size)
}
