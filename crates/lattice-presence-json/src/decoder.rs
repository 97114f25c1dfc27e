//! The one door for what peers send: limits, and the calls under them.

use alloc::borrow::Cow;

use lattice_presence::{Digest, PresenceDelta, PresenceState, ReplicaId};
use serde::de::DeserializeOwned;

use crate::cursor::Cursor;
use crate::error::{Category, DecodeError};
use crate::meta::{MAX_META_BYTES, MAX_META_DEPTH};
use crate::{digest, payload};

/// How many bytes a topic, key, pid or replica name may take, unless a
/// [`Decoder`] or an [`Encoder`](crate::Encoder) says otherwise.
///
/// ```
/// assert_eq!(lattice_presence_json::MAX_STRING_BYTES, 1 << 16);
/// ```
pub const MAX_STRING_BYTES: usize = 1 << 16;

/// Decodes payloads under stated limits.
///
/// The free functions of this crate decode under the defaults, which are meant
/// to be far above what a healthy cluster sends, and finite:
///
/// | limit | default |
/// |---|---|
/// | [`max_bytes`](Self::max_bytes) | 2^28 (256 MiB) |
/// | [`max_entries`](Self::max_entries) | 2^22 |
/// | [`max_replicas`](Self::max_replicas) | 2^16 |
/// | [`max_clouds`](Self::max_clouds) | 2^22 |
/// | [`max_meta_depth`](Self::max_meta_depth) | 64 |
/// | [`max_meta_bytes`](Self::max_meta_bytes) | 2^20 (1 MiB) |
/// | [`max_string_bytes`](Self::max_string_bytes) | 2^16 (64 KiB) |
///
/// ```
/// use lattice_presence_json::{Category, Decoder, JsonMeta, from_json};
///
/// let payload = r#"{"replica":"n","context":{"n":2},"clouds":{},"values":[]}"#;
/// assert!(from_json::<JsonMeta>(payload).is_ok());
///
/// let error = Decoder::new().max_bytes(10).from_json::<JsonMeta>(payload).unwrap_err();
/// assert_eq!(error.category(), Category::Limit);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    pub(crate) max_bytes: usize,
    pub(crate) max_entries: usize,
    pub(crate) max_replicas: usize,
    pub(crate) max_clouds: usize,
    pub(crate) max_meta_depth: usize,
    pub(crate) max_meta_bytes: usize,
    pub(crate) max_string_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident)*) => {
        $(
            $(#[$doc])*
            ///
            /// ```
            /// use lattice_presence_json::Decoder;
            ///
            #[doc = concat!("assert_ne!(Decoder::new().", stringify!($limit), "(1), Decoder::new());")]
            /// ```
            #[must_use]
            pub const fn $limit(mut self, limit: usize) -> Self {
                self.$limit = limit;
                self
            }
        )*
    };
}

impl Decoder {
    /// A decoder with the default limits.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Decoder::new(), Default::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_bytes: 1 << 28,
            max_entries: 1 << 22,
            max_replicas: 1 << 16,
            max_clouds: 1 << 22,
            max_meta_depth: MAX_META_DEPTH,
            max_meta_bytes: MAX_META_BYTES,
            max_string_bytes: MAX_STRING_BYTES,
        }
    }

    limits! {
        /// How many bytes a payload may have.
        max_bytes
        /// How many values a payload may list.
        max_entries
        /// How many different replicas a payload may name.
        max_replicas
        /// How many cloud items (clocks and intervals) a payload may list.
        max_clouds
        /// How many bytes the metadata of one entry may take, in the payload.
        max_meta_bytes
        /// How many bytes a topic, key, pid or replica name may take, unescaped.
        max_string_bytes
    }

    /// How deep metadata may nest. A limit above [`MAX_META_DEPTH`] acts as
    /// that: what is deeper could not be sent on to anybody.
    ///
    /// ```
    /// use lattice_presence_json::Decoder;
    ///
    /// assert_ne!(Decoder::new().max_meta_depth(1), Decoder::new());
    /// assert_eq!(Decoder::new().max_meta_depth(1000), Decoder::new());
    /// ```
    #[must_use]
    pub const fn max_meta_depth(mut self, limit: usize) -> Self {
        self.max_meta_depth = if limit < MAX_META_DEPTH {
            limit
        } else {
            MAX_META_DEPTH
        };
        self
    }

    /// Decodes a state: its entries are indexed, everybody counts as up.
    /// Expected O(length), plus O(n log n) where its values are not sorted.
    ///
    /// A state does not admit the former lives of its own replica (rule S7):
    /// where the payload carries entries of an older incarnation of its writer's
    /// base, they are seen and do not stand.
    /// [`delta_from_json`](Self::delta_from_json) gives what the payload says.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// let payload = r#"{"replica":"n","context":{"n":2},"clouds":{},"values":[]}"#;
    /// let state = Decoder::new().from_json::<JsonMeta>(payload)?;
    /// assert_eq!(state.replica().as_str(), "n");
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn from_json<M>(&self, text: &str) -> Result<PresenceState<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.delta_from_json(text).map(PresenceState::from_snapshot)
    }

    /// The same from bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Category, Decoder, JsonMeta};
    ///
    /// let error = Decoder::new().from_json_slice::<JsonMeta>(b"{\"\xFF\"}").unwrap_err();
    /// assert_eq!((error.category(), error.column()), (Category::Syntax, 3));
    /// ```
    pub fn from_json_slice<M>(&self, bytes: &[u8]) -> Result<PresenceState<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.delta_from_json_slice(bytes)
            .map(PresenceState::from_snapshot)
    }

    /// Decodes a delta, or a state as one: nothing is indexed. Expected
    /// O(length), plus O(n log n) where its values are not sorted.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// let payload = r#"{"replica":"n","context":{},"clouds":{"n":[7]},"values":[]}"#;
    /// let delta = Decoder::new().delta_from_json::<JsonMeta>(payload)?;
    /// assert_eq!((delta.len(), delta.context().max(&"n".into())), (0, 7));
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn delta_from_json<M>(&self, text: &str) -> Result<PresenceDelta<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.check_bytes(text.len())
            .and_then(|()| payload::decode(text, self))
            .map_err(|error| error.located(text.as_bytes()))
    }

    /// The same from bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// assert!(Decoder::new().delta_from_json_slice::<JsonMeta>(b"{}").is_err());
    /// ```
    pub fn delta_from_json_slice<M>(&self, bytes: &[u8]) -> Result<PresenceDelta<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.delta_from_json(self.checked_text(bytes)?)
    }

    /// Decodes a digest. Expected O(length), plus O(n log n) where its replicas
    /// are not sorted.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// let digest = lattice_presence_json::Decoder::new().digest_from_json("{}")?;
    /// assert!(digest.is_empty());
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn digest_from_json(&self, text: &str) -> Result<Digest<ReplicaId>, DecodeError> {
        self.check_bytes(text.len())
            .and_then(|()| digest::decode(text, self))
            .map_err(|error| error.located(text.as_bytes()))
    }

    /// The same from bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// Where the payload is malformed or over a limit; nothing is built.
    ///
    /// ```
    /// assert!(lattice_presence_json::Decoder::new().digest_from_json_slice(b"[]").is_err());
    /// ```
    pub fn digest_from_json_slice(&self, bytes: &[u8]) -> Result<Digest<ReplicaId>, DecodeError> {
        self.digest_from_json(self.checked_text(bytes)?)
    }

    /// Refuses a string above the limit.
    #[inline]
    pub(crate) fn check_string(&self, string: &str, offset: usize) -> Result<(), DecodeError> {
        if string.len() <= self.max_string_bytes {
            return Ok(());
        }
        let reason = format!("a string of more than {} bytes", self.max_string_bytes);
        Err(DecodeError::new(Category::Limit, offset, reason))
    }

    fn check_bytes(&self, len: usize) -> Result<(), DecodeError> {
        if len <= self.max_bytes {
            return Ok(());
        }
        let reason = format!("a payload of more than {} bytes", self.max_bytes);
        Err(DecodeError::new(Category::Limit, 0, reason))
    }

    fn checked_text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
        self.check_bytes(bytes.len())
            .and_then(|()| {
                core::str::from_utf8(bytes)
                    .map_err(|e| DecodeError::syntax(e.valid_up_to(), "not UTF-8"))
            })
            .map_err(|error| error.located(bytes))
    }
}

impl<'a> Cursor<'a> {
    /// A string within the decoder's limit.
    #[inline]
    pub(crate) fn name(&mut self, limits: &Decoder) -> Result<Cow<'a, str>, DecodeError> {
        self.skip_space();
        let start = self.offset();
        let name = self.string()?;
        limits.check_string(&name, start)?;
        Ok(name)
    }
}
