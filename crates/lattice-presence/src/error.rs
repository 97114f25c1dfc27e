//! What can be refused. Every refusal leaves the state exactly as it was.

use core::fmt;

use lattice_causal::{ClockExhausted, Dot};
use thiserror::Error;

use crate::ReplicaId;
use crate::presence::MAX_TEXT_BYTES;

/// The texts of an entry, in the order in which [`join`](crate::PresenceState::join)
/// takes them.
///
/// ```
/// assert_eq!(lattice_presence::Field::Topic.to_string(), "topic");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// What holds the presence, a connection for example.
    Pid,
    /// Where, a room for example.
    Topic,
    /// What is present, a user for example.
    Key,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pid => "pid",
            Self::Topic => "topic",
            Self::Key => "key",
        })
    }
}

/// Why a [`join`](crate::PresenceState::join) was refused. Nothing changed.
///
/// ```
/// use lattice_presence::{CausalContext, JoinError, MAX_CLOCK, PresenceDelta, PresenceState};
///
/// let mut context = CausalContext::new();
/// context.insert_range("a".into(), 1..=MAX_CLOCK);
/// let spent = PresenceDelta::from_parts("a".into(), context, vec![])?;
/// let mut state = PresenceState::from_snapshot(spent);
/// assert_eq!(state.join("p", "t", "k", ()).unwrap_err(), JoinError::ClockExhausted);
/// # Ok::<(), lattice_presence::PartsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The replica has used its last clock: it must go on as a new incarnation, see
    /// [`reincarnate`](crate::PresenceState::reincarnate).
    #[error("the replica has used its last clock, nothing changed")]
    ClockExhausted,
    /// A text is longer than [`MAX_TEXT_BYTES`]: no peer would read the entry.
    #[error("the {field} has {len} bytes, {MAX_TEXT_BYTES} are allowed, nothing changed")]
    TooLong {
        /// Which one.
        field: Field,
        /// How many bytes it has.
        len: usize,
    },
}

impl From<ClockExhausted> for JoinError {
    fn from(_: ClockExhausted) -> Self {
        Self::ClockExhausted
    }
}

/// Why an [`update`](crate::PresenceState::update) was refused. Nothing changed.
///
/// ```
/// use lattice_presence::{PresenceState, UpdateError};
///
/// let mut state = PresenceState::new("a");
/// assert_eq!(state.update("p", "t", "k", ()).unwrap_err(), UpdateError::Absent);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The local replica holds no entry for this pid, topic and key.
    #[error("there is no local entry to update, nothing changed")]
    Absent,
    /// The replica has used its last clock: it must go on as a new incarnation, see
    /// [`reincarnate`](crate::PresenceState::reincarnate).
    #[error("the replica has used its last clock, nothing changed")]
    ClockExhausted,
    /// A text is longer than [`MAX_TEXT_BYTES`]: no peer would read the entry.
    #[error("the {field} has {len} bytes, {MAX_TEXT_BYTES} are allowed, nothing changed")]
    TooLong {
        /// Which one.
        field: Field,
        /// How many bytes it has.
        len: usize,
    },
}

impl From<JoinError> for UpdateError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::ClockExhausted => Self::ClockExhausted,
            JoinError::TooLong { field, len } => Self::TooLong { field, len },
        }
    }
}

/// Why a merge was refused (rules S6 and S14). Nothing changed.
///
/// ```
/// use lattice_presence::{MergeError, PresenceState};
///
/// // Two processes write under one name.
/// let (mut one, mut two) = (PresenceState::new("a"), PresenceState::new("a"));
/// one.join("p", "t", "alice", ())?;
/// let error = two.merge(&one).unwrap_err();
/// assert_eq!(error, MergeError::SameReplica { replica: "a".into() });
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The other side knows events of the local replica that it never issued: an
    /// earlier life under the same name, or two live nodes that share it.
    #[error(
        "the other side knows events of `{replica}` that this replica never issued, \
         nothing changed: give each incarnation its own name"
    )]
    SameReplica {
        /// The local replica.
        replica: ReplicaId,
    },
    /// One dot carries different entries on the two sides: two processes minted
    /// it under one name.
    #[error("the dot {dot} carries different entries on the two sides, nothing changed")]
    ConflictingDot {
        /// The first such dot, in dot order.
        dot: Dot<ReplicaId>,
    },
    /// The delta speaks of something else than its sender's own entries.
    #[error("the delta of `{peer}` speaks of `{found}`, nothing changed")]
    NotOwned {
        /// The peer from which the delta was accepted.
        peer: ReplicaId,
        /// The first other replica in it.
        found: ReplicaId,
    },
}

/// Why a lifecycle call was refused (rules S9 and S10). Nothing changed.
///
/// ```
/// use lattice_presence::{LifecycleError, PresenceState};
///
/// let mut state = PresenceState::<()>::new("a");
/// let error = state.remove_down_replica(&"b".into()).unwrap_err();
/// assert_eq!(error, LifecycleError::NotDown { replica: "b".into() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// Only a replica that is marked down may be removed.
    #[error("`{replica}` is not marked down, nothing changed")]
    NotDown {
        /// The replica in question.
        replica: ReplicaId,
    },
    /// The local replica can neither remove nor supersede itself: without its
    /// context it would mint its dots a second time.
    #[error("`{replica}` is the local replica, nothing changed")]
    LocalReplica {
        /// The local replica.
        replica: ReplicaId,
    },
    /// A newer incarnation of the base is known: the one that was named current is a
    /// former life itself.
    #[error("`{newest}` is newer, nothing changed")]
    NewerKnown {
        /// The newest one that is known.
        newest: ReplicaId,
    },
}

/// Why a state was not moved to another id. Nothing changed.
///
/// ```
/// use lattice_presence::{PresenceState, ReincarnateError};
///
/// let mut state = PresenceState::<()>::new("a");
/// let error = state.reincarnate("a".into()).unwrap_err();
/// assert_eq!(error, ReincarnateError::NotFresh { replica: "a".into() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReincarnateError {
    /// The id is the present one, or something is known of it already: its dots may
    /// have been minted (rule S1).
    #[error("`{replica}` is not a fresh id, nothing changed")]
    NotFresh {
        /// The id that was asked for.
        replica: ReplicaId,
    },
    /// A newer incarnation of its base is known, to which it would yield at once.
    #[error("`{newest}` is newer, nothing changed")]
    NewerKnown {
        /// The newest one that is known.
        newest: ReplicaId,
    },
}

/// Why parts make no delta. Nothing was built.
///
/// ```
/// use lattice_presence::{CausalContext, Dot, PartsError, Presence, PresenceDelta};
///
/// let dot = Dot::new("a".into(), 1);
/// let entry = Presence::new(dot.clone(), "t", "k", "p", ());
/// let error = PresenceDelta::from_parts("a".into(), CausalContext::new(), vec![entry]).unwrap_err();
/// assert_eq!(error, PartsError::Uncovered { dot });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartsError {
    /// Two entries stand under one dot.
    #[error("two entries stand under the dot {dot}")]
    Duplicate {
        /// The dot.
        dot: Dot<ReplicaId>,
    },
    /// The context has not seen the dot of an entry, or its clock is outside
    /// `1..=MAX_CLOCK`.
    #[error("the context has not seen the dot {dot} of an entry")]
    Uncovered {
        /// The dot.
        dot: Dot<ReplicaId>,
    },
}
