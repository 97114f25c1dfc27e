//! The JSON of cluster presence: what nodes send each other, and what a Phoenix
//! client reads.
//!
//! The payloads are those of the Gleam package `lattice_presence`, 1.x and 2.0:
//! its nodes read what this crate writes by default, and the other way round.
//!
//! It is for those who send the bytes of [`lattice-presence`](https://docs.rs/lattice-presence)
//! or [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync) themselves.
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node) does so for you.
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
//! - **Decoding** is one door: [`from_json`], [`delta_from_json`],
//!   [`digest_from_json`] under the default limits, [`Decoder`] under others. One
//!   pass, no recursion, memory bounded by the length of the input; a
//!   [`DecodeError`] says what is wrong, where, and in which [`Category`].
//! - **Encoding** is canonical: [`to_json_string`], [`delta_to_json_string`],
//!   [`digest_to_json_string`]; [`Encoder`] for the compact form, other limits, a
//!   report of what was left out, and parts. Equal content gives equal bytes, as far as
//!   the metadata's `Serialize` does (that of [`JsonMeta`] does; a hash map's does not).
//!   What every peer would refuse is left out, so that the rest arrives.
//! - **Metadata** is [`JsonMeta`], validated text that survives relays digit by
//!   digit, or any type that is `Serialize + DeserializeOwned`.
//! - **[`phoenix`]** has the messages of the Phoenix JavaScript client.
//!
//! # What is not here
//!
//! No transport, no framing, no compression, no authentication: whoever can send
//! a payload can claim any entry of any replica. Send them among nodes that trust
//! each other.
//!
//! # Invariants
//!
//! - What is decoded can be encoded again, under the same limits: whole in the compact
//!   form, and in the default form but for claims that it would have to list.
//! - Nothing that a state holds keeps it from being written.
//! - The heap that decoding takes at its peak is at most 16 times the length of
//!   the input and 4 KiB, 20 times for a question of a node; metadata of the caller's own types
//!   apart.
//! - A call that fails returns nothing in part, and no input makes one panic.
//! - The depth of the input costs neither stack nor, beyond one bit a level, heap.
//!
//! # Features
//!
//! There are none; the crate needs the standard library.
//!
//! # Rules, examples, sister crates
//!
//! - [The wire format](https://github.com/lattice-presence/lattice-presence/blob/main/docs/wire-format.md)
//!   has the grammar, the limits and the fingerprint, for writers of decoders in other
//!   languages;
//! - the rules of what it carries: S1 to S14 of [`lattice_presence::rules`], and R1 to R13 of
//!   [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync/latest/lattice_presence_sync/index.html#the-rules);
//! - the example [`merge`](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-json/examples/merge/main.rs)
//!   reads payloads from files;
//! - browsers are served by [`lattice-presence-web`](https://docs.rs/lattice-presence-web).
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

/// The front page, whose example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
