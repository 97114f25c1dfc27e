//! What the machines of `lattice-presence-sync` tell each other, as JSON.
//!
//! A message begins with its header, so that its version, its cluster and its sender can
//! be read whatever comes behind them. Clocks are always written as intervals, and what
//! follows from the rest is left out: one join costs some hundred bytes beside its texts.

mod cut;
mod header;
mod read;
mod write;

pub(crate) use cut::parts;
pub use header::MessageHeader;
pub(crate) use header::header;
pub(crate) use read::decode;
pub(crate) use write::{encode, frame_len};
