//! Digests, and what the owner of one lacks.

use super::Causal;
use super::room::Room;
use crate::{CausalContext, ClockSet, Digest, DotStore, ReplicaDigest};

/// What to say of one replica.
#[derive(Default)]
struct Claims {
    /// What the peer has not seen, and deaths that explain what it holds too much.
    certain: ClockSet,
    /// Whether nothing explains the difference: then all of the replica is told.
    whole: bool,
}

impl<S: DotStore> Causal<S> {
    /// What was seen and what is alive, in a few bytes per replica.
    /// O(intervals).
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let state = Causal::from_store(DotSet::from_iter([Dot::new("a", 1)]));
    /// assert_eq!(state.digest().get(&"a").unwrap().seen.prefix(), 1);
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest<S::Replica> {
        let lines = self.context.iter();
        lines
            .map(|(replica, seen)| (replica.clone(), self.line_of(replica, seen)))
            .collect()
    }

    /// The lines of the digest about `replicas`; those of which nothing was seen have
    /// none. A peer answers them by [`delta_for_lines`](Self::delta_for_lines).
    ///
    /// O(intervals of the replicas named).
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let state = Causal::from_store(DotSet::from_iter([Dot::new("a", 1), Dot::new("b", 1)]));
    /// let lines = state.digest_of(["b", "stranger"]);
    /// assert_eq!(lines.iter().map(|(replica, _)| *replica).collect::<Vec<_>>(), ["b"]);
    /// ```
    #[must_use]
    pub fn digest_of(&self, replicas: impl IntoIterator<Item = S::Replica>) -> Digest<S::Replica> {
        let lines = replicas.into_iter().filter_map(|replica| {
            let line = self.line(&replica)?;
            Some((replica, line))
        });
        lines.collect()
    }

    /// One line of the digest; `None` if nothing was seen of `replica`.
    /// O(log replicas + intervals of the replica).
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let state = Causal::from_store(DotSet::from_iter([Dot::new("a", 1)]));
    /// assert_eq!(state.line(&"a"), state.digest().get(&"a").cloned());
    /// assert_eq!(state.line(&"b"), None);
    /// ```
    #[must_use]
    pub fn line(&self, replica: &S::Replica) -> Option<ReplicaDigest> {
        let seen = self.context.get(replica)?;
        Some(self.line_of(replica, seen))
    }

    fn line_of(&self, replica: &S::Replica, seen: &ClockSet) -> ReplicaDigest {
        let summary = self.store.summary(replica);
        let mut line = ReplicaDigest::new(seen.clone(), summary.fingerprint);
        line.live = Some(summary.live as u64);
        line
    }

    /// Whether a peer with that line may know something of `replica` that is not known
    /// here: it has seen a dot that was not seen here, or it does not hold what is held
    /// here. Who lacks something asks, by [`question`](Self::question) or by a digest.
    ///
    /// If the line says how much is alive, a peer that is merely behind is no reason
    /// to ask. O(log replicas + intervals), and a look at the ends of what only one has
    /// seen.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// a.insert(&Dot::new("a", 1), 'x');
    /// let b = a.clone();
    /// a.remove(&Dot::new("a", 1));
    /// assert!(b.lacks(&"a", &a.line(&"a").unwrap()));
    /// assert!(!a.lacks(&"a", &b.line(&"a").unwrap()));
    /// ```
    #[must_use]
    pub fn lacks(&self, replica: &S::Replica, line: &ReplicaDigest) -> bool {
        let Some(seen) = self.context.get(replica) else {
            return !line.seen.is_empty();
        };
        if !line.seen.is_subset(seen) {
            return true;
        }
        let held = self.store.summary_in(replica, &line.seen);
        let behind = line.live.is_some_and(|live| live > held.live as u64);
        held.fingerprint != line.fingerprint && !behind
    }

    /// What the owner of `digest` lacks, as far as the digest tells.
    ///
    /// Of a replica on which both agree, nothing. Otherwise:
    ///
    /// 1. The dots that the peer has not seen.
    /// 2. If the peer has seen all that was seen here of the rest, or more, and holds
    ///    something else of it, the deaths that explain the difference: this state
    ///    remembers the latest ones.
    /// 3. If none do, all of the replica, dots included: merging it settles every
    ///    difference, and two values under one dot come to light.
    ///
    /// It is silent about deaths if the peer has seen dots that were not seen here, or
    /// holds less of what both have seen: it knows more, and once its delta was merged
    /// here, both are even. So two states that exchange digests *both ways*, again and
    /// again, come to the same state.
    ///
    /// O(replicas + what is told), with O(chunks of the replica) for every one that
    /// differs.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// a.insert(&Dot::new("a", 1), 'x');
    /// let b = a.clone();
    /// a.insert(&Dot::new("a", 2), 'y');
    ///
    /// let delta = a.delta_since(&b.digest());
    /// assert_eq!(delta.store().len(), 1);
    /// assert_eq!(delta.context(), &CausalContext::from_iter([Dot::new("a", 2)]));
    /// ```
    #[must_use]
    pub fn delta_since(&self, digest: &Digest<S::Replica>) -> Self {
        self.deltas(digest, &mut Room::unbounded(), true)
    }

    /// [`delta_since`](Self::delta_since), of the replicas in `lines` alone: what
    /// [`digest_of`](Self::digest_of) asks for. Of the others it says nothing. A
    /// digest without them would ask for all of them.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// a.insert(&Dot::new("a", 1), 'x');
    /// let b = a.clone();
    /// a.insert(&Dot::new("a", 2), 'y');
    /// a.insert(&Dot::new("c", 1), 'z');
    ///
    /// let delta = a.delta_for_lines(&b.digest_of(["a"]));
    /// assert_eq!(delta.store().iter().collect::<Vec<_>>(), [(&"a", 2, &'y')]);
    /// ```
    #[must_use]
    pub fn delta_for_lines(&self, lines: &Digest<S::Replica>) -> Self {
        self.deltas(lines, &mut Room::unbounded(), false)
    }

    /// [`delta_since`](Self::delta_since) of at most `max` live dots and intervals of
    /// claims (but at least one dot), and whether there is more to say.
    ///
    /// What the peer has not seen comes in clock order, so the delta for its next digest
    /// goes on from there. A replica that would have to be told whole, and does not fit,
    /// is not told: what is still to say of it when nothing else is, a
    /// [question](Self::question) finds out.
    ///
    /// ```
    /// use lattice_causal::{Causal, Digest, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// for clock in 1..=10 {
    ///     a.insert(&Dot::new("a", clock), 'x');
    /// }
    /// let mut b = Causal::new();
    /// loop {
    ///     let (delta, more) = a.delta_since_bounded(&b.digest(), 5);
    ///     assert!(delta.store().len() + delta.context().interval_count() <= 5);
    ///     b.merge(&delta);
    ///     if !more {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(a, b);
    /// ```
    #[must_use]
    pub fn delta_since_bounded(&self, digest: &Digest<S::Replica>, max: usize) -> (Self, bool) {
        let mut room = Room::new(max);
        let delta = self.deltas(digest, &mut room, true);
        (delta, room.more)
    }

    /// `strangers` says whether replicas that `digest` does not name are told.
    fn deltas(&self, digest: &Digest<S::Replica>, room: &mut Room, strangers: bool) -> Self {
        let mut told = CausalContext::new();
        for (replica, seen) in self.context.iter() {
            let claims = match digest.get(replica) {
                Some(line) => self.claims_since(replica, seen, line),
                None if strangers => Claims {
                    certain: seen.clone(),
                    whole: false,
                },
                None => continue,
            };
            if claims.whole {
                let unwanted = digest.get(replica).map(|line| &line.unwanted);
                let all = unwanted.map_or_else(|| seen.clone(), |these| seen.difference(these));
                if room.take(self.cost(replica, &all)) {
                    told.insert_set(replica.clone(), &all);
                    continue;
                }
                room.more = true;
            }
            let (certain, _) = self.fit(replica, &claims.certain, 1, room);
            told.insert_set(replica.clone(), &certain);
        }
        self.slice(&told)
    }

    /// What to say of a replica to a peer that knows something of it.
    fn claims_since(&self, replica: &S::Replica, seen: &ClockSet, line: &ReplicaDigest) -> Claims {
        let all = self.store.summary(replica);
        if line.seen == *seen && line.fingerprint == all.fingerprint {
            return Claims::default();
        }
        let unseen = seen.difference(&line.seen);
        let mut claims = Claims {
            certain: unseen.difference(&line.unwanted),
            whole: false,
        };
        if !line.seen.is_subset(seen) {
            return claims;
        }
        let of_unseen = self.store.summary_in(replica, &unseen);
        let common = all.fingerprint.wrapping_sub(of_unseen.fingerprint);
        let missing = line.fingerprint.wrapping_sub(common);
        if missing == 0 {
            return claims;
        }
        let (theirs, newest) = (&line.seen, line.seen.max());
        if let Some(dead) = self.deaths.explain(replica, missing, theirs, newest) {
            claims.certain.union_with(&dead);
            return claims;
        }
        let held = (all.live - of_unseen.live) as u64;
        claims.whole = line.live.is_none_or(|live| live >= held);
        claims
    }
}
