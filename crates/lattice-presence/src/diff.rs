//! What changed in the visible view.

use alloc::vec::Vec;
use core::fmt;

use smallvec::SmallVec;

use crate::presence::Slot;
use crate::{Presence, ReplicaId};

/// The visible changes that one call caused (rule S4).
///
/// Cheap for one entry, grouped by topic on demand. Replaying all diffs, by dot,
/// onto what was visible at the start gives
/// [`online_list`](crate::PresenceState::online_list); merges without a diff are
/// the only calls that change the view in silence.
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut state = PresenceState::new("a");
/// let diff = state.join("pid-1", "room", "alice", "online")?;
/// assert_eq!(diff.joins().map(|entry| entry.key()).collect::<Vec<_>>(), ["alice"]);
///
/// let diff = state.join("pid-1", "room", "alice", "away")?;
/// let (before, after) = diff.updates()[0];
/// assert_eq!((before.meta(), after.meta()), (&"online", &"away"));
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
#[must_use = "a diff is the only report of what changed"]
pub struct Diff<M> {
    // One entry for a join or a leave, two for an update: no allocation.
    changes: SmallVec<[Moved<M>; 2]>,
}

/// A pointer and a byte: two scalars need no way through memory.
struct Moved<M> {
    entry: Presence<M>,
    how: How,
}

/// Which way an entry moved, and whether it is an *edge*: whether by this change the key
/// got its first visible entry, or lost its last one. If a whole replica is hidden or
/// shown, all its entries of the key move as one, and each bears the mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Join,
    JoinAtEdge,
    Leave,
    LeaveAtEdge,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Join,
    Leave,
}

impl How {
    const fn kind(self) -> Kind {
        match self {
            Self::Join | Self::JoinAtEdge => Kind::Join,
            Self::Leave | Self::LeaveAtEdge => Kind::Leave,
        }
    }

    const fn is_edge(self) -> bool {
        matches!(self, Self::JoinAtEdge | Self::LeaveAtEdge)
    }

    const fn without_edge(self) -> Self {
        match self.kind() {
            Kind::Join => Self::Join,
            Kind::Leave => Self::Leave,
        }
    }
}

impl<M> Diff<M> {
    /// The diff in which nothing changed.
    ///
    /// ```
    /// use lattice_presence::{Diff, PresenceState};
    ///
    /// // To collect what several calls change.
    /// let mut state = PresenceState::new("a");
    /// let mut diff = Diff::new();
    /// for user in ["alice", "bob"] {
    ///     diff.append(state.join("pid-1", "room", user, ())?);
    /// }
    /// assert_eq!(diff.topics()[0].arrived(), ["alice", "bob"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub const fn new() -> Self {
        Self {
            changes: SmallVec::new_const(),
        }
    }

    pub(crate) fn with_capacity(changes: usize) -> Self {
        Self {
            changes: SmallVec::with_capacity(changes),
        }
    }

    #[inline]
    pub(crate) fn push_join(&mut self, entry: Presence<M>, edge: bool) {
        let how = if edge { How::JoinAtEdge } else { How::Join };
        self.changes.push(Moved { entry, how });
    }

    #[inline]
    pub(crate) fn push_leave(&mut self, entry: Presence<M>, edge: bool) {
        let how = if edge { How::LeaveAtEdge } else { How::Leave };
        self.changes.push(Moved { entry, how });
    }

    /// Every entry that joined or left.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Presence<M>> {
        self.changes.iter().map(|change| &change.entry)
    }

    /// Takes the mark of an edge back. All changes are of one replica and one
    /// kind, in clock order.
    pub(crate) fn clear_edge(&mut self, clock: u64) {
        let at = |change: &Moved<M>| change.entry.dot().clock.cmp(&clock);
        if let Ok(at) = self.changes.binary_search_by(at) {
            self.changes[at].how = self.changes[at].how.without_edge();
        }
    }

    /// Puts the changes into dot order, the order of a dot's own changes kept.
    pub(crate) fn sort(&mut self) {
        self.changes
            .sort_by(|a, b| a.entry.dot().cmp(b.entry.dot()));
    }

    /// Appends what happened later, so that one diff reports both. An entry that joins in
    /// the one and leaves in the other is then listed as both; `joins` and `leaves` are
    /// each in the order of the calls. O(what is appended).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let mut diff = state.join("pid-1", "room", "alice", ())?;
    /// diff.append(state.join("pid-2", "room", "bob", ())?);
    /// let keys: Vec<_> = diff.joins().map(|entry| entry.key()).collect();
    /// assert_eq!(keys, ["alice", "bob"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn append(&mut self, later: Self) {
        self.changes.extend(later.changes);
    }

    /// The entries that appeared and those that disappeared, for whoever keeps them.
    /// O(changes).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let _ = state.join("pid-1", "room", "alice", "online")?;
    /// let diff = state.update("pid-1", "room", "alice", "away").unwrap();
    /// let (joins, leaves) = diff.into_parts();
    /// assert_eq!((*joins[0].meta(), *leaves[0].meta()), ("away", "online"));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn into_parts(self) -> (Vec<Presence<M>>, Vec<Presence<M>>) {
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        for change in self {
            match change {
                Change::Join(entry) => joins.push(entry),
                Change::Leave(entry) => leaves.push(entry),
            }
        }
        (joins, leaves)
    }

    /// Whether nothing visible changed. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// assert!(!state.join("pid-1", "room", "alice", ())?.is_empty());
    /// // Who is hidden can come and go, and nothing is seen of it.
    /// let _ = state.replica_down(&"a".into());
    /// assert!(state.leave_by_pid("pid-1").is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many entries joined or left. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// assert_eq!(state.join("p", "t", "k", ())?.len(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The entries that appeared, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// assert_eq!(state.join("p", "t", "k", ())?.joins().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn joins(&self) -> impl Iterator<Item = &Presence<M>> + Clone {
        self.of(Kind::Join)
    }

    /// The entries that disappeared, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.leave("p", "t", "k").leaves().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn leaves(&self) -> impl Iterator<Item = &Presence<M>> + Clone {
        self.of(Kind::Leave)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Presence<M>> + Clone {
        self.changes
            .iter()
            .filter(move |change| change.how.kind() == kind)
            .map(|change| &change.entry)
    }

    /// The changes by topic, in the order of their names. O(n log n).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "room:2", "bob", ())?;
    /// a.join("p", "room:1", "bob", ())?;
    /// let diff = PresenceState::new("b").merge_with_diff(&a).unwrap();
    /// let topics: Vec<_> = diff.topics().iter().map(|t| (t.topic(), t.joins().len())).collect();
    /// assert_eq!(topics, [("room:1", 1), ("room:2", 1)]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn topics(&self) -> Vec<TopicDiff<'_, M>> {
        let mut changes: Vec<&Moved<M>> = self.changes.iter().collect();
        changes.sort_by_key(|change| change.entry.topic());
        changes
            .chunk_by(|a, b| a.entry.topic() == b.entry.topic())
            .map(TopicDiff::new)
            .collect()
    }

    /// Each leave with the join that took over its slot: same topic, key and pid,
    /// same owner. An update is such a pair; the rest of the diff is arrivals and
    /// departures of connections. In slot order. O(n log n).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", 1)?;
    /// let diff = state.join("p", "t", "k", 2)?;
    /// let pairs: Vec<_> = diff.updates().into_iter().map(|(b, a)| (*b.meta(), *a.meta())).collect();
    /// assert_eq!(pairs, [(1, 2)]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn updates(&self) -> Vec<(&Presence<M>, &Presence<M>)> {
        // Two replicas may hold one slot (rule S11), so the owner counts.
        fn place<M>(entry: &Presence<M>) -> (Slot<'_>, &ReplicaId) {
            (entry.slot(), entry.owner())
        }
        let sorted = |kind| {
            let mut entries: Vec<_> = self.of(kind).collect();
            entries.sort_by(|a, b| place(a).cmp(&place(b)));
            entries
        };
        let mut joins = sorted(Kind::Join).into_iter().peekable();
        let mut join_of = |leave: &Presence<M>| {
            while joins.next_if(|join| place(join) < place(leave)).is_some() {}
            joins.next_if(|join| place(join) == place(leave))
        };
        let leaves = sorted(Kind::Leave).into_iter();
        leaves
            .filter_map(|leave| join_of(leave).map(|join| (leave, join)))
            .collect()
    }
}

/// One visible change: what a [`Diff`] is made of.
///
/// ```
/// use lattice_presence::{Change, PresenceState};
///
/// let mut state = PresenceState::new("a");
/// for change in state.join("pid-1", "room", "alice", ())? {
///     match change {
///         Change::Join(entry) => assert_eq!(entry.key(), "alice"),
///         Change::Leave(entry) => unreachable!("{} was not there", entry.key()),
///     }
/// }
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
#[derive(Debug)]
pub enum Change<M> {
    /// The entry appeared.
    Join(Presence<M>),
    /// The entry disappeared.
    Leave(Presence<M>),
}

/// The changes of a [`Diff`], in the order in which they happened.
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut state = PresenceState::new("a");
/// assert_eq!(state.join("pid-1", "room", "alice", ())?.into_iter().len(), 1);
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
pub struct IntoChanges<M>(smallvec::IntoIter<[Moved<M>; 2]>);

impl<M> Iterator for IntoChanges<M> {
    type Item = Change<M>;

    fn next(&mut self) -> Option<Change<M>> {
        self.0.next().map(|change| match change.how.kind() {
            Kind::Join => Change::Join(change.entry),
            Kind::Leave => Change::Leave(change.entry),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<M> ExactSizeIterator for IntoChanges<M> {}

impl<M> fmt::Debug for IntoChanges<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.0.as_slice().len();
        f.debug_struct("IntoChanges").field("left", &left).finish()
    }
}

impl<M> IntoIterator for Diff<M> {
    type Item = Change<M>;
    type IntoIter = IntoChanges<M>;

    fn into_iter(self) -> IntoChanges<M> {
        IntoChanges(self.changes.into_iter())
    }
}

/// Diffs of calls that follow one another, as one.
///
/// ```
/// use lattice_presence::{Diff, PresenceState};
///
/// let mut state = PresenceState::new("a");
/// let _ = state.join("pid-1", "room", "alice", ())?;
/// let _ = state.join("pid-2", "room", "bob", ())?;
/// let diff: Diff<_> = ["pid-1", "pid-2"].iter().map(|pid| state.leave_by_pid(pid)).collect();
/// assert_eq!(diff.leaves().count(), 2);
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
impl<M> FromIterator<Self> for Diff<M> {
    fn from_iter<T: IntoIterator<Item = Self>>(diffs: T) -> Self {
        let mut all = Self::new();
        all.extend(diffs);
        all
    }
}

/// Appends each diff, as [`append`](Diff::append) does.
impl<M> Extend<Self> for Diff<M> {
    fn extend<T: IntoIterator<Item = Self>>(&mut self, diffs: T) {
        for diff in diffs {
            self.append(diff);
        }
    }
}

/// The changes of one topic; see [`Diff::topics`].
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut state = PresenceState::new("a");
/// let first = state.join("laptop", "room", "alice", ())?;
/// assert_eq!(first.topics()[0].arrived(), ["alice"]);
///
/// // A second connection of the same user is no arrival.
/// let second = state.join("phone", "room", "alice", ())?;
/// assert_eq!(second.topics()[0].joins().len(), 1);
/// assert!(second.topics()[0].arrived().is_empty());
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
pub struct TopicDiff<'a, M> {
    topic: &'a str,
    joins: Vec<&'a Presence<M>>,
    leaves: Vec<&'a Presence<M>>,
    arrived: Vec<&'a str>,
    departed: Vec<&'a str>,
}

impl<'a, M> TopicDiff<'a, M> {
    /// `changes` are those of one topic, at least one, in the order in which they
    /// happened.
    fn new(changes: &[&'a Moved<M>]) -> Self {
        let of = |kind| {
            let changes = changes
                .iter()
                .filter(move |change| change.how.kind() == kind);
            changes.map(|change| &change.entry).collect()
        };
        // A key whose entries all moved in one diff has crossed zero twice: the
        // edges cancel out.
        let mut edges: Vec<(&str, i32)> = changes
            .iter()
            .filter(|change| change.how.is_edge())
            .map(|change| match change.how.kind() {
                Kind::Join => (change.entry.key(), 1),
                Kind::Leave => (change.entry.key(), -1),
            })
            .collect();
        edges.sort_unstable();
        let (mut arrived, mut departed) = (Vec::new(), Vec::new());
        for edges in edges.chunk_by(|a, b| a.0 == b.0) {
            match edges.iter().map(|(_, edge)| edge).sum::<i32>() {
                0 => {}
                1.. => arrived.push(edges[0].0),
                ..=-1 => departed.push(edges[0].0),
            }
        }
        Self {
            topic: changes[0].entry.topic(),
            joins: of(Kind::Join),
            leaves: of(Kind::Leave),
            arrived,
            departed,
        }
    }

    /// The topic.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let diff = state.join("p", "room", "alice", ())?;
    /// assert_eq!(diff.topics()[0].topic(), "room");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The entries that appeared, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let diff = state.join("p", "room", "alice", ())?;
    /// assert_eq!(diff.topics()[0].joins()[0].pid(), "p");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn joins(&self) -> &[&'a Presence<M>] {
        &self.joins
    }

    /// The entries that disappeared, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let _ = state.join("p", "room", "alice", ())?;
    /// let diff = state.leave_by_pid("p");
    /// assert_eq!(diff.topics()[0].leaves()[0].pid(), "p");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn leaves(&self) -> &[&'a Presence<M>] {
        &self.leaves
    }

    /// The keys of which no entry was visible before, and one is now: whom to
    /// greet. Ascending.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let diff = state.join("p", "room", "alice", ())?;
    /// assert_eq!(diff.topics()[0].arrived(), ["alice"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn arrived(&self) -> &[&'a str] {
        &self.arrived
    }

    /// The keys whose last visible entry went. Ascending.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let _ = state.join("p", "room", "alice", ())?;
    /// let diff = state.leave_by_pid("p");
    /// assert_eq!(diff.topics()[0].departed(), ["alice"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn departed(&self) -> &[&'a str] {
        &self.departed
    }
}

impl<M> Default for Diff<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Clone for Diff<M> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes.iter().cloned().collect(),
        }
    }
}

impl<M> Clone for Moved<M> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            how: self.how,
        }
    }
}

/// Equal if the same entries joined and left.
impl<M: PartialEq> PartialEq for Diff<M> {
    fn eq(&self, other: &Self) -> bool {
        self.joins().eq(other.joins()) && self.leaves().eq(other.leaves())
    }
}

impl<M: Eq> Eq for Diff<M> {}

impl<M: fmt::Debug> fmt::Debug for Diff<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diff")
            .field("leaves", &self.leaves().collect::<Vec<_>>())
            .field("joins", &self.joins().collect::<Vec<_>>())
            .finish()
    }
}

impl<M: fmt::Debug> fmt::Debug for TopicDiff<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicDiff")
            .field("topic", &self.topic)
            .field("leaves", &self.leaves)
            .field("joins", &self.joins)
            .finish()
    }
}
