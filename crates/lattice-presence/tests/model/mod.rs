//! A naive presence: rules S1–S14 of `docs/semantics.md` over plain sets and maps.
//!
//! It shares no code with the crate and is slow on purpose: every set of dots is
//! spelled out, everything is cloned, nothing is indexed.

mod identity;
mod oracle;

pub use identity::{encode_incarnation, is_newer};
pub use oracle::{Change, Choice, Dot, Entry, Oracle, Packet, Refusal};
