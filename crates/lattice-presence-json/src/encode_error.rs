//! Why something cannot be written, and what was left out of what was.

use core::fmt;
use std::io;

use lattice_presence::{Dot, Presence, ReplicaId};
use thiserror::Error;

use crate::entry_check::EntryError;

/// Which entry an [`EncodeError`] is about. A text of more than 256 bytes is cut.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{EncodeError, Encoder, JsonMeta};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let encoder = Encoder::new().strict(true).max_meta_bytes(1);
/// let error = encoder.to_json_string(&state).unwrap_err();
/// let EncodeError::Entry { entry, .. } = error else { panic!("{error}") };
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
    fn of<M>(entry: &Presence<M>) -> Box<Self> {
        Box::new(Self {
            dot: entry.dot().clone(),
            topic: cut(entry.topic()),
            key: cut(entry.key()),
            pid: cut(entry.pid()),
        })
    }
}

/// What a log can bear of a text.
fn cut(text: &str) -> String {
    const SHOWN: usize = 256;
    if text.len() <= SHOWN {
        return text.into();
    }
    let end = (0..=SHOWN).rev().find(|&end| text.is_char_boundary(end));
    format!("{}…", &text[..end.unwrap_or(0)])
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dot,
            topic,
            key,
            pid,
        } = self;
        // A replica may have any name, and a log is a terminal.
        let dot: String = cut(&dot.to_string()).escape_debug().collect();
        write!(f, "{dot} (topic {topic:?}, key {key:?}, pid {pid:?})")
    }
}

/// Why a state, delta, digest or message cannot be written, or cannot be written
/// whole.
///
/// A writer may have got part of the payload; a string is not returned at all. Shown,
/// it holds no control characters of names.
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
    /// Every peer would refuse an entry, and all others with it.
    #[error("{why}, in {entry}")]
    Entry {
        /// The entry.
        entry: Box<EntryName>,
        /// What is wrong with it.
        #[source]
        why: EntryError,
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
    /// The payload as a whole is over a limit of the encoder: write it in
    /// [parts](crate::Encoder::parts).
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there is too much of: `replicas`, `values`, `cloud items` or
        /// `bytes`.
        what: &'static str,
        /// The encoder's limit.
        limit: usize,
    },
    /// The clouds claim more clocks that no entry of the payload carries than the form
    /// may list, or than the limit on claims allows.
    #[error("claims of more than {limit} clocks without an entry, in replica {replica:?}")]
    CloudTooWide {
        /// The first replica with a claim that is over the limit.
        replica: Box<ReplicaId>,
        /// The limit: [`max_listed`](crate::Encoder::max_listed) in the default form,
        /// [`max_claims`](crate::Encoder::max_claims) in the compact one.
        limit: u64,
    },
    /// A message with a delta of somebody else than its sender.
    #[error("a message with a delta that its sender did not write")]
    NotTheSender,
    /// A message of a kind that this version of the codec does not know.
    #[error("a {kind} that this version cannot write")]
    UnknownKind {
        /// The kind.
        kind: &'static str,
    },
    /// The writer failed.
    #[error("the payload could not be written")]
    Io(#[source] io::Error),
}

impl EncodeError {
    #[cold]
    pub(crate) fn entry<M>(entry: &Presence<M>, why: EntryError) -> Self {
        let entry = EntryName::of(entry);
        Self::Entry { entry, why }
    }
}
