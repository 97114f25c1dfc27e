//! Who is there, as far as this node can know (rule R12).

use core::time::Duration;

use lattice_presence::{Refusal, ReplicaId};

use crate::peer::{Condition, Peer};
use crate::refused::{Refused, RefusedCounts};

/// What a machine believes of a peer.
///
/// ```
/// use lattice_presence_sync::Liveness;
///
/// assert!(Liveness::Stale.is_visible() && !Liveness::Down.is_visible());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Liveness {
    /// Heard a short while ago.
    Up,
    /// It is not heard, but it is shown. Only others spoke of it, or no peer at all is
    /// heard any more.
    Stale,
    /// It said goodbye. It is shown for a [`handover`](crate::Config::handover).
    Leaving,
    /// It is silent, gone, or replaced by a newer incarnation. It is hidden.
    Down,
}

impl Liveness {
    /// Whether the entries of such a peer are shown.
    ///
    /// ```
    /// assert!(lattice_presence_sync::Liveness::Leaving.is_visible());
    /// ```
    #[must_use]
    pub const fn is_visible(self) -> bool {
        !matches!(self, Self::Down)
    }
}

/// What is known of one peer, at one moment. See [`Sync::peers`](crate::Sync::peers).
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::{Body, Message, PresenceState, ReplicaDigest, Shard};
/// use lattice_presence_sync::{Config, Liveness, Sync};
///
/// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// let (line, pushes) = (ReplicaDigest::default(), 1);
/// let heartbeat = Message::new("chat", Shard::WHOLE, "b", Body::Heartbeat { line, pushes });
/// node.receive(Duration::ZERO, &"b".into(), heartbeat)?;
/// let status = node.peer(&"b".into()).unwrap();
/// assert_eq!(status.liveness, Liveness::Up);
/// assert_eq!(status.last_heard, Some(Duration::ZERO));
/// assert_eq!(status.refused.total(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus<'a> {
    /// The incarnation.
    pub id: &'a ReplicaId,
    /// Its status.
    pub liveness: Liveness,
    /// The time at which the status began.
    pub since: Duration,
    /// The time at which it was heard last. `None` if only others spoke of it.
    pub last_heard: Option<Duration>,
    /// The time since which this node holds everything that the peer says it holds.
    /// `None` if something is missing, or if it is not known.
    pub agrees_since: Option<Duration>,
    /// Whether this node is asking for something of the peer.
    pub repairing: bool,
    /// Whether its memory is freed. It was down for a long time, said goodbye, or has a
    /// successor.
    pub forgotten: bool,
    /// The counts of its refused messages.
    pub refused: &'a RefusedCounts,
    /// The time until which it gets no answers, because all its messages were refused.
    pub muted_until: Option<Duration>,
    /// The reason for which it refuses this node, if it said so.
    pub refuses_us: Option<&'a Refusal>,
}

impl<'a> PeerStatus<'a> {
    pub(crate) fn new(
        id: &'a ReplicaId,
        peer: &'a Peer,
        now: Duration,
        set_back: Duration,
    ) -> Self {
        let shown = |time: Duration| time.saturating_sub(set_back);
        Self {
            id,
            liveness: match peer.condition {
                Condition::Up => Liveness::Up,
                Condition::Unheard | Condition::Stale => Liveness::Stale,
                Condition::Leaving { .. } => Liveness::Leaving,
                Condition::Down | Condition::Forgotten { .. } => Liveness::Down,
            },
            since: shown(peer.since),
            last_heard: peer.heard.map(shown),
            agrees_since: peer.agrees_since.map(shown),
            repairing: !peer.repair.is_idle(),
            forgotten: matches!(peer.condition, Condition::Forgotten { .. }),
            refused: &peer.refused,
            muted_until: (peer.muted_until > now).then(|| shown(peer.muted_until)),
            refuses_us: peer.refuses_us.as_ref(),
        }
    }
}

/// A sender that is not a peer. All its messages were refused, or it refused this node.
/// See [`Sync::strangers`](crate::Sync::strangers).
///
/// ```
/// use core::time::Duration;
/// use lattice_presence::{Body, Message, PresenceState, Refusal, Shard};
/// use lattice_presence_sync::{Config, Refused, Sync};
///
/// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// let other = Message::new("another cluster", Shard::WHOLE, "x", Body::Goodbye);
/// assert!(node.receive(Duration::ZERO, &"x".into(), other).is_err());
/// let (id, stranger) = node.strangers().next().unwrap();
/// assert_eq!(id.as_str(), "x");
/// assert_eq!(stranger.last, Some(Refused::Stranger(Refusal::Cluster)));
/// # Ok::<(), lattice_presence_sync::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stranger {
    /// The time of its last message.
    pub last_heard: Duration,
    /// The last refusal.
    pub last: Option<Refused>,
    /// The number of refusals, by kind.
    pub refused: RefusedCounts,
    /// The reason for which it refuses this node, if it said so.
    pub refuses_us: Option<Refusal>,
    /// The last time at which it was told that it is refused.
    pub(crate) told_at: Option<Duration>,
}

impl Stranger {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            last_heard: now,
            last: None,
            refused: RefusedCounts::default(),
            refuses_us: None,
            told_at: None,
        }
    }
}
