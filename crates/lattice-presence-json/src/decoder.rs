//! The decoder: all payloads of peers go through it, within its limits.

use alloc::borrow::Cow;

use lattice_presence::{Digest, Message, PresenceDelta, PresenceState, ReplicaId};
use serde::de::DeserializeOwned;

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::limits::{Limits, setters};
use crate::message::{self, MessageHeader};
use crate::{digest, payload};

/// Decodes payloads, within limits that you set.
///
/// The free functions of this crate use the default limits, which [`Limits`] lists.
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
    pub(crate) limits: Limits,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

setters!(Decoder);

impl Decoder {
    /// A decoder with the default limits.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Decoder::new(), Default::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limits: Limits::new(),
        }
    }

    /// Sets all limits at once. Give the encoders of the peers the same limits.
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, Limits};
    ///
    /// let limits = Limits::new().max_entries(9);
    /// assert_eq!(Decoder::new().limits(limits), Decoder::new().max_entries(9));
    /// ```
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// [`Limits::max_meta_depth`].
    ///
    /// ```
    /// use lattice_presence_json::Decoder;
    ///
    /// assert_ne!(Decoder::new().max_meta_depth(1), Decoder::new());
    /// ```
    #[must_use]
    pub const fn max_meta_depth(mut self, limit: usize) -> Self {
        self.limits = self.limits.max_meta_depth(limit);
        self
    }

    /// Decodes a state. Its entries are indexed, and all replicas count as up. Expected
    /// O(length), plus O(n log n) if its values are not sorted.
    ///
    /// A state does not admit the former incarnations of its own replica (rule S7). If
    /// the payload has entries of an older incarnation of its writer, their dots count as
    /// seen, and the entries are dropped. [`delta_from_json`](Self::delta_from_json)
    /// keeps all entries of the payload.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
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

    /// The same for bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
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

    /// Decodes a delta, or a state as a delta. Nothing is indexed. Expected O(length),
    /// plus O(n log n) if its values are not sorted.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
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
        self.limits
            .check_bytes(text.len())
            .and_then(|()| payload::decode(text, &self.limits))
            .map_err(|error| error.located(text.as_bytes()))
    }

    /// The same for bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// let error = Decoder::new().delta_from_json_slice::<JsonMeta>(b"{}").unwrap_err();
    /// assert_eq!(error.to_string(), "shape: the field is missing at replica (line 1, column 1)");
    /// ```
    pub fn delta_from_json_slice<M>(&self, bytes: &[u8]) -> Result<PresenceDelta<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.delta_from_json(self.checked_text(bytes)?)
    }

    /// Decodes a digest. Expected O(length), plus O(n log n) if its replicas
    /// are not sorted.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
    ///
    /// ```
    /// let payload = r#"{"n":{"context":3,"cloud":[5],"fingerprint":"0000000000000007"}}"#;
    /// let digest = lattice_presence_json::Decoder::new().digest_from_json(payload)?;
    /// assert_eq!(digest.get(&"n".into()).unwrap().seen.max(), 5);
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn digest_from_json(&self, text: &str) -> Result<Digest<ReplicaId>, DecodeError> {
        self.limits
            .check_bytes(text.len())
            .and_then(|()| digest::decode(text, &self.limits))
            .map_err(|error| error.located(text.as_bytes()))
    }

    /// The same for bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// If the payload is malformed or over a limit. Then nothing is built.
    ///
    /// ```
    /// use lattice_presence_json::{Category, Decoder};
    ///
    /// let error = Decoder::new().digest_from_json_slice(b"[]").unwrap_err();
    /// assert_eq!(error.category(), Category::Shape);
    /// ```
    pub fn digest_from_json_slice(&self, bytes: &[u8]) -> Result<Digest<ReplicaId>, DecodeError> {
        self.digest_from_json(self.checked_text(bytes)?)
    }

    /// Decodes a message between the machines of `lattice-presence-sync`. Expected
    /// O(length), plus O(n log n) if its entries are not sorted.
    ///
    /// # Errors
    ///
    /// If the payload is malformed, over a limit, of an unknown kind, or of another
    /// version ([`Category::Version`](crate::Category::Version)). Then nothing is built.
    ///
    /// ```
    /// use lattice_presence::Body;
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// let text = r#"{"v":1,"cluster":"chat","from":"node-a","push":7,"delta":[
    ///     {"entries":[[3,"room","ada","pid-1",{}]]}]}"#;
    /// let message = Decoder::new().message_from_json::<JsonMeta>(text)?;
    /// let Body::Push { number, delta, .. } = message.body else { panic!() };
    /// assert_eq!((number, delta.len(), delta.context().max(&"node-a".into())), (7, 1, 3));
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn message_from_json<M>(&self, text: &str) -> Result<Message<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.limits
            .check_bytes(text.len())
            .and_then(|()| message::decode(text, &self.limits))
            .map_err(|error| error.located(text.as_bytes()))
    }

    /// The same for bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// The errors of [`message_from_json`](Self::message_from_json).
    ///
    /// ```
    /// use lattice_presence_json::{Decoder, JsonMeta};
    ///
    /// let bytes = br#"{"v":1,"cluster":"chat","from":"node-a","goodbye":true}"#;
    /// let message = Decoder::new().message_from_json_slice::<JsonMeta>(bytes)?;
    /// assert_eq!(message.body.kind(), "goodbye");
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn message_from_json_slice<M>(&self, bytes: &[u8]) -> Result<Message<M>, DecodeError>
    where
        M: DeserializeOwned + 'static,
    {
        self.message_from_json(self.checked_text(bytes)?)
    }

    /// Reads the beginning of a message: its version, its cluster, its shard and its
    /// sender. The rest is not read. With it you can answer a message of another version
    /// with a refusal. O(length of the beginning).
    ///
    /// # Errors
    ///
    /// If the text does not begin like a message.
    ///
    /// ```
    /// use lattice_presence_json::Decoder;
    ///
    /// let header = Decoder::new().message_header(r#"{"v":9,"cluster":"chat","from":"n","#)?;
    /// assert_eq!((header.version, &*header.cluster), (9, "chat"));
    /// # Ok::<(), lattice_presence_json::DecodeError>(())
    /// ```
    pub fn message_header(&self, text: &str) -> Result<MessageHeader, DecodeError> {
        self.limits
            .check_bytes(text.len())
            .and_then(|()| message::header(&mut Cursor::new(text), &self.limits))
            .map(|(header, _)| header)
            .map_err(|error| error.located(text.as_bytes()))
    }

    fn checked_text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
        self.limits
            .check_bytes(bytes.len())
            .and_then(|()| {
                core::str::from_utf8(bytes)
                    .map_err(|e| DecodeError::syntax(e.valid_up_to(), "not UTF-8"))
            })
            .map_err(|error| error.located(bytes))
    }
}

impl<'a> Cursor<'a> {
    /// Reads a string within the decoder's limit.
    #[inline]
    pub(crate) fn name(&mut self, limits: &Limits) -> Result<Cow<'a, str>, DecodeError> {
        self.skip_space();
        let start = self.offset();
        let name = self.string()?;
        limits.check_string(&name, start)?;
        Ok(name)
    }
}
