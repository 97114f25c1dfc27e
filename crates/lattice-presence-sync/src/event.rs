//! Events from a machine to its caller, and hints from the caller.

use core::fmt;

use lattice_presence::{Diff, Message, ReplicaId};

/// What happened, in order. Take events with
/// [`Sync::poll_event`](crate::Sync::poll_event) until there are none.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::PresenceState;
/// use lattice_presence_sync::{Cause, Config, Event, Sync};
///
/// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
/// while let Some(event) = node.poll_event() {
///     match event {
///         Event::Changed { diff, cause } => assert_eq!((diff.len(), cause), (1, Cause::Local)),
///         Event::PeerUp { peer } => println!("{peer} is there"),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an event is the only report of what changed"]
#[non_exhaustive]
pub enum Event<M> {
    /// The visible view changed. Every visible change is in exactly one such event. If
    /// you replay them in order, onto what was visible when the machine was made, you get
    /// [`online_list`](lattice_presence::PresenceState::online_list) after every call
    /// (rule R10).
    Changed {
        /// What changed.
        diff: Diff<M>,
        /// Why.
        cause: Cause,
    },
    /// A peer was heard that was not up before.
    PeerUp {
        /// The peer.
        peer: ReplicaId,
    },
    /// A peer is silent, has left, or has a successor. Its entries are hidden.
    PeerDown {
        /// The peer.
        peer: ReplicaId,
    },
    /// The memory of a peer is freed (rule R7). If the peer returns, it is seen again.
    PeerForgotten {
        /// The peer.
        peer: ReplicaId,
    },
    /// A newer incarnation of this node runs, and was heard itself. This event comes
    /// once. From now on nothing is written here. Drain and stop (rule R9). If the newer
    /// one is an impostor, you can instead continue under a newer id with
    /// [`Sync::reincarnate`](crate::Sync::reincarnate).
    Superseded {
        /// The newer incarnation.
        by: ReplicaId,
    },
    /// A peer knows events of this replica that it never issued, or one dot has two
    /// entries. Two processes write under one name, or somebody lies. This event comes at
    /// most once in a [`patience`](crate::Config::patience) for each peer. The status of
    /// the peer has the counts.
    Conflict {
        /// The peer that said so.
        peer: ReplicaId,
        /// What was refused.
        error: lattice_presence::MergeError,
    },
}

/// Why the visible view changed.
///
/// ```
/// use lattice_presence_sync::Cause;
///
/// assert_eq!(Cause::Up("node-b".into()).peer().unwrap().as_str(), "node-b");
/// assert_eq!(Cause::Local.peer(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// This node wrote.
    Local,
    /// A message of this peer was merged.
    Merged(ReplicaId),
    /// This peer fell silent.
    Down(ReplicaId),
    /// This peer is heard again.
    Up(ReplicaId),
    /// This peer said goodbye, a [`handover`](crate::Config::handover) ago.
    Left(ReplicaId),
    /// This peer has a newer incarnation, which was heard a
    /// [`handover`](crate::Config::handover) ago.
    Restarted(ReplicaId),
    /// This peer is forgotten.
    Forgotten(ReplicaId),
}

impl Cause {
    /// The peer from which the change came, or which it is about. `None` if this node
    /// wrote. O(1).
    ///
    /// ```
    /// use lattice_presence_sync::Cause;
    ///
    /// assert_eq!(Cause::Left("b".into()).peer(), Some(&"b".into()));
    /// ```
    #[must_use]
    pub const fn peer(&self) -> Option<&ReplicaId> {
        match self {
            Self::Local => None,
            Self::Merged(peer)
            | Self::Down(peer)
            | Self::Up(peer)
            | Self::Left(peer)
            | Self::Restarted(peer)
            | Self::Forgotten(peer) => Some(peer),
        }
    }
}

/// What a transport believes of a peer. It is only a hint, and may be wrong (rule R6).
///
/// ```
/// assert_ne!(lattice_presence_sync::Hint::Up, lattice_presence_sync::Hint::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The peer is there. This node sends it a heartbeat soon. It counts as up when it is
    /// heard.
    Up,
    /// The peer is gone. It is down after [`hint_grace`](crate::Config::hint_grace),
    /// unless it is heard before.
    Lost,
}

/// A message and its receiver. See [`Sync::poll_transmit`](crate::Sync::poll_transmit).
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::PresenceState;
/// use lattice_presence_sync::{Config, Sync, To, Transmit};
///
/// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
/// let Some(Transmit { to, message }) = node.poll_transmit(Duration::ZERO) else {
///     panic!("there is a change");
/// };
/// assert_eq!((to, message.body.kind()), (To::All, "push"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Transmit<M> {
    /// The receiver.
    pub to: To,
    /// The message.
    pub message: Message<M>,
}

/// The receiver of a message.
///
/// ```
/// assert_ne!(lattice_presence_sync::To::All, lattice_presence_sync::To::One("b".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every peer that the transport reaches.
    All,
    /// One peer.
    One(ReplicaId),
}

impl<M: fmt::Debug> fmt::Debug for Event<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { diff, cause } => f
                .debug_struct("Changed")
                .field("diff", diff)
                .field("cause", cause)
                .finish(),
            Self::PeerUp { peer } => f.debug_struct("PeerUp").field("peer", peer).finish(),
            Self::PeerDown { peer } => f.debug_struct("PeerDown").field("peer", peer).finish(),
            Self::PeerForgotten { peer } => {
                f.debug_struct("PeerForgotten").field("peer", peer).finish()
            }
            Self::Superseded { by } => f.debug_struct("Superseded").field("by", by).finish(),
            Self::Conflict { peer, error } => f
                .debug_struct("Conflict")
                .field("peer", peer)
                .field("error", error)
                .finish(),
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for Transmit<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit")
            .field("to", &self.to)
            .field("message", &self.message)
            .finish()
    }
}
