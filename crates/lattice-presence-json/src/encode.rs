//! The calls of an encoder: what goes out to peers.

use std::io;

use lattice_presence::{CausalContext, Digest, PresenceDelta, PresenceState, ReplicaId, Shard};
use serde::Serialize;

use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::entry_check::{EntryError, text_of};
use crate::message;
use crate::parts::Parts;
use crate::to_json::ToJson;
use crate::write::quoted_len;

type Result<T> = core::result::Result<T, EncodeError>;

impl Encoder {
    /// Whether every peer reads an entry of this content: ask before you join it.
    /// O(length), and without serializing if the metadata is
    /// [`JsonMeta`](crate::JsonMeta).
    ///
    /// # Errors
    ///
    /// What is too long, or wrong with the metadata.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let encoder = Encoder::new().max_meta_bytes(20);
    /// assert!(encoder.check("room", "ada", "pid-1", &JsonMeta::new("here")?).is_ok());
    /// let error = encoder.check("room", "ada", "pid-1", &[7; 20]).unwrap_err();
    /// assert_eq!(error.to_string(), "metadata of 41 bytes, and 20 are the limit");
    /// # Ok::<(), lattice_presence_json::MetaError>(())
    /// ```
    pub fn check<M>(
        &self,
        topic: &str,
        key: &str,
        pid: &str,
        meta: &M,
    ) -> core::result::Result<(), EntryError>
    where
        M: Serialize + 'static,
    {
        self.limits.check_texts(topic, key, pid)?;
        let meta = text_of(meta)?.len();
        self.limits.check_meta_bytes(meta)?;
        let texts = [topic, key, pid].map(quoted_len);
        let bytes = texts.iter().sum::<usize>() + meta;
        let limit = self.limits.max_bytes;
        if bytes > limit {
            return Err(EntryError::TooLong { bytes, limit });
        }
        Ok(())
    }

    /// How many bytes at most a push of one entry takes beside what
    /// [`check`](Self::check) counts: take them off the size of a transport's payloads
    /// before you check what is to fit into one. O(length of the names).
    ///
    /// ```
    /// use lattice_presence::Shard;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let frame = Encoder::push_frame_len("chat", Shard::WHOLE, &"node-a".into());
    /// let encoder = Encoder::new().max_bytes(8192 - frame);
    /// assert!(encoder.check("room", "ada", "pid-1", &JsonMeta::default()).is_ok());
    /// assert!(encoder.check("room", "ada", "pid-1", &"x".repeat(8192)).is_err());
    /// ```
    #[must_use]
    pub fn push_frame_len(cluster: &str, shard: Shard, from: &ReplicaId) -> usize {
        message::frame_len(cluster, shard, from)
    }

    /// `delta`, a delta of `state`, as this form tells it best. In the compact form, as it
    /// is. In the default form, if a replica has long runs of dots that left, which
    /// would be listed clock by clock or [left out](Self::max_listed), all of that replica
    /// is told instead, if that is shorter: then its clocks are one prefix.
    ///
    /// A connection that stays while a million others come and go has a million such dots
    /// before the next join. O(what is told).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("pid", "room", "old", JsonMeta::default())?;
    /// let peer = a.clone().digest();
    /// for _ in 0..1000 {
    ///     a.join("pid", "room", "guest", JsonMeta::default())?;
    ///     let _ = a.leave("pid", "room", "guest");
    /// }
    /// let delta = a.delta_since(&peer);
    /// let encoder = Encoder::new();
    /// assert!(encoder.encode(&delta)?.text.len() > 3000);
    /// assert!(encoder.encode(&encoder.told(&a, delta))?.text.len() < 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn told<M>(&self, state: &PresenceState<M>, delta: PresenceDelta<M>) -> PresenceDelta<M> {
        // Clocks that are listed in any case, and rather than one entry more: a written
        // entry is about so many times as long as a written clock.
        const FEW_CLOCKS: u64 = 64;
        const CLOCKS_PER_ENTRY: u64 = 8;
        let entries = |replica| state.line(replica).and_then(|line| line.live);
        let scattered = delta.context().iter().filter(|(replica, claims)| {
            let worth = entries(replica)
                .unwrap_or(u64::MAX)
                .saturating_mul(CLOCKS_PER_ENTRY);
            claims.len() - claims.prefix() > worth.saturating_add(FEW_CLOCKS)
        });
        let whole = scattered.filter_map(|(replica, _)| {
            let seen = state.context().get(replica)?;
            Some((replica.clone(), seen.clone()))
        });
        let whole: CausalContext<ReplicaId> = whole.collect();
        if self.compact || whole.is_empty() {
            return delta;
        }
        state.delta_of(&delta.context().union(&whole))
    }

    /// Encodes a state, a delta, or a digest, and says what was left out of it. O(size of
    /// the output).
    ///
    /// # Errors
    ///
    /// If the writer of the payload has no name that a peer reads; if a state is
    /// too large for one payload; if the encoder is [`strict`](Self::strict) and
    /// something would be left out.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut state = PresenceState::new("n");
    /// state.join("pid", "room", "ada", JsonMeta::default())?;
    /// let digest = Encoder::new().encode(&state.digest())?;
    /// assert!(digest.text.starts_with(r#"{"n":{"context":1,"cloud":[],"fingerprint":""#));
    /// assert!(digest.left_out.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode<T: ToJson + ?Sized>(&self, what: &T) -> Result<Encoded> {
        what.encode(self)
    }

    /// The same into a writer, in pieces of some 64 KiB, more only if one entry takes
    /// more: buffering it is not necessary. Each entry is looked at before the first
    /// byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode); if a delta has too many bytes for one
    /// payload; if the writer fails. What was written until then stays written.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let state = PresenceState::<JsonMeta>::new("n");
    /// let mut bytes = Vec::new();
    /// let left_out = Encoder::new().encode_to(&state, &mut bytes)?;
    /// assert_eq!(bytes, Encoder::new().encode(&state)?.text.into_bytes());
    /// assert!(left_out.is_empty());
    /// # Ok::<(), lattice_presence_json::EncodeError>(())
    /// ```
    pub fn encode_to<T, W>(&self, what: &T, mut writer: W) -> Result<LeftOut>
    where
        T: ToJson + ?Sized,
        W: io::Write,
    {
        what.encode_to(self, &mut writer)
    }

    /// Encodes a state, a delta, or a digest in as many payloads as it takes, each within
    /// the limits. Each says what was left out of it.
    ///
    /// The parts of a state or a delta are deltas: merge each as it comes. Those of a
    /// digest are digests: who answers it collects them first, since a replica that is
    /// not in a digest counts as unknown.
    ///
    /// In the default form the clocks of a replica that is in several parts are listed,
    /// and long runs of them that have left are left out; prefer the
    /// [compact](Self::compact) form if peers read it.
    ///
    /// ```
    /// use lattice_presence::{CausalContext, Digest, PresenceState};
    /// use lattice_presence_json::{Encoder, JsonMeta, digest_from_json};
    ///
    /// let mut state = PresenceState::<JsonMeta>::new("n");
    /// for peer in ["a", "b", "c"] {
    ///     let mut other = PresenceState::new(peer);
    ///     other.join("pid", "room", "ada", JsonMeta::default())?;
    ///     state.merge(&other)?;
    /// }
    /// let mut collected = Digest::new();
    /// for part in Encoder::new().max_replicas(2).parts(&state.digest()) {
    ///     for (replica, known) in digest_from_json(&part?.text)?.iter() {
    ///         collected.insert(replica.clone(), known.clone());
    ///     }
    /// }
    /// assert_eq!(collected, state.digest());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parts<'p, T: ToJson + ?Sized>(&self, what: &'p T) -> Parts<'p> {
        what.parts(self)
    }

    /// [`encode`](Self::encode), for who does not ask what was left out of a state.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode).
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
        self.encode(state).map(|encoded| encoded.text)
    }

    /// [`encode_to`](Self::encode_to), for who does not ask what was left out of a state.
    ///
    /// # Errors
    ///
    /// Those of [`encode_to`](Self::encode_to).
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
    pub fn to_json_writer<M, W>(&self, state: &PresenceState<M>, writer: W) -> Result<()>
    where
        M: Serialize + 'static,
        W: io::Write,
    {
        self.encode_to(state, writer).map(drop)
    }

    /// [`encode`](Self::encode), for who does not ask what was left out of a delta.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut state = PresenceState::new("n");
    /// state.join("p", "t", "k", JsonMeta::default())?;
    /// let delta = state.take_delta().expect("something was joined");
    /// let text = Encoder::new().delta_to_json_string(&delta)?;
    /// assert!(text.contains(r#""clock":1"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delta_to_json_string<M>(&self, delta: &PresenceDelta<M>) -> Result<String>
    where
        M: Serialize + 'static,
    {
        self.encode(delta).map(|encoded| encoded.text)
    }

    /// [`encode_to`](Self::encode_to), for who does not ask what was left out of a delta.
    ///
    /// # Errors
    ///
    /// Those of [`encode_to`](Self::encode_to).
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
    pub fn delta_to_json_writer<M, W>(&self, delta: &PresenceDelta<M>, writer: W) -> Result<()>
    where
        M: Serialize + 'static,
        W: io::Write,
    {
        self.encode_to(delta, writer).map(drop)
    }

    /// [`encode`](Self::encode), for who does not ask what was left out of a digest. Its
    /// clouds are always compact.
    ///
    /// # Errors
    ///
    /// Only if the encoder is [`strict`](Self::strict).
    ///
    /// ```
    /// use lattice_presence::{CausalContext, Digest, ReplicaDigest};
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
        self.encode(digest).map(|encoded| encoded.text)
    }

    /// [`encode_to`](Self::encode_to), for who does not ask what was left out of a digest.
    ///
    /// # Errors
    ///
    /// If the writer fails, or the encoder is [`strict`](Self::strict).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta, digest_from_json_slice};
    ///
    /// let mut state = PresenceState::new("n");
    /// state.join("pid", "room", "ada", JsonMeta::default())?;
    /// let mut bytes = Vec::new();
    /// Encoder::new().digest_to_json_writer(&state.digest(), &mut bytes)?;
    /// assert_eq!(digest_from_json_slice(&bytes)?, state.digest());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn digest_to_json_writer<W: io::Write>(
        &self,
        digest: &Digest<ReplicaId>,
        writer: W,
    ) -> Result<()> {
        self.encode_to(digest, writer).map(drop)
    }
}
