//! Under construction.
extern crate alloc;

mod api;
mod cloud;
mod cursor;
mod decoder;
mod digest;
mod emit;
mod encode_error;
mod encoder;
mod error;
mod intern;
mod locate;
mod meta;
mod payload;
pub mod phoenix;
mod scan;
mod shortcut;
mod sink;
mod skip;
mod write;

pub use api::{
    delta_from_json, delta_from_json_slice, delta_to_json_string, delta_to_json_writer,
    digest_from_json, digest_from_json_slice, digest_to_json_string, from_json, from_json_slice,
    to_json_string, to_json_writer,
};
pub use decoder::{Decoder, MAX_STRING_BYTES};
pub use encode_error::{EncodeError, EntryName};
pub use encoder::Encoder;
pub use error::{Category, DecodeError};
pub use meta::{JsonMeta, MAX_META_BYTES, MAX_META_DEPTH, MetaError};

/// The project's front page, so that its examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
