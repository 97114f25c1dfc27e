//! Checks whether peers would accept an entry.

use alloc::borrow::Cow;

use serde::Serialize;
use thiserror::Error;

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::meta::{self, MAX_META_DEPTH};
use crate::skip::push_compact;

/// Why every peer would refuse an entry.
///
/// [`Encoder::check`](crate::Encoder::check) finds it before the entry is joined.
///
/// ```
/// use lattice_presence_json::{Encoder, EntryError};
///
/// let key = "x".repeat(65_537);
/// let error = Encoder::new().check("room", &key, "pid-1", &()).unwrap_err();
/// assert!(matches!(error, EntryError::StringTooLong { field: "key", bytes: 65_537, .. }));
/// assert_eq!(error.to_string(), "a key of 65537 bytes, and 65536 are the limit");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A topic, key or pid is longer than [`Limits::max_string_bytes`].
    #[error("a {field} of {bytes} bytes, and {limit} are the limit")]
    StringTooLong {
        /// Which of the three: `topic`, `key` or `pid`.
        field: &'static str,
        /// How many bytes it takes.
        bytes: usize,
        /// How many it may take.
        limit: usize,
    },
    /// The metadata is longer than [`Limits::max_meta_bytes`].
    #[error("metadata of {bytes} bytes, and {limit} are the limit")]
    MetaTooLong {
        /// How many bytes it takes.
        bytes: usize,
        /// How many it may take.
        limit: usize,
    },
    /// The metadata nests deeper than [`MAX_META_DEPTH`], or has a lone surrogate in raw
    /// text.
    #[error("metadata that no peer reads: {0}")]
    Meta(#[source] DecodeError),
    /// The metadata does not serialize as JSON.
    #[error("metadata that does not serialize: {0}")]
    Serialize(#[source] serde_json::Error),
    /// The entry alone takes more bytes than a payload may have
    /// ([`Limits::max_bytes`]).
    #[error("it takes {bytes} bytes, and {limit} are the limit of a payload")]
    TooLong {
        /// How many bytes the entry takes in a payload of its own.
        bytes: usize,
        /// How many a payload may have.
        limit: usize,
    },
}

impl Limits {
    /// Refuses texts that no peer can read.
    #[inline]
    pub(crate) fn check_texts(&self, topic: &str, key: &str, pid: &str) -> Result<(), EntryError> {
        if topic.len().max(key.len()).max(pid.len()) <= self.max_string_bytes {
            return Ok(());
        }
        Err(self.text_too_long([("topic", topic), ("key", key), ("pid", pid)]))
    }

    #[cold]
    fn text_too_long(&self, texts: [(&'static str, &str); 3]) -> EntryError {
        let limit = self.max_string_bytes;
        let long = texts.into_iter().find(|(_, text)| text.len() > limit);
        let (field, bytes) = long.map_or(("pid", 0), |(field, text)| (field, text.len()));
        EntryError::StringTooLong {
            field,
            bytes,
            limit,
        }
    }

    #[inline]
    pub(crate) fn check_meta_bytes(&self, bytes: usize) -> Result<(), EntryError> {
        if bytes <= self.max_meta_bytes {
            return Ok(());
        }
        let limit = self.max_meta_bytes;
        Err(EntryError::MetaTooLong { bytes, limit })
    }
}

/// Metadata as the text to write, without white space between its tokens.
pub(crate) fn text_of<M: Serialize + 'static>(meta: &M) -> Result<Cow<'_, str>, EntryError> {
    if let Some(text) = meta::known_text(meta) {
        return Ok(Cow::Borrowed(text));
    }
    let text = serde_json::to_string(meta).map_err(EntryError::Serialize)?;
    // A type may write raw text, and any type may nest.
    let skipped = Cursor::new(&text)
        .skip_value(MAX_META_DEPTH)
        .map_err(|error| EntryError::Meta(error.located(text.as_bytes())))?;
    if !skipped.spaced {
        return Ok(Cow::Owned(text));
    }
    let mut compact = String::with_capacity(text.len());
    push_compact(&mut compact, skipped.text);
    Ok(Cow::Owned(compact))
}
