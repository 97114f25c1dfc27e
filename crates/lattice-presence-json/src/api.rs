//! The calls with default limits.

use std::io;

use lattice_presence::{Digest, PresenceDelta, PresenceState, ReplicaId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{DecodeError, Decoder, EncodeError, Encoder};

/// [`Encoder::to_json_string`] in the default form.
///
/// # Errors
///
/// If a peer would refuse something in the state. See [`EncodeError`].
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, from_json, to_json_string};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let payload = to_json_string(&state)?;
/// assert_eq!(
///     payload,
///     concat!(
///         r#"{"replica":"node-a","context":{"node-a":1},"clouds":{},"values":["#,
///         r#"{"tag":{"replica":"node-a","clock":1},"#,
///         r#""entry":{"topic":"room","key":"ada","pid":"pid-1","meta":{}}}]}"#,
///     ),
/// );
/// assert!(from_json::<JsonMeta>(&payload)?.contains("pid-1", "room", "ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn to_json_string<M>(state: &PresenceState<M>) -> Result<String, EncodeError>
where
    M: Serialize + 'static,
{
    Encoder::new().to_json_string(state)
}

/// [`Encoder::to_json_writer`] in the default form.
///
/// # Errors
///
/// If a peer would refuse something in the state, or the writer fails.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, to_json_string, to_json_writer};
///
/// let state = PresenceState::<JsonMeta>::new("node-a");
/// let mut bytes = Vec::new();
/// to_json_writer(&state, &mut bytes)?;
/// assert_eq!(bytes, to_json_string(&state)?.into_bytes());
/// # Ok::<(), lattice_presence_json::EncodeError>(())
/// ```
pub fn to_json_writer<M, W>(state: &PresenceState<M>, writer: W) -> Result<(), EncodeError>
where
    M: Serialize + 'static,
    W: io::Write,
{
    Encoder::new().to_json_writer(state, writer)
}

/// [`Decoder::from_json`] under default limits.
///
/// # Errors
///
/// If the payload is malformed or over a limit. Then nothing is built.
///
/// ```
/// use lattice_presence_json::{JsonMeta, from_json};
///
/// let payload = r#"{"replica":"n","context":{"n":2},"clouds":{"m":[4]},"values":[]}"#;
/// let state = from_json::<JsonMeta>(payload)?;
/// assert_eq!(state.context().prefix(&"n".into()), 2);
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
pub fn from_json<M>(text: &str) -> Result<PresenceState<M>, DecodeError>
where
    M: DeserializeOwned + 'static,
{
    Decoder::new().from_json(text)
}

/// [`Decoder::from_json_slice`] under default limits.
///
/// # Errors
///
/// If the payload is not UTF-8, malformed or over a limit. Then nothing is built.
///
/// ```
/// use lattice_presence_json::{JsonMeta, from_json_slice};
///
/// let payload = br#"{"replica":"n","context":{"n":1},"clouds":{},"values":[
///     {"tag":{"replica":"n","clock":1},
///      "entry":{"topic":"room","key":"ada","pid":"pid-1","meta":{}}}]}"#;
/// assert!(from_json_slice::<JsonMeta>(payload)?.contains("pid-1", "room", "ada"));
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
pub fn from_json_slice<M>(bytes: &[u8]) -> Result<PresenceState<M>, DecodeError>
where
    M: DeserializeOwned + 'static,
{
    Decoder::new().from_json_slice(bytes)
}

/// [`Encoder::delta_to_json_string`] in the default form.
///
/// # Errors
///
/// If a peer would refuse something in the delta. See [`EncodeError`].
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, delta_from_json, delta_to_json_string};
///
/// let (mut a, mut b) = (PresenceState::new("a"), PresenceState::<JsonMeta>::new("b"));
/// a.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let payload = delta_to_json_string(&a.delta_since(&b.digest()))?;
/// b.merge_delta(&delta_from_json(&payload)?)?;
/// assert!(b.contains("pid-1", "room", "ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn delta_to_json_string<M>(delta: &PresenceDelta<M>) -> Result<String, EncodeError>
where
    M: Serialize + 'static,
{
    Encoder::new().delta_to_json_string(delta)
}

/// [`Encoder::delta_to_json_writer`] in the default form.
///
/// # Errors
///
/// If a peer would refuse something in the delta, or the writer fails.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, delta_to_json_string, delta_to_json_writer};
///
/// let snapshot = PresenceState::<JsonMeta>::new("node-a").snapshot();
/// let mut bytes = Vec::new();
/// delta_to_json_writer(&snapshot, &mut bytes)?;
/// assert_eq!(bytes, delta_to_json_string(&snapshot)?.into_bytes());
/// # Ok::<(), lattice_presence_json::EncodeError>(())
/// ```
pub fn delta_to_json_writer<M, W>(delta: &PresenceDelta<M>, writer: W) -> Result<(), EncodeError>
where
    M: Serialize + 'static,
    W: io::Write,
{
    Encoder::new().delta_to_json_writer(delta, writer)
}

/// [`Decoder::delta_from_json`] under default limits.
///
/// # Errors
///
/// If the payload is malformed or over a limit. Then nothing is built.
///
/// ```
/// use lattice_presence_json::{JsonMeta, delta_from_json};
///
/// let payload = r#"{"replica":"n","context":{},"clouds":{"n":[7]},"values":[]}"#;
/// let delta = delta_from_json::<JsonMeta>(payload)?;
/// assert!(delta.context().contains_clock(&"n".into(), 7));
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
pub fn delta_from_json<M>(text: &str) -> Result<PresenceDelta<M>, DecodeError>
where
    M: DeserializeOwned + 'static,
{
    Decoder::new().delta_from_json(text)
}

/// [`Decoder::delta_from_json_slice`] under default limits.
///
/// # Errors
///
/// If the payload is not UTF-8, malformed or over a limit. Then nothing is built.
///
/// ```
/// use lattice_presence_json::{JsonMeta, delta_from_json_slice};
///
/// // Of n, the clocks 3 to 9 were seen, and none of them lives.
/// let payload = br#"{"replica":"n","context":{},"clouds":{"n":[[3,9]]},"values":[]}"#;
/// let delta = delta_from_json_slice::<JsonMeta>(payload)?;
/// assert_eq!((delta.len(), delta.context().max(&"n".into())), (0, 9));
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
pub fn delta_from_json_slice<M>(bytes: &[u8]) -> Result<PresenceDelta<M>, DecodeError>
where
    M: DeserializeOwned + 'static,
{
    Decoder::new().delta_from_json_slice(bytes)
}

/// [`Encoder::digest_to_json_string`] under default limits.
///
/// # Errors
///
/// If a replica has no name, or a very long one.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, digest_from_json, digest_to_json_string};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let payload = digest_to_json_string(&state.digest())?;
/// assert_eq!(digest_from_json(&payload)?, state.digest());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn digest_to_json_string(digest: &Digest<ReplicaId>) -> Result<String, EncodeError> {
    Encoder::new().digest_to_json_string(digest)
}

/// [`Encoder::digest_to_json_writer`] under default limits.
///
/// # Errors
///
/// If the writer fails.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, digest_to_json_string, digest_to_json_writer};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let mut bytes = Vec::new();
/// digest_to_json_writer(&state.digest(), &mut bytes)?;
/// assert_eq!(bytes, digest_to_json_string(&state.digest())?.into_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn digest_to_json_writer<W: io::Write>(
    digest: &Digest<ReplicaId>,
    writer: W,
) -> Result<(), EncodeError> {
    Encoder::new().digest_to_json_writer(digest, writer)
}

/// [`Decoder::digest_from_json`] under default limits.
///
/// # Errors
///
/// If the payload is malformed or over a limit. Then nothing is built.
///
/// ```
/// let payload = r#"{"n":{"context":3,"cloud":[[5,6]],"fingerprint":"0000000000000007"}}"#;
/// let digest = lattice_presence_json::digest_from_json(payload)?;
/// assert_eq!(digest.get(&"n".into()).unwrap().fingerprint, 7);
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
pub fn digest_from_json(text: &str) -> Result<Digest<ReplicaId>, DecodeError> {
    Decoder::new().digest_from_json(text)
}

/// [`Decoder::digest_from_json_slice`] under default limits.
///
/// # Errors
///
/// If the payload is not UTF-8, malformed or over a limit. Then nothing is built.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{JsonMeta, digest_from_json_slice};
///
/// let mut state = PresenceState::new("a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// // A peer that knows nothing is told everything.
/// let delta = state.delta_since(&digest_from_json_slice(b"{}")?);
/// assert_eq!(delta.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn digest_from_json_slice(bytes: &[u8]) -> Result<Digest<ReplicaId>, DecodeError> {
    Decoder::new().digest_from_json_slice(bytes)
}
