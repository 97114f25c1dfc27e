//! The machine: what it holds, and what it is asked from outside.

use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;
use core::time::Duration;

use lattice_presence::{PresenceState, ReplicaId};

use crate::config::{Config, ConfigError};
use crate::event::{Cause, Event};
use crate::lives::Lives;
use crate::log::Pushes;
use crate::mail::Mail;
use crate::peer::{Condition, Peer};
use crate::rng::Rng;
use crate::status::{PeerStatus, Stranger};

/// Whether this node still writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// [`Sync::leave_cluster`] was called.
    Leaving,
    /// A newer incarnation was heard (rule R9).
    Superseded {
        by: ReplicaId,
    },
}

/// One node's part in the replication of presence: see the [crate](crate).
///
/// It owns the state. Every call takes the time. A clock that goes back a little is taken to
/// stand still; one that is set back goes on from where it was, and one that jumps ahead is
/// taken for a process that slept, so that the silence of the others means nothing.
///
/// # Invariants
///
/// - Every replica of which the state holds or hides something has a peer, but for the
///   local one.
/// - A peer is marked down in the state if, and only if, its condition is a hidden one.
/// - At most one question is in flight to a peer, and `open_questions` counts them.
pub struct Sync<M> {
    pub(crate) config: Config,
    pub(crate) state: PresenceState<M>,
    pub(crate) rng: Rng,
    pub(crate) phase: Phase,
    /// The latest time.
    pub(crate) now: Duration,
    /// What the caller's clock was set back, in all: it is added to what the caller says.
    pub(crate) set_back: Duration,
    /// The first one.
    pub(crate) started: Option<Duration>,
    pub(crate) peers: BTreeMap<ReplicaId, Peer>,
    /// The same, by age within their base.
    pub(crate) lives: Lives,
    pub(crate) strangers: BTreeMap<ReplicaId, Stranger>,
    pub(crate) heartbeat_at: Duration,
    pub(crate) compare_at: Duration,
    /// Not later than the next thing that is due of any peer.
    pub(crate) wake_at: Duration,
    pub(crate) heartbeat_due: bool,
    /// Whether a heartbeat was sent out of turn since the last one in turn.
    pub(crate) hurried: bool,
    /// Since when nobody is heard any more (rule R6).
    pub(crate) isolated_since: Option<Duration>,
    /// Whether a peer that the transport calls lost waits for a sign of anybody else.
    pub(crate) lost_waits: bool,
    pub(crate) pushes: Pushes,
    pub(crate) mail: VecDeque<Mail>,
    /// Whether the last transmit went to all.
    pub(crate) all_was_last: bool,
    /// Whether the last one that did was a push.
    pub(crate) pushed_last: bool,
    /// When it was reported last that somebody else uses the name of this node.
    pub(crate) same_name_told: Option<Duration>,
    pub(crate) next_question: u64,
    /// Questions in flight.
    pub(crate) open_questions: usize,
    pub(crate) events: VecDeque<Event<M>>,
    pub(crate) counters: Counters,
}

/// What a machine did since it was made.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_sync::{Config, Sync};
///
/// let node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// assert_eq!(node.counters().heartbeats, 0);
/// # Ok::<(), lattice_presence_sync::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Pushes sent.
    pub pushes: u64,
    /// Questions sent.
    pub questions: u64,
    /// Answers sent.
    pub answers: u64,
    /// Answers that brought what was missing.
    pub repairs: u64,
    /// Questions that nobody answered in time.
    pub unanswered: u64,
    /// Messages of a comparison sent.
    pub comparisons: u64,
    /// Refusals sent.
    pub refusals: u64,
    /// Messages refused.
    pub refused: u64,
}

impl<M> Sync<M> {
    /// A machine that runs `state`. What the state holds of others counts as heard of at
    /// the first call. `seed` draws jitter and peers: give each node another one. O(entries
    /// of the state that were not pushed).
    ///
    /// # Errors
    ///
    /// If the [configuration](Config::check) cannot work; the state is lost.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_sync::{Config, Sync};
    ///
    /// let node = Sync::<()>::new(PresenceState::new("node-a"), Config::new("chat"), 7)?;
    /// assert!(node.state().is_empty() && !node.is_settled());
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn new(state: PresenceState<M>, config: Config, seed: u64) -> Result<Self, ConfigError> {
        config.check()?;
        let mut state = state;
        // A mark on oneself would hide what this node writes.
        let _ = state.replica_up(&state.replica().clone());
        let others = state.context().replicas();
        let others = others.filter(|replica| *replica != state.replica());
        let condition = |replica: &ReplicaId| match state.is_down(replica) {
            true => Condition::Down,
            false => Condition::Unheard,
        };
        let peers: BTreeMap<ReplicaId, Peer> = others
            .map(|replica| {
                (
                    replica.clone(),
                    Peer::new(condition(replica), Duration::ZERO),
                )
            })
            .collect();
        let mut lives = Lives::default();
        for replica in peers.keys() {
            lives.know(replica);
        }
        Ok(Self {
            rng: Rng::new(seed),
            phase: Phase::Running,
            now: Duration::ZERO,
            set_back: Duration::ZERO,
            started: None,
            peers,
            lives,
            strangers: BTreeMap::new(),
            heartbeat_at: Duration::ZERO,
            compare_at: Duration::ZERO,
            wake_at: Duration::ZERO,
            heartbeat_due: false,
            hurried: false,
            isolated_since: None,
            lost_waits: false,
            pushes: Pushes::default(),
            mail: VecDeque::new(),
            all_was_last: false,
            pushed_last: false,
            same_name_told: None,
            next_question: 1,
            open_questions: 0,
            events: VecDeque::new(),
            counters: Counters::default(),
            config,
            state,
        })
    }

    /// The view. O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", "online")?;
    /// assert_eq!(node.state().topic_len("room"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn state(&self) -> &PresenceState<M> {
        &self.state
    }

    /// How it was configured. O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// let node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// assert_eq!(node.config().max_entries, 1_000);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What it did so far. O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.advance(Duration::ZERO);
    /// let _ = node.poll_transmit(Duration::ZERO);
    /// assert_eq!(node.counters().heartbeats, 1);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Every replica that is known beside this one, in the order of the ids, with what
    /// this node believes of it (rule R12). O(1) for each.
    ///
    /// ```
    /// # use lattice_presence::{Body, Message, PresenceState, ReplicaDigest, Shard};
    /// # use lattice_presence_sync::{Config, Liveness, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let line = ReplicaDigest::default();
    /// let heartbeat = Body::Heartbeat { line, pushes: 0 };
    /// let heartbeat = Message::new("chat", Shard::WHOLE, "b", heartbeat);
    /// node.receive(Duration::ZERO, &"b".into(), heartbeat)?;
    /// let status = node.peers().next().unwrap();
    /// assert_eq!((status.id.as_str(), status.liveness), ("b", Liveness::Up));
    /// assert!(status.agrees_since.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus<'_>> {
        let status = |(id, peer)| PeerStatus::new(id, peer, self.now, self.set_back);
        self.peers.iter().map(status)
    }

    /// What is known of one peer. O(log peers).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// let node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// assert!(node.peer(&"b".into()).is_none());
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub fn peer(&self, id: &ReplicaId) -> Option<PeerStatus<'_>> {
        let (id, peer) = self.peers.get_key_value(id)?;
        Some(PeerStatus::new(id, peer, self.now, self.set_back))
    }

    /// Senders that are no peers: nodes of another cluster, version or number of shards,
    /// and whoever else sent only what was refused. A bounded number; the longest silent
    /// are let go. O(1) for each.
    ///
    /// ```
    /// # use lattice_presence::{Body, Message, PresenceState, Shard};
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let other = Message::new("another cluster", Shard::WHOLE, "x", Body::Goodbye);
    /// assert!(node.receive(Duration::ZERO, &"x".into(), other).is_err());
    /// assert_eq!(node.strangers().next().unwrap().1.refused.of("stranger"), 1);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn strangers(&self) -> impl Iterator<Item = (&ReplicaId, &Stranger)> {
        self.strangers.iter()
    }

    /// Whether of everybody who is up this node holds what its last heartbeat said (rule
    /// R12). A fresh node is not settled before it has heard somebody, and had the time of
    /// one heartbeat and a half to hear the others, or before
    /// [`settle_after`](Config::settle_after) passed alone. As of the last call that took
    /// the time. O(peers).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.advance(Duration::ZERO);
    /// assert!(!node.is_settled()); // nobody is there, or nobody is heard yet
    /// node.advance(node.config().settle_after);
    /// assert!(node.is_settled());
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let Some(started) = self.started else {
            return false;
        };
        let alone = self.peers.values().all(|peer| peer.heard.is_none());
        let patience = match alone {
            true => self.config.settle_after,
            false => self.config.settle_after.min(self.config.heartbeat * 3 / 2),
        };
        let lacks = |peer: &Peer| peer.condition == Condition::Up && peer.agrees_since.is_none();
        self.now >= started + patience && !self.peers.values().any(lacks)
    }

    /// Whether nobody at all is heard any more, though somebody was (rule R6). O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// let node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// assert!(!node.is_isolated());
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_isolated(&self) -> bool {
        self.isolated_since.is_some()
    }

    /// The newer incarnation of this node, once it was reported
    /// ([`Event::Superseded`]). O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// let node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// assert_eq!(node.superseded_by(), None);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn superseded_by(&self) -> Option<&ReplicaId> {
        match &self.phase {
            Phase::Superseded { by } => Some(by),
            _ => None,
        }
    }

    /// The next event, in order. O(1).
    ///
    /// Every call may add events; until they are taken they take memory.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Cause, Config, Event, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
    /// let event = node.poll_event();
    /// assert!(matches!(event, Some(Event::Changed { cause: Cause::Local, .. })));
    /// assert!(node.poll_event().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_event(&mut self) -> Option<Event<M>> {
        self.events.pop_front()
    }

    /// When [`advance`](Self::advance) has something to do next; every other call may
    /// change that. `None` only if nothing will ever be due. O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.advance(Duration::ZERO);
    /// assert!(node.next_timeout().unwrap() <= node.config().heartbeat * 6 / 5);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let next = self.heartbeat_at.min(self.compare_at).min(self.wake_at);
        Some(next.saturating_sub(self.set_back))
    }

    /// How long from `now` until [`advance`](Self::advance) has something to do: nothing
    /// if it is late, and [`Duration::MAX`] if nothing will ever be due. For who waits for
    /// a length of time. O(1).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// assert_eq!(node.timeout_in(Duration::ZERO), Duration::ZERO);
    /// node.advance(Duration::ZERO);
    /// assert!(node.timeout_in(Duration::ZERO) > Duration::ZERO);
    /// assert_eq!(node.timeout_in(Duration::from_secs(60)), Duration::ZERO);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    #[must_use]
    pub fn timeout_in(&self, now: Duration) -> Duration {
        let next = self.next_timeout();
        next.map_or(Duration::MAX, |next| next.saturating_sub(now))
    }

    /// Does what is due by now. Calling it earlier, or more often, does no harm. O(1), and
    /// O(peers) if something is due of a peer; hiding a peer costs O(its entries).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync, To};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.advance(Duration::ZERO);
    /// assert_eq!(node.poll_transmit(Duration::ZERO).unwrap().to, To::All); // the heartbeat
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn advance(&mut self, now: Duration) {
        self.tick(now);
        let now = self.now;
        if now >= self.heartbeat_at {
            self.heartbeat_due = true;
            self.hurried = false;
            self.heartbeat_at = now + self.rng.jittered(self.config.heartbeat);
        }
        if now >= self.compare_at {
            self.compare_at = now + self.rng.jittered(self.config.compare);
            self.compare_with_somebody();
        }
        if now >= self.wake_at {
            self.judge();
        }
        self.check();
    }

    /// Notes the time.
    pub(crate) fn tick(&mut self, now: Duration) {
        if self.started.is_none() {
            self.start(now);
        }
        let mut now = now + self.set_back;
        if now + self.config.heartbeat < self.now {
            self.set_back += self.now - now;
            now = self.now;
        }
        let slept = now.saturating_sub(self.now);
        self.now = self.now.max(now);
        // The timers allow no such pause: this process did not run, so that nobody's
        // silence in it means anything.
        if slept > self.config.down_after / 2 && slept > self.config.heartbeat * 2 {
            self.excuse(slept - self.config.heartbeat);
        }
    }

    fn start(&mut self, now: Duration) {
        self.started = Some(now);
        self.now = now;
        for peer in self.peers.values_mut() {
            peer.since = now;
            peer.silent_since = now;
        }
        self.heartbeat_at = now;
        // Nodes that start together do not compare together.
        self.compare_at = now + self.rng.up_to(self.config.compare);
        self.wake_at = now;
    }

    /// Something of a peer is due at `at`.
    pub(crate) fn wake(&mut self, at: Duration) {
        self.wake_at = self.wake_at.min(at);
    }

    /// Reports what changed, if anything did.
    pub(crate) fn changed(&mut self, diff: lattice_presence::Diff<M>, cause: Cause) {
        if !diff.is_empty() {
            self.events.push_back(Event::Changed { diff, cause });
        }
    }

    /// Notes a replica that was not known.
    pub(crate) fn add_peer(&mut self, replica: &ReplicaId, condition: Condition) {
        self.peers
            .insert(replica.clone(), Peer::new(condition, self.now));
        self.lives.know(replica);
    }

    /// Nothing is known of a replica any more.
    pub(crate) fn remove_peer(&mut self, replica: &ReplicaId) {
        self.peers.remove(replica);
        self.lives.forget(replica);
    }

    /// Whether this node writes and pushes.
    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    pub(crate) const fn is_superseded(&self) -> bool {
        matches!(self.phase, Phase::Superseded { .. })
    }

    /// Verifies the invariants, in debug builds and small clusters.
    pub(crate) fn check(&self) {
        if cfg!(debug_assertions) && self.peers.len() <= 64 {
            assert_eq!(self.broken_invariant(), None, "an invariant broke");
        }
    }

    fn broken_invariant(&self) -> Option<&'static str> {
        let asked = self.peers.values().filter(|peer| peer.asked.is_some());
        if asked.count() != self.open_questions || self.open_questions > self.config.max_questions {
            return Some("questions in flight are counted, and bounded");
        }
        let awaited = |(owner, peer): (&ReplicaId, &Peer)| {
            peer.repair.asked.as_ref().is_none_or(|asked| {
                let asked = self.peers.get(asked).and_then(|peer| peer.asked.as_ref());
                asked.is_some_and(|asked| asked.about == *owner)
            })
        };
        if !self.peers.iter().all(awaited) {
            return Some("an answer that is awaited was asked for");
        }
        let own = self.state.replica();
        let mut known = self.state.context().replicas();
        if !known.all(|replica| replica == own || self.peers.contains_key(replica)) {
            return Some("every replica in the state has a peer");
        }
        let mut peers = self.peers.iter();
        let is_true = |(id, peer): (&ReplicaId, &Peer)| {
            id != own && self.state.is_down(id) == peer.condition.is_hidden()
        };
        (!peers.all(is_true)).then_some("marks are those of the peers")
    }
}

impl<M: fmt::Debug> fmt::Debug for Sync<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sync")
            .field("state", &self.state)
            .field("phase", &self.phase)
            .field("now", &self.now)
            .field("peers", &self.peers)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
