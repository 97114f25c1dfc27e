//! The JSON of presence: what nodes send each other, and what Phoenix clients read.
//!
//! The payloads are those of the Gleam package `lattice_presence`, 1.x and 2.0. Its nodes
//! read what this crate writes by default, and this crate reads what they write.
//!
//! This crate is for you if you use
//! [`lattice-presence`](https://docs.rs/lattice-presence) or
//! [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync), and send the bytes
//! yourself. [`lattice-presence-node`](https://docs.rs/lattice-presence-node) sends them
//! for you.
//!
//! ```
//! use lattice_presence::PresenceState;
//! use lattice_presence_json::{
//!     JsonMeta, delta_from_json, delta_to_json_string, digest_from_json, digest_to_json_string,
//! };
//!
//! let mut a = PresenceState::<JsonMeta>::new("node-a");
//! let mut b = PresenceState::<JsonMeta>::new("node-b");
//! a.join("pid-1", "room:lobby", "ada", r#"{"status":"here"}"#.parse()?)?;
//!
//! // Node b says what it has, node a answers with what b lacks.
//! let digest = digest_to_json_string(&b.digest())?;
//! let delta = delta_to_json_string(&a.delta_since(&digest_from_json(&digest)?))?;
//! b.merge_delta(&delta_from_json(&delta)?)?;
//!
//! let ada = b.get_by_key("room:lobby", "ada").next().unwrap();
//! assert_eq!(ada.meta().as_str(), r#"{"status":"here"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is here
//!
//! - **Decoding**: [`from_json`], [`delta_from_json`] and [`digest_from_json`] use the
//!   default limits. [`Decoder`] uses other limits. Decoding takes one pass, does not
//!   recurse, and its memory is bounded by the length of the input. A [`DecodeError`]
//!   says what is wrong, at which place, and in which [`Category`].
//! - **Encoding**: [`to_json_string`], [`delta_to_json_string`] and
//!   [`digest_to_json_string`]. [`Encoder`] is for the compact form, other limits, a
//!   report of what was left out, and parts. Equal content gives equal bytes, if the
//!   metadata always serializes in the same way. ([`JsonMeta`] does, and a hash map does
//!   not.) An entry that every peer would refuse is left out, so that the rest arrives.
//! - **Metadata** is [`JsonMeta`], or any type that is `Serialize + DeserializeOwned`.
//!   [`JsonMeta`] is validated text that relays never change.
//! - **[`phoenix`]** has the messages of the Phoenix JavaScript client.
//!
//! # What is not here
//!
//! There is no transport, no framing, no compression and no authentication. Everybody who
//! can send a payload can claim any entry of any replica. So send payloads only among
//! nodes that trust each other.
//!
//! # Invariants
//!
//! - What is decoded can be encoded again, under the same limits. The compact form writes
//!   all of it. The default form may leave out claims that it would have to list.
//! - No entry can prevent a state from being written.
//! - At its peak, decoding takes at most 16 times the length of the input and 4 KiB of
//!   heap. Decoding a question of a node takes at most 20 times the length and 4 KiB.
//!   Metadata of your own types may take more.
//! - A call that fails never returns a part, and no input makes a call panic.
//! - The depth of the input costs no stack, and one bit a level of heap.
//!
//! # Features
//!
//! There are none. The crate needs the standard library.
//!
//! # Rules, examples, sister crates
//!
//! - [The wire format](https://github.com/lattice-presence/lattice-presence/blob/main/docs/wire-format.md)
//!   has the grammar, the limits and the fingerprint, for writers of decoders in other
//!   languages.
//! - The rules of what it carries are S1 to S14 of [`lattice_presence::rules`], and R1 to
//!   R13 of
//!   [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync/latest/lattice_presence_sync/index.html#the-rules).
//! - The example [`merge`](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-json/examples/merge/main.rs)
//!   reads payloads from files.
//! - [`lattice-presence-web`](https://docs.rs/lattice-presence-web) serves browsers.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod api;
mod claim;
mod cloud;
mod cursor;
mod decoder;
mod digest;
mod digest_parts;
mod emit;
mod encode_error;
mod encoded;
mod encoder;
mod entry_check;
mod error;
mod field;
mod intern;
mod limits;
mod locate;
mod message;
mod meta;
mod parts;
mod payload;
pub mod phoenix;
mod plan;
mod room;
mod scan;
mod shortcut;
mod sink;
mod skip;
mod to_json;
mod write;

pub use api::{
    delta_from_json, delta_from_json_slice, delta_to_json_string, delta_to_json_writer,
    digest_from_json, digest_from_json_slice, digest_to_json_string, digest_to_json_writer,
    from_json, from_json_slice, to_json_string, to_json_writer,
};
pub use decoder::Decoder;
pub use encode_error::{EncodeError, EntryName};
pub use encoded::{Encoded, LeftOut};
pub use encoder::Encoder;
pub use entry_check::EntryError;
pub use error::{Category, DecodeError};
pub use limits::{Limits, MAX_STRING_BYTES};
pub use message::MessageHeader;
pub use meta::{JsonMeta, MAX_META_BYTES, MAX_META_DEPTH, MetaError};
pub use parts::Parts;
pub use to_json::ToJson;

/// The front page. Its example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
