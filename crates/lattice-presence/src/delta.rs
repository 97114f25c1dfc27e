//! What travels: entries, and what was seen of whom.

use alloc::vec::Vec;
use core::{fmt, iter};

use lattice_causal::{Causal, CausalContext, Dot, DotFun, MAX_CLOCK};

use crate::presence::BySlot;
use crate::{PartsError, Presence, ReplicaId};

/// The entries of a state under their dots.
pub(crate) type Entries<M> = DotFun<ReplicaId, Presence<M>, BySlot>;

/// What one replica tells another: entries, and a context that claims what the
/// delta speaks of. A dot in the context without an entry has left.
///
/// A full snapshot is a delta that speaks of everything. Deltas carry no indexes;
/// merge them into a [`PresenceState`](crate::PresenceState), in any order, any
/// number of times.
///
/// *For those who write one:* a form that lists claims clock by clock may leave out
/// claims of dots that have no entry here, beyond a bound of its own. The delta then says
/// less, and nothing wrong; the peer hears of these deaths by a
/// [question](crate::PresenceState::question),
/// or with the replica as a whole. An entry, too, may be left out *with its dot*.
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut a = PresenceState::new("a");
/// a.join("pid-1", "room", "alice", ())?;
/// let delta = a.take_delta().expect("something changed");
/// assert_eq!(delta.entries().map(|entry| entry.key()).collect::<Vec<_>>(), ["alice"]);
/// assert_eq!(delta.context().max(delta.replica()), 1);
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
pub struct PresenceDelta<M> {
    pub(crate) replica: ReplicaId,
    pub(crate) causal: Causal<Entries<M>>,
}

impl<M> PresenceDelta<M> {
    /// A delta from what a codec read. O(entries), if they come in dot order.
    ///
    /// # Errors
    ///
    /// If two entries stand under one dot, or `context` has not seen the dot
    /// of one. Nothing is built.
    ///
    /// ```
    /// use lattice_presence::{CausalContext, Dot, Presence, PresenceDelta};
    ///
    /// let dot = Dot::new("a".into(), 1);
    /// let context = CausalContext::from_iter([dot.clone()]);
    /// let entry = Presence::new(dot, "t", "k", "p", ());
    /// let delta = PresenceDelta::from_parts("a".into(), context, vec![entry])?;
    /// assert_eq!(delta.len(), 1);
    /// # Ok::<(), lattice_presence::PartsError>(())
    /// ```
    pub fn from_parts(
        replica: ReplicaId,
        context: CausalContext<ReplicaId>,
        mut entries: Vec<Presence<M>>,
    ) -> Result<Self, PartsError> {
        // In order, each entry is an append.
        entries.sort_by(|a, b| a.dot().cmp(b.dot()));
        if let Some(pair) = entries
            .windows(2)
            .find(|pair| pair[0].dot() == pair[1].dot())
        {
            let dot = pair[0].dot().clone();
            return Err(PartsError::Duplicate { dot });
        }
        let no_dot = |entry: &&Presence<M>| !(1..=MAX_CLOCK).contains(&entry.dot().clock);
        if let Some(entry) = entries.iter().find(no_dot) {
            let dot = entry.dot().clone();
            return Err(PartsError::Uncovered { dot });
        }
        let mut store = Entries::new();
        let mut entries = entries.into_iter().peekable();
        while let Some(owner) = entries.peek().map(|entry| entry.owner().clone()) {
            let owned = iter::from_fn(|| entries.next_if(|entry| *entry.owner() == owner));
            store.extend_replica(&owner, owned.map(|entry| (entry.dot().clock, entry)));
        }
        let causal = Causal::from_parts(store, context)
            .map_err(|error| PartsError::Uncovered { dot: error.dot })?;
        Ok(Self { replica, causal })
    }

    /// The replica that sent it.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let state = PresenceState::<()>::new("a");
    /// assert_eq!(state.snapshot().replica().as_str(), "a");
    /// ```
    #[must_use]
    pub fn replica(&self) -> &ReplicaId {
        &self.replica
    }

    /// Every dot that the delta speaks of.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// let _ = state.leave_by_pid("p");
    /// let snapshot = state.snapshot(); // no entry, and the news that a:1 has left
    /// assert_eq!((snapshot.len(), snapshot.context().prefix(&"a".into())), (0, 1));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn context(&self) -> &CausalContext<ReplicaId> {
        self.causal.context()
    }

    /// The entries that it carries, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.snapshot().entries().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Presence<M>> + Clone {
        self.causal.store().iter().map(|(_, _, entry)| entry)
    }

    /// How many entries it carries. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.take_delta().unwrap().len(), 1);
    /// let _ = state.leave_by_pid("p");
    /// assert_eq!(state.take_delta().unwrap().len(), 0); // a:1 has left
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.causal.store().len()
    }

    /// Whether it says nothing at all: no entry, and no dot that left. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// assert!(a.delta_since(&b.digest()).is_empty()); // b lacks nothing: send nothing
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.context().is_empty()
    }

    /// The delta in parts of at most `max` entries and claims (but at least one entry): each
    /// merges alone, in any order, and all of them together have the effect of the whole.
    /// A claim is one interval of clocks, as the context holds it. A delta that says nothing
    /// has no part. O(what it holds), a part.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// for n in 0..10 {
    ///     a.join(&format!("pid-{n}"), "room", "alice", ())?;
    /// }
    /// let mut b = PresenceState::new("b");
    /// for part in a.snapshot().split(4) {
    ///     assert!(part.len() < 4);
    ///     b.merge_delta(&part).unwrap();
    /// }
    /// assert_eq!(b.digest(), a.digest());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn split(&self, max: usize) -> impl Iterator<Item = Self> + '_ {
        self.causal.split(max).map(|causal| Self {
            replica: self.replica.clone(),
            causal,
        })
    }

    /// The entry under `dot`, if the delta carries it.
    ///
    /// ```
    /// use lattice_presence::{Dot, PresenceState};
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// let snapshot = state.snapshot();
    /// assert_eq!(snapshot.get(&Dot::new("a".into(), 1)).unwrap().key(), "k");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn get(&self, dot: &Dot<ReplicaId>) -> Option<&Presence<M>> {
        self.causal.store().get(dot)
    }
}

impl<M> Clone for PresenceDelta<M> {
    fn clone(&self) -> Self {
        Self {
            replica: self.replica.clone(),
            causal: self.causal.clone(),
        }
    }
}

impl<M: PartialEq> PartialEq for PresenceDelta<M> {
    fn eq(&self, other: &Self) -> bool {
        self.replica == other.replica && self.causal == other.causal
    }
}

impl<M: Eq> Eq for PresenceDelta<M> {}

impl<M: fmt::Debug> fmt::Debug for PresenceDelta<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceDelta")
            .field("replica", &self.replica)
            .field("context", self.context())
            .field("entries", &Listed(self.entries()))
            .finish()
    }
}

/// Shows an iterator as a list.
struct Listed<I>(I);

impl<I: Iterator<Item: fmt::Debug> + Clone> fmt::Debug for Listed<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.clone()).finish()
    }
}
