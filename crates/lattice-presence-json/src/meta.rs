//! Metadata as the JSON text that was read.

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;
use core::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::cursor::Cursor;
use crate::error::{Category, DecodeError};
use crate::skip::{Skipped, push_compact};

/// How deep metadata may nest. The metadata itself has depth 0, its content has depth 1,
/// and so on. Every peer refuses deeper metadata.
///
/// ```
/// use lattice_presence_json::{JsonMeta, MAX_META_DEPTH};
///
/// let nested = |arrays| format!("{}0{}", "[".repeat(arrays), "]".repeat(arrays));
/// assert!(nested(MAX_META_DEPTH).parse::<JsonMeta>().is_ok());
/// assert!(nested(MAX_META_DEPTH + 1).parse::<JsonMeta>().is_err());
/// ```
pub const MAX_META_DEPTH: usize = 64;

/// The default of the most bytes of the metadata of one entry. A
/// [`Decoder`](crate::Decoder) or an [`Encoder`](crate::Encoder) can change it.
///
/// ```
/// assert_eq!(lattice_presence_json::MAX_META_BYTES, 1 << 20);
/// ```
pub const MAX_META_BYTES: usize = 1 << 20;

/// Metadata as validated JSON text. It is compact, and loses nothing.
///
/// The text does not change. The digits of numbers, the order and the spelling of keys,
/// and the escapes of strings survive any number of relays. Only the white space between
/// tokens is removed. Two are equal if their texts are equal. A clone copies the text.
/// Entries share their metadata.
///
/// # Invariants
///
/// The text is JSON without white space between tokens. It has no lone surrogate, and
/// nests no deeper than [`MAX_META_DEPTH`].
///
/// ```
/// use lattice_presence_json::JsonMeta;
///
/// let meta: JsonMeta = r#"{ "online_at": 1.50, "name": "ada" }"#.parse()?;
/// assert_eq!(meta.as_str(), r#"{"online_at":1.50,"name":"ada"}"#);
///
/// #[derive(serde::Deserialize)]
/// struct User { name: String }
/// assert_eq!(meta.parse::<User>()?.name, "ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonMeta(Box<str>);

impl JsonMeta {
    /// The metadata that `value` serializes to. O(its size).
    ///
    /// # Errors
    ///
    /// If `value` does not serialize, nests deeper than [`MAX_META_DEPTH`],
    /// or takes more than [`MAX_META_BYTES`].
    ///
    /// ```
    /// use lattice_presence_json::JsonMeta;
    ///
    /// #[derive(serde::Serialize)]
    /// struct User { name: &'static str }
    /// let meta = JsonMeta::new(&User { name: "ada" })?;
    /// assert_eq!(meta.as_str(), r#"{"name":"ada"}"#);
    /// # Ok::<(), lattice_presence_json::MetaError>(())
    /// ```
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, MetaError> {
        let text = serde_json::to_string(value).map_err(MetaError::Serialize)?;
        Self::from_text(&text).map_err(MetaError::Text)
    }

    /// The metadata that `text` spells, without its insignificant white space.
    /// O(length). The same as `text.parse()`.
    ///
    /// # Errors
    ///
    /// If `text` is not JSON, has a lone surrogate, nests deeper than [`MAX_META_DEPTH`],
    /// or takes more than [`MAX_META_BYTES`]. White space between its tokens counts here.
    ///
    /// ```
    /// use lattice_presence_json::{Category, JsonMeta};
    ///
    /// assert_eq!(JsonMeta::from_text(" [ 1 ] ")?.as_str(), "[1]");
    /// let error = JsonMeta::from_text("[1,]").unwrap_err();
    /// assert_eq!((error.category(), error.column()), (Category::Syntax, 4));
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn from_text(text: &str) -> Result<Self, DecodeError> {
        Self::validated(text).map_err(|error| error.located(text.as_bytes()))
    }

    fn validated(text: &str) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let start = cursor.offset();
        let skipped = cursor.skip_value(MAX_META_DEPTH)?;
        cursor.finish()?;
        if skipped.text.len() > MAX_META_BYTES {
            return Err(too_long(start, MAX_META_BYTES));
        }
        Ok(Self::from_skipped(&skipped))
    }

    fn from_skipped(skipped: &Skipped<'_>) -> Self {
        if skipped.spaced {
            let mut compact = String::with_capacity(skipped.text.len());
            push_compact(&mut compact, skipped.text);
            Self(compact.into())
        } else {
            Self(skipped.text.into())
        }
    }

    /// The JSON text. O(1).
    ///
    /// ```
    /// use lattice_presence_json::JsonMeta;
    ///
    /// assert_eq!(JsonMeta::new("ada")?.as_str(), r#""ada""#);
    /// # Ok::<(), lattice_presence_json::MetaError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The metadata as a `T`, which may borrow from it. O(length).
    ///
    /// # Errors
    ///
    /// If the text does not spell a `T`.
    ///
    /// ```
    /// use lattice_presence_json::JsonMeta;
    ///
    /// let meta = JsonMeta::new(&[1, 2])?;
    /// assert_eq!(meta.parse::<Vec<u8>>()?, [1, 2]);
    /// assert!(meta.parse::<String>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl FromStr for JsonMeta {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_text(text)
    }
}

impl Default for JsonMeta {
    /// The empty object.
    fn default() -> Self {
        Self("{}".into())
    }
}

impl AsRef<str> for JsonMeta {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JsonMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JsonMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonMeta({})", self.0)
    }
}

/// Only for `serde_json`, inside of other values: writes the text as it is.
impl Serialize for JsonMeta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Only for `serde_json`, inside of other values: reads the text as it is.
impl<'de> Deserialize<'de> for JsonMeta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_text(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// Why a value cannot be metadata.
///
/// ```
/// use std::collections::HashMap;
/// use lattice_presence_json::{JsonMeta, MetaError};
///
/// let keyed_by_bytes = HashMap::from([([0_u8; 2], 1)]);
/// let error = JsonMeta::new(&keyed_by_bytes).unwrap_err();
/// assert!(matches!(error, MetaError::Serialize(_)));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MetaError {
    /// The value does not serialize as JSON.
    #[error("the metadata does not serialize")]
    Serialize(#[source] serde_json::Error),
    /// It serializes to JSON that no peer accepts.
    #[error("the metadata is refused by every peer")]
    Text(#[source] DecodeError),
}

#[cold]
pub(crate) fn too_long(offset: usize, max_bytes: usize) -> DecodeError {
    let reason = format!("metadata of more than {max_bytes} bytes");
    DecodeError::new(Category::Limit, offset, reason)
}

/// The metadata from a validated part of a payload.
///
/// [`JsonMeta`] keeps the text as it is. It is recognized by its type id, because stable
/// Rust has no specialization.
#[inline]
pub(crate) fn decode<M: DeserializeOwned + 'static>(
    skipped: &Skipped<'_>,
) -> Result<M, serde_json::Error> {
    let mut slot: Option<M> = None;
    if let Some(slot) = (&mut slot as &mut dyn Any).downcast_mut::<Option<JsonMeta>>() {
        *slot = Some(JsonMeta::from_skipped(skipped));
    }
    match slot {
        Some(meta) => Ok(meta),
        None => serde_json::from_str(skipped.text),
    }
}

/// The text of `meta`, if its type guarantees that it is valid and compact.
#[inline]
pub(crate) fn known_text<M: 'static>(meta: &M) -> Option<&str> {
    (meta as &dyn Any)
        .downcast_ref::<JsonMeta>()
        .map(JsonMeta::as_str)
}
