//! Why something cannot be written.

use core::fmt;
use std::io;

use lattice_presence::{Dot, Presence, ReplicaId};
use thiserror::Error;

use crate::error::DecodeError;

/// Which entry an [`EncodeError`] is about.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{EncodeError, Encoder, JsonMeta};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let error = Encoder::new().max_meta_bytes(1).to_json_string(&state).unwrap_err();
/// let EncodeError::MetaTooLong { entry, .. } = error else { panic!("{error}") };
/// assert_eq!(entry.key, "ada");
/// assert_eq!(entry.to_string(), r#"node-a:1 (topic "room", key "ada", pid "pid-1")"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryName {
    /// The dot of the entry.
    pub dot: Dot<ReplicaId>,
    /// The topic of the entry.
    pub topic: String,
    /// The key of the entry.
    pub key: String,
    /// The pid of the entry.
    pub pid: String,
}

impl EntryName {
    #[cold]
    pub(crate) fn of<M>(presence: &Presence<M>) -> Box<Self> {
        Box::new(Self {
            dot: presence.dot().clone(),
            topic: presence.topic().into(),
            key: presence.key().into(),
            pid: presence.pid().into(),
        })
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dot,
            topic,
            key,
            pid,
        } = self;
        let dot = escaped(dot);
        write!(f, "{dot} (topic {topic:?}, key {key:?}, pid {pid:?})")
    }
}

/// A dot for people: a replica may have any name, and a log is a terminal.
fn escaped(dot: &Dot<ReplicaId>) -> String {
    dot.to_string().escape_debug().collect()
}

/// Why a state, delta or digest cannot be written.
///
/// It is refused here rather than at every peer, where one entry would keep all
/// the others from arriving. A writer may have got part of the payload; a string
/// is not returned at all. Shown, it holds no control characters of names.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{EncodeError, JsonMeta, to_json_string};
///
/// let nameless = PresenceState::<JsonMeta>::new("");
/// assert!(matches!(to_json_string(&nameless), Err(EncodeError::EmptyReplica)));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The metadata of an entry does not serialize as JSON.
    #[error("the metadata of {entry} does not serialize")]
    Serialize {
        /// The entry.
        entry: Box<EntryName>,
        /// What its metadata type says.
        source: serde_json::Error,
    },
    /// The metadata of an entry nests deeper than
    /// [`MAX_META_DEPTH`](crate::MAX_META_DEPTH), or holds a lone surrogate in
    /// raw text.
    #[error("the metadata of {entry} is refused by every peer")]
    Meta {
        /// The entry.
        entry: Box<EntryName>,
        /// What a peer would say of the metadata alone.
        source: DecodeError,
    },
    /// The metadata of an entry is longer than the encoder's limit.
    #[error("the metadata of {entry} takes {bytes} bytes")]
    MetaTooLong {
        /// The entry.
        entry: Box<EntryName>,
        /// How many bytes it takes.
        bytes: usize,
    },
    /// The topic, key or pid of an entry is longer than the encoder's limit.
    #[error("the {field} of {} takes {bytes} bytes", escaped(dot))]
    StringTooLong {
        /// The dot of the entry.
        dot: Box<Dot<ReplicaId>>,
        /// Which of its strings: `topic`, `key` or `pid`.
        field: &'static str,
        /// How many bytes it takes.
        bytes: usize,
    },
    /// A replica has an empty name.
    #[error("a replica with an empty name")]
    EmptyReplica,
    /// The name of a replica is longer than the encoder's limit.
    #[error("a replica name of {bytes} bytes")]
    ReplicaTooLong {
        /// How many bytes it takes.
        bytes: usize,
    },
    /// The payload as a whole is over a limit of the encoder.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there is too much of: `replicas`, `values`, `cloud items` or
        /// `bytes`.
        what: &'static str,
        /// The encoder's limit.
        limit: usize,
    },
    /// The clouds hold more clocks than the default form, which lists each of
    /// them, may list. In the compact form a run of clocks is one item.
    #[error(
        "clouds of more than {limit} clocks, up to replica {replica:?}: only the compact form can list them"
    )]
    CloudTooWide {
        /// The replica at which the limit was passed.
        replica: Box<ReplicaId>,
        /// The encoder's limit.
        limit: usize,
    },
    /// The writer failed.
    #[error("the payload could not be written")]
    Io(#[source] io::Error),
}
