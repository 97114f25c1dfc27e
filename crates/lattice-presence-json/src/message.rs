//! Messages between the machines of `lattice-presence-sync`, as JSON.
//!
//! A message begins with its header. So its version, its cluster and its sender can be
//! read, even if the rest cannot. Clocks are always written as intervals. What follows
//! from the rest is left out. So one join costs less than 150 bytes beside its texts.

mod cut;
mod header;
mod read;
mod write;

pub(crate) use cut::parts;
pub use header::MessageHeader;
pub(crate) use header::header;
pub(crate) use read::decode;
pub(crate) use write::{encode, frame_len};
