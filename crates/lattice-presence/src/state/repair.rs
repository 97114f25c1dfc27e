//! What a peer lacks, and how to ask for what is lacking here (rule S13).

use alloc::borrow::Cow;
use core::fmt;

use lattice_causal::{Causal, CausalContext, Digest, DotStore, Question, ReplicaDigest};

use super::PresenceState;
use crate::delta::Entries;
use crate::{PresenceDelta, ReplicaId};

/// What a state says to a [question](PresenceState::question).
///
/// Merge `delta`. If `differs` is not empty, ask again about it, by
/// [`refine`](PresenceState::refine): the dialogue ends when nothing differs any more.
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut a = PresenceState::new("a");
/// a.join("p", "t", "k", ())?;
/// let b = PresenceState::<()>::new("b");
/// let answer = a.answer(&b.question(["a".into()]), 100);
/// assert_eq!((answer.delta.len(), answer.differs.is_empty(), answer.more), (1, true, false));
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
#[non_exhaustive]
pub struct PresenceAnswer<M> {
    /// What the asker lacks, as far as it is known by now.
    pub delta: PresenceDelta<M>,
    /// The clocks among which the two sides still differ: the question did not reveal
    /// how, or the answer was cut at its bound.
    pub differs: CausalContext<ReplicaId>,
    /// Whether the answer was cut at its bound.
    pub more: bool,
}

impl<M> PresenceState<M> {
    /// What this state has seen and holds, in a few bytes per replica: what a
    /// peer needs for [`delta_since`](Self::delta_since). Equal digests mean
    /// equal entries, hidden ones included. What was pruned here is named as unwanted,
    /// which claims nothing (rule S9). O(intervals).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// assert_ne!(a.digest(), b.digest());
    /// b.merge(&a).unwrap();
    /// assert_eq!(a.digest(), b.digest());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest<ReplicaId> {
        let digest = self.causal.digest();
        if self.filter.is_empty() {
            return digest;
        }
        let known = self
            .context()
            .replicas()
            .chain(self.filter.dots().replicas());
        let known: CausalContext<_> = known
            .map(|replica| (replica.clone(), (1..=1).into()))
            .collect();
        self.digest_of(known.replicas().cloned())
    }

    /// The lines of the [digest](Self::digest) about `replicas` alone, for
    /// [`delta_for_lines`](Self::delta_for_lines). O(intervals of the replicas named).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let lines = a.digest_of(["a".into(), "stranger".into()]);
    /// assert_eq!(lines.iter().map(|(replica, _)| replica.as_str()).collect::<Vec<_>>(), ["a"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn digest_of(&self, replicas: impl IntoIterator<Item = ReplicaId>) -> Digest<ReplicaId> {
        let lines = replicas.into_iter().filter_map(|replica| {
            let line = self.line(&replica)?;
            Some((replica, line))
        });
        lines.collect()
    }

    /// One line of the [digest](Self::digest); `None` if nothing is known of
    /// `replica`. O(log replicas + intervals of the replica).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let line = a.line(&"a".into()).unwrap();
    /// assert_eq!((line.seen.max(), line.live), (1, Some(1)));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn line(&self, replica: &ReplicaId) -> Option<ReplicaDigest> {
        let line = self.causal.line(replica);
        let Some(unwanted) = self.filter.get(replica) else {
            return line;
        };
        let mut line = line.unwrap_or_default();
        line.unwanted = unwanted.clone();
        Some(line)
    }

    /// Whether a peer with that line may know something of `replica` that is not known
    /// here, and is wanted: then ask, by a [question](Self::question). A peer that is
    /// merely behind is no reason. O(log replicas + intervals).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let b = PresenceState::<()>::new("b");
    /// assert!(b.lacks(a.replica(), &a.line(a.replica()).unwrap()));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn lacks(&self, replica: &ReplicaId, line: &ReplicaDigest) -> bool {
        let Some(unwanted) = self.filter.get(replica) else {
            return self.causal.lacks(replica, line);
        };
        // What is refused is in no sum here, so sums cannot be compared.
        let wanted = line.seen.difference(unwanted);
        let seen = self.context().get(replica);
        !seen.map_or_else(|| wanted.is_empty(), |seen| wanted.is_subset(seen))
    }

    /// What the peer of that digest lacks, as far as the digest tells: the entries that
    /// it has not seen, the news of those that died, and nothing if it knows as much,
    /// or more.
    ///
    /// Of the dead this state remembers the latest. If they do not explain what
    /// the peer holds too much of a replica, and it does not know more, all of the
    /// replica is sent, entries included: that settles every difference, and two entries
    /// under one dot come to light as [`ConflictingDot`](crate::MergeError::ConflictingDot).
    /// A [question](Self::question) finds out in a few hundred bytes.
    ///
    /// Two states that exchange digests both ways, again and again, come to the same
    /// state. What the digest names as unwanted is left out. O(replicas + what is told).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// a.join("p", "t", "another", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// let _ = a.leave("p", "t", "k");
    ///
    /// let delta = a.delta_since(&b.digest());
    /// assert_eq!((delta.len(), delta.is_empty()), (0, false)); // a removal alone
    /// assert_eq!(b.merge_delta_with_diff(&delta).unwrap().leaves().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn delta_since(&self, digest: &Digest<ReplicaId>) -> PresenceDelta<M> {
        let delta = self.causal.delta_since(&self.as_owner(digest));
        self.told(self.with_own_deaths(delta, digest))
    }

    /// [`delta_since`](Self::delta_since) of at most `max` entries and claims (but at
    /// least one entry), and whether there is more to say. A replica that would have to
    /// be sent whole, and does not fit, is left to a [question](Self::question).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// for n in 0..10 {
    ///     a.join(&format!("pid-{n}"), "room", "alice", ())?;
    /// }
    /// let b = PresenceState::<()>::new("b");
    /// let (delta, more) = a.delta_since_bounded(&b.digest(), 5);
    /// assert_eq!((delta.len(), more), (4, true)); // four entries, one claim
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn delta_since_bounded(
        &self,
        digest: &Digest<ReplicaId>,
        max: usize,
    ) -> (PresenceDelta<M>, bool) {
        let (delta, more) = self.causal.delta_since_bounded(&self.as_owner(digest), max);
        (self.told(delta), more)
    }

    /// [`delta_since`](Self::delta_since), of the replicas in `lines` alone: the answer to
    /// [`digest_of`](Self::digest_of). Of the others it says nothing. A digest
    /// without them would ask for all of them.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// let mut b = PresenceState::new("b");
    /// a.join("p", "t", "k", ())?;
    /// b.merge(&a).unwrap();
    /// b.join("q", "t", "k", ())?;
    ///
    /// assert!(b.delta_for_lines(&a.digest_of(["a".into()])).is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn delta_for_lines(&self, lines: &Digest<ReplicaId>) -> PresenceDelta<M> {
        let delta = self.causal.delta_for_lines(&self.as_owner(lines));
        self.told(self.with_own_deaths(delta, lines))
    }

    /// The digest as the owner of one of its lines reads it. Of other replicas a peer that
    /// holds less may know of more deaths. Of this one it does not, unless somebody has
    /// claimed them: so the own line is answered whole if nothing explains it (rule
    /// S6).
    fn as_owner<'a>(&self, digest: &'a Digest<ReplicaId>) -> Cow<'a, Digest<ReplicaId>> {
        match digest.get(&self.replica) {
            Some(line)
                if line.live.is_some()
                    && self.successor.is_none()
                    && self.causal.line(&self.replica).as_ref() != Some(line) =>
            {
                let mut line = line.clone();
                line.live = None;
                let mut digest = digest.clone();
                digest.insert(self.replica.clone(), line);
                Cow::Owned(digest)
            }
            _ => Cow::Borrowed(digest),
        }
    }

    /// Adds all that has died of the own entries, if the rest of the answer may be
    /// silent of it.
    ///
    /// Peers hold less and less of an incarnation that yields (rule S7), since its
    /// successor claims its entries: it does not send them again and again. And a client
    /// can choose a name under which an entry adds nothing to the fingerprint: a leave of
    /// it that was lost shows in the count alone.
    fn with_own_deaths(
        &self,
        delta: Causal<Entries<M>>,
        digest: &Digest<ReplicaId>,
    ) -> Causal<Entries<M>> {
        let own = digest
            .get(&self.replica)
            .zip(self.context().get(&self.replica));
        let Some((line, seen)) = own else {
            return delta;
        };
        let store = self.causal.store();
        let unseen = seen.difference(&line.seen);
        let of_unseen = store.summary_in(&self.replica, &unseen);
        let held = store.summary(&self.replica);
        let explained = held.fingerprint.wrapping_sub(of_unseen.fingerprint) == line.fingerprint;
        let count = (held.live - of_unseen.live) as u64;
        let is_silent = match explained {
            true => line.live.is_some_and(|live| live != count),
            false => self.successor.is_some(),
        };
        if !is_silent {
            return delta;
        }
        let live = store.live(&self.replica);
        let dead = seen.intersection(&line.seen).difference(&live);
        let mut told = delta.context().clone();
        told.insert_set(self.replica.clone(), &dead);
        self.causal.slice(&told)
    }

    /// What is known of `dots`: the entries among them, and which of them were seen and
    /// left. O(what it says).
    ///
    /// ```
    /// use lattice_presence::{CausalContext, PresenceState};
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// a.join("q", "t", "k", ())?;
    /// let second = CausalContext::from_iter([("a".into(), (2..=9).into())]);
    /// let delta = a.delta_of(&second);
    /// assert_eq!((delta.len(), delta.context().max(a.replica())), (1, 2));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn delta_of(&self, dots: &CausalContext<ReplicaId>) -> PresenceDelta<M> {
        self.told(self.causal.slice(dots))
    }

    /// What to ask a peer about `replicas`, known here or not, of which something is
    /// [lacking](Self::lacks): all that was seen of each, fingerprints of what is held in
    /// parts, and what is unwanted. Some hundred bytes a replica, beside its gaps.
    ///
    /// Merge the [answer](Self::answer), and [refine](Self::refine) what differs, until
    /// nothing does. A leave that was lost among 100,000 entries is found in four rounds.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// for n in 0..1_000 {
    ///     a.join(&format!("pid-{n}"), "room", "alice", ())?;
    /// }
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// let _ = a.leave_by_pid("pid-400"); // and b does not hear of it
    ///
    /// let mut question = b.question(["a".into()]);
    /// while !question.is_empty() {
    ///     let answer = a.answer(&question, 100);
    ///     b.merge_delta(&answer.delta).unwrap();
    ///     question = b.refine(&answer.differs);
    /// }
    /// assert_eq!(a.digest(), b.digest());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn question(&self, replicas: impl IntoIterator<Item = ReplicaId>) -> Question<ReplicaId> {
        self.wishing(self.causal.question(replicas))
    }

    /// The next question, about what an answer says to differ; empty if nothing does.
    /// See [`question`](Self::question).
    ///
    /// ```
    /// use lattice_presence::{CausalContext, PresenceState};
    ///
    /// assert!(PresenceState::<()>::new("a").refine(&CausalContext::new()).is_empty());
    /// ```
    #[must_use]
    pub fn refine(&self, differs: &CausalContext<ReplicaId>) -> Question<ReplicaId> {
        self.wishing(self.causal.refine(differs))
    }

    /// The question with what was pruned here as unwanted.
    fn wishing(&self, question: Question<ReplicaId>) -> Question<ReplicaId> {
        if self.filter.is_empty() {
            return question;
        }
        let mut wishing = Question::new();
        for (replica, asked) in question.iter() {
            let mut asked = asked.clone();
            asked.unwanted = self.filter.get(replica).cloned().unwrap_or_default();
            wishing.insert(replica.clone(), asked);
        }
        wishing
    }

    /// What the asker lacks, as far as its question reveals it, in at most `max` entries
    /// and claims (but at least one entry), and where the two sides still differ. Nothing
    /// if the asker knows as much, or more. See [`question`](Self::question).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// let answer = a.answer(&b.question(["a".into()]), 100);
    /// b.merge_delta(&answer.delta).unwrap();
    /// assert_eq!(a.digest(), b.digest());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn answer(&self, question: &Question<ReplicaId>, max: usize) -> PresenceAnswer<M> {
        let answer = self.causal.answer(question, max);
        PresenceAnswer {
            delta: self.told(answer.delta),
            differs: answer.differs,
            more: answer.more,
        }
    }
}

impl<M> Clone for PresenceAnswer<M> {
    fn clone(&self) -> Self {
        Self {
            delta: self.delta.clone(),
            differs: self.differs.clone(),
            more: self.more,
        }
    }
}

impl<M: PartialEq> PartialEq for PresenceAnswer<M> {
    fn eq(&self, other: &Self) -> bool {
        self.delta == other.delta && self.differs == other.differs && self.more == other.more
    }
}

impl<M: fmt::Debug> fmt::Debug for PresenceAnswer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceAnswer")
            .field("delta", &self.delta)
            .field("differs", &self.differs)
            .field("more", &self.more)
            .finish()
    }
}
