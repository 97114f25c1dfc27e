//! The honest view: who is there, as far as this node can tell (rule R12).

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
    /// Not heard, and shown all the same: known by hearsay only, or nobody at all is
    /// heard any more.
    Stale,
    /// It said goodbye; shown for a [`handover`](crate::Config::handover).
    Leaving,
    /// Silent, gone, or replaced by a newer incarnation: hidden.
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

/// What is known of one peer, at one moment; see [`Sync::peers`](crate::Sync::peers).
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
    /// Which incarnation it is.
    pub id: &'a ReplicaId,
    /// Whether it is there.
    pub liveness: Liveness,
    /// Since when.
    pub since: Duration,
    /// When it was heard last; none if it is known by hearsay only.
    pub last_heard: Option<Duration>,
    /// Since when this node holds of it what it said that it holds; none if something
    /// is missing, or unknown.
    pub agrees_since: Option<Duration>,
    /// Whether something of it is being asked for.
    pub repairing: bool,
    /// Whether its memory is freed: it was down for long, said goodbye, or has a
    /// successor.
    pub forgotten: bool,
    /// What was refused of it.
    pub refused: &'a RefusedCounts,
    /// Until when it is not answered, because it sent nothing but what is refused.
    pub muted_until: Option<Duration>,
    /// Why it does not take what this node says, if it said so.
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

/// A sender that is no peer: all that came from it was refused, or it refused this node;
/// see [`Sync::strangers`](crate::Sync::strangers).
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
    /// When something came last.
    pub last_heard: Duration,
    /// What was refused last.
    pub last: Option<Refused>,
    /// How often, by kind.
    pub refused: RefusedCounts,
    /// Why it does not take what this node says, if it said so.
    pub refuses_us: Option<Refusal>,
    /// When it was told last that it is refused.
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
