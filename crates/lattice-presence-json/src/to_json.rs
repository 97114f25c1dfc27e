//! What an encoder writes.

use alloc::boxed::Box;
use core::iter;
use std::io;

use lattice_presence::{Digest, Message, PresenceDelta, PresenceState, ReplicaId, Shard};
use serde::Serialize;

use crate::digest_parts::DigestCutter;
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::message;
use crate::parts::{Cutter, Parts};
use crate::plan::Source;
use crate::sink::Sink;

/// What an [`Encoder`](crate::Encoder) writes: a state, a delta, a digest, a message.
/// Nobody else implements it.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{EncodeError, Encoder, JsonMeta, ToJson};
///
/// fn length(what: &impl ToJson) -> Result<usize, EncodeError> {
///     Ok(Encoder::new().encode(what)?.text.len())
/// }
///
/// let state = PresenceState::<JsonMeta>::new("n");
/// assert!(length(&state)? > length(&state.digest())?);
/// # Ok::<(), EncodeError>(())
/// ```
pub trait ToJson: Encodable {}

impl<M: Serialize + 'static> ToJson for PresenceState<M> {}
impl<M: Serialize + 'static> ToJson for PresenceDelta<M> {}
impl ToJson for Digest<ReplicaId> {}
impl<M: Serialize + 'static> ToJson for Message<M> {}

type Result<T> = core::result::Result<T, EncodeError>;

impl Encoder {
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

    /// The same into a writer, some 64 KiB at a time, more only if one entry takes
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
    /// and long intervals of them that have left are left out; prefer the
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

/// The part of [`ToJson`] that is nobody else's business.
#[allow(unnameable_types, reason = "so that nobody else implements it")]
pub trait Encodable {
    #[doc(hidden)]
    fn encode(&self, encoder: &Encoder) -> Result<Encoded>;
    #[doc(hidden)]
    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut>;
    #[doc(hidden)]
    fn parts(&self, encoder: &Encoder) -> Parts<'_>;
}

impl<M: Serialize + 'static> Encodable for PresenceState<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        whole(encoder, self)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        whole_to(encoder, self, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        parts(encoder, self)
    }
}

impl<M: Serialize + 'static> Encodable for PresenceDelta<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        match whole(encoder, self) {
            Err(reason @ EncodeError::TooMany { .. }) if !encoder.strict => {
                beginning(encoder, self, reason)
            }
            result => result,
        }
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        whole_to(encoder, self, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        parts(encoder, self)
    }
}

impl Encodable for Digest<ReplicaId> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        encoder.digest(self)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        at_once(encoder.digest(self)?, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        Parts(Box::new(DigestCutter::new(encoder, self)))
    }
}

impl<M: Serialize + 'static> Encodable for Message<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        message::encode(encoder, self, encoder.limits.max_bytes)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        at_once(self.encode(encoder)?, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        message::parts(encoder, self)
    }
}

/// What is short is written at once.
fn at_once(encoded: Encoded, writer: &mut dyn io::Write) -> Result<LeftOut> {
    let written = writer.write_all(encoded.text.as_bytes());
    let written = written.and_then(|()| writer.flush());
    written.map_err(EncodeError::Io)?;
    Ok(encoded.left_out)
}

/// In one payload: in one pass if nothing has to be left out.
fn whole<M: Serialize + 'static>(encoder: &Encoder, source: &impl Source<M>) -> Result<Encoded> {
    let sink = || Sink::whole(encoder.limits.max_bytes);
    let hopeful = encoder.hopeful_plan(source)?;
    let (text, plan) = match encoder.payload(sink(), source, &hopeful) {
        Err(EncodeError::Entry { .. }) if !encoder.strict => {
            let plan = encoder.plan(source)?;
            (encoder.payload(sink(), source, &plan)?, plan)
        }
        text => (text?, hopeful),
    };
    let left_out = plan.left_out;
    Ok(Encoded { text, left_out })
}

fn whole_to<M: Serialize + 'static>(
    encoder: &Encoder,
    source: &impl Source<M>,
    writer: &mut dyn io::Write,
) -> Result<LeftOut> {
    let plan = if encoder.strict {
        encoder.hopeful_plan(source)?
    } else {
        encoder.plan(source)?
    };
    let sink = Sink::streamed(writer, encoder.limits.max_bytes);
    encoder.payload(sink, source, &plan)?;
    Ok(plan.left_out)
}

/// The first part of a delta that is too large for one payload.
fn beginning<M: Serialize + 'static>(
    encoder: &Encoder,
    delta: &PresenceDelta<M>,
    reason: EncodeError,
) -> Result<Encoded> {
    let mut cutter = Cutter::new(encoder, delta)?;
    let Some(part) = cutter.next_part() else {
        return Err(reason);
    };
    let part = part?;
    let mut encoded = part.encoded;
    let told = part.entries as u64 + encoded.left_out.entries;
    let entries = (delta.len() as u64).saturating_sub(told);
    let untold = delta.context().difference(&part.context);
    let clocks = untold.iter().map(|(_, clocks)| clocks.len());
    let clocks = clocks.fold(0, u64::saturating_add);
    encoded.left_out.add(LeftOut {
        entries,
        claims: clocks.saturating_sub(entries),
        replicas: 0,
        reasons: vec![reason],
    });
    Ok(encoded)
}

fn parts<'p, M: Serialize + 'static>(encoder: &Encoder, source: &'p impl Source<M>) -> Parts<'p> {
    match Cutter::new(encoder, source) {
        Ok(cutter) => Parts(Box::new(cutter)),
        Err(error) => Parts(Box::new(iter::once(Err(error)))),
    }
}
