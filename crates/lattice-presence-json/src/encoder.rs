//! What goes out to peers: canonical bytes, in the default or the compact form.

use std::io;

use lattice_presence::{Digest, PresenceDelta, PresenceState, ReplicaId};
use serde::Serialize;

use crate::decoder::Decoder;
use crate::emit::Parts;
use crate::encode_error::EncodeError;
use crate::sink::Sink;

type Result<T> = core::result::Result<T, EncodeError>;

/// Encodes payloads, canonically: replicas, clocks and values are sorted, there
/// is no white space, and equal content gives equal bytes.
///
/// Metadata is as canonical as its `Serialize`: [`JsonMeta`](crate::JsonMeta) is
/// written as it came in, a `HashMap` in an order that differs between two
/// processes.
///
/// What a peer would refuse is refused here, under the limits that are the
/// defaults of [`Decoder`](crate::Decoder). Raise them only together with the
/// peers'.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Encoder, JsonMeta, to_json_string};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// assert_eq!(Encoder::new().to_json_string(&state)?, to_json_string(&state)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoder {
    pub(crate) compact: bool,
    pub(crate) max_bytes: usize,
    pub(crate) max_entries: usize,
    pub(crate) max_replicas: usize,
    pub(crate) max_clouds: usize,
    pub(crate) max_meta_bytes: usize,
    pub(crate) max_string_bytes: usize,
}

impl Default for Encoder {
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
            /// use lattice_presence_json::Encoder;
            ///
            #[doc = concat!("assert_ne!(Encoder::new().", stringify!($limit), "(1), Encoder::new());")]
            /// ```
            #[must_use]
            pub const fn $limit(mut self, limit: usize) -> Self {
                self.$limit = limit;
                self
            }
        )*
    };
}

impl Encoder {
    /// An encoder of the default form, with the default limits.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Encoder::new(), Default::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        let peer = Decoder::new();
        Self {
            compact: false,
            max_bytes: peer.max_bytes,
            max_entries: peer.max_entries,
            max_replicas: peer.max_replicas,
            max_clouds: peer.max_clouds,
            max_meta_bytes: peer.max_meta_bytes,
            max_string_bytes: peer.max_string_bytes,
        }
    }

    /// Whether a run of clocks in a cloud is written as `[first, last]`. Every
    /// peer of this crate reads that; a peer that knows only integers refuses
    /// the payload.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};
    ///
    /// let text = r#"{"replica":"n","context":{},"clouds":{"n":[3,4,5,9]},"values":[]}"#;
    /// let delta = delta_from_json::<JsonMeta>(text)?;
    /// assert_eq!(Encoder::new().delta_to_json_string(&delta)?, text);
    ///
    /// let compact = Encoder::new().compact(true).delta_to_json_string(&delta)?;
    /// assert!(compact.contains("[[3,5],9]"));
    /// assert_eq!(delta_from_json::<JsonMeta>(&compact)?.context(), delta.context());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    /// How many items the clouds of one payload may list, 2^22 unless stated. In
    /// the default form each clock is an item, and a peer may claim 2^53 of them
    /// in a few bytes; in the compact form each run of clocks is one.
    ///
    /// ```
    /// use lattice_presence_json::{EncodeError, Encoder, JsonMeta, delta_from_json};
    ///
    /// let text = r#"{"replica":"n","context":{},"clouds":{"n":[[3,9]]},"values":[]}"#;
    /// let delta = delta_from_json::<JsonMeta>(text)?;
    /// let encoder = Encoder::new().max_clouds(6);
    /// let error = encoder.delta_to_json_string(&delta).unwrap_err();
    /// assert!(matches!(error, EncodeError::CloudTooWide { .. }));
    /// assert!(encoder.compact(true).delta_to_json_string(&delta).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn max_clouds(mut self, limit: usize) -> Self {
        self.max_clouds = limit;
        self
    }

    limits! {
        /// How many bytes a payload may have, 2^28 unless stated.
        max_bytes
        /// How many entries a payload may list, 2^22 unless stated.
        max_entries
        /// How many different replicas a payload may name, 2^16 unless stated.
        max_replicas
        /// How many bytes the metadata of one entry may take,
        /// [`MAX_META_BYTES`](crate::MAX_META_BYTES) unless stated.
        max_meta_bytes
        /// How many bytes a topic, key, pid or replica name may take,
        /// [`MAX_STRING_BYTES`](crate::MAX_STRING_BYTES) unless stated.
        max_string_bytes
    }

    /// Encodes a state: all its entries, those of hidden replicas included.
    /// O(size of the output).
    ///
    /// # Errors
    ///
    /// Where a peer would refuse something in it: see [`EncodeError`].
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let state = PresenceState::<JsonMeta>::new("n");
    /// assert_eq!(
    ///     Encoder::new().to_json_string(&state)?,
    ///     r#"{"replica":"n","context":{},"clouds":{},"values":[]}"#,
    /// );
    /// # Ok::<(), lattice_presence_json::EncodeError>(())
    /// ```
    pub fn to_json_string<M>(&self, state: &PresenceState<M>) -> Result<String>
    where
        M: Serialize + 'static,
    {
        self.payload(
            Sink::whole(self.max_bytes),
            &Parts::of_state(state),
            state.entries(),
        )
    }

    /// The same into a writer, in pieces of some 64 KiB, more only where one
    /// entry takes more: buffering it is not necessary.
    ///
    /// # Errors
    ///
    /// Where a peer would refuse something in it, or the writer fails: see
    /// [`EncodeError`]. What was written until then stays written.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut bytes = Vec::new();
    /// Encoder::new().to_json_writer(&PresenceState::<JsonMeta>::new("n"), &mut bytes)?;
    /// assert!(bytes.starts_with(br#"{"replica":"n""#));
    /// # Ok::<(), lattice_presence_json::EncodeError>(())
    /// ```
    pub fn to_json_writer<M, W>(&self, state: &PresenceState<M>, mut writer: W) -> Result<()>
    where
        M: Serialize + 'static,
        W: io::Write,
    {
        let sink = Sink::pieces(&mut writer, self.max_bytes);
        self.payload(sink, &Parts::of_state(state), state.entries())
            .map(drop)
    }

    /// Encodes a delta. O(size of the output).
    ///
    /// # Errors
    ///
    /// Where a peer would refuse something in it: see [`EncodeError`].
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut state = PresenceState::new("n");
    /// state.join("p", "t", "k", JsonMeta::default())?;
    /// if let Some(delta) = state.take_delta() {
    ///     let text = Encoder::new().delta_to_json_string(&delta)?;
    ///     assert!(text.contains(r#""clock":1"#));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delta_to_json_string<M>(&self, delta: &PresenceDelta<M>) -> Result<String>
    where
        M: Serialize + 'static,
    {
        self.payload(
            Sink::whole(self.max_bytes),
            &Parts::of_delta(delta),
            delta.entries(),
        )
    }

    /// The same into a writer, in pieces of some 64 KiB, more only where one
    /// entry takes more.
    ///
    /// # Errors
    ///
    /// Where a peer would refuse something in it, or the writer fails: see
    /// [`EncodeError`]. What was written until then stays written.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let snapshot = PresenceState::<JsonMeta>::new("n").snapshot();
    /// let mut bytes = Vec::new();
    /// Encoder::new().delta_to_json_writer(&snapshot, &mut bytes)?;
    /// assert!(bytes.ends_with(br#""values":[]}"#));
    /// # Ok::<(), lattice_presence_json::EncodeError>(())
    /// ```
    pub fn delta_to_json_writer<M, W>(&self, delta: &PresenceDelta<M>, mut writer: W) -> Result<()>
    where
        M: Serialize + 'static,
        W: io::Write,
    {
        let sink = Sink::pieces(&mut writer, self.max_bytes);
        self.payload(sink, &Parts::of_delta(delta), delta.entries())
            .map(drop)
    }

    /// Encodes a digest. Its clouds are always compact. O(size of the output).
    ///
    /// # Errors
    ///
    /// Where a replica has no name, or one above the limit, or the digest is over
    /// a limit as a whole.
    ///
    /// ```
    /// use lattice_presence::{Digest, ReplicaDigest};
    ///
    /// let known = ReplicaDigest::new([1, 2, 3, 5, 6].into_iter().collect(), 7);
    /// let digest = Digest::from_iter([("node-a".into(), known)]);
    /// assert_eq!(
    ///     lattice_presence_json::Encoder::new().digest_to_json_string(&digest)?,
    ///     r#"{"node-a":{"context":3,"cloud":[[5,6]],"fingerprint":"0000000000000007"}}"#,
    /// );
    /// # Ok::<(), lattice_presence_json::EncodeError>(())
    /// ```
    pub fn digest_to_json_string(&self, digest: &Digest<ReplicaId>) -> Result<String> {
        self.digest(digest)
    }
}
