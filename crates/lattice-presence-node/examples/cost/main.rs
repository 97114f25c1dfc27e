//! What a node costs, compared with the plain state, and with code on Redis.
//!
//! `cargo xtask bench --filter node`, or
//! `cargo run --release -p lattice-presence-node --features redis,zenoh --example cost`
//!
//! `--filter WORD` runs the parts whose names contain the word. `--quick` runs a tenth of
//! the work.
//!
//! The sides of a comparison are measured in turns, and a ratio is the median of the ratios
//! of the turns. So other programs on the machine disturb both sides. If one thread does
//! all the work, its CPU time is printed beside the time until the answer. The servers run
//! on this machine, and are started for this run. Their work comes on top, and is not
//! counted.
#![allow(
    clippy::print_stdout,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::cast_precision_loss,
    reason = "a program has standard output and the standard library, and prints ratios"
)]

mod clock;
mod memory;
mod pull;
mod redis_hash;
mod server;
#[cfg(feature = "zenoh")]
mod throughput;

use std::error::Error;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many users are in the room already.
pub(crate) const MEMBERS: usize = 10;

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often the two sides of a comparison take turns.
    pub(crate) turns: u32,
    /// How often an operation is done in a turn.
    pub(crate) times: u32,
    /// How many entries a fresh node pulls.
    pub(crate) entries: usize,
    /// How long nodes change what others see, in seconds.
    pub(crate) seconds: u64,
}

type Part = (&'static str, fn(Effort) -> Result<()>);

const PARTS: &[Part] = &[
    ("node: memory", memory::run),
    ("node: redis", redis_hash::run),
    ("node: pull", pull::run),
    #[cfg(feature = "zenoh")]
    ("node: zenoh", throughput::run),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut filter, mut is_quick) = ("", false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--filter" => filter = words.next().ok_or("--filter needs a word")?,
            "--quick" => is_quick = true,
            _ => return Err("usage: cost [--filter WORD] [--quick]".into()),
        }
    }
    let part_of = |whole: usize| if is_quick { whole / 10 } else { whole };
    let effort = Effort {
        turns: 11,
        times: u32::try_from(part_of(2_000))?,
        entries: part_of(1_000_000),
        seconds: if is_quick { 2 } else { 10 },
    };
    for (name, run) in PARTS.iter().filter(|(name, _)| name.contains(filter)) {
        println!("\n{name}\n");
        run(effort)?;
    }
    Ok(())
}

/// Everything runs on this thread, so its CPU time is the CPU time of everything.
pub(crate) fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(work)
}
