//! A delta in parts that merge alone.

use alloc::vec::Vec;
use core::fmt;

use super::Causal;
use super::room::Room;
use crate::{CausalContext, DotStore};

/// The parts of a state: see [`Causal::split`].
///
/// ```
/// use lattice_causal::{Causal, Dot, DotSet};
///
/// let state = Causal::from_store(DotSet::from_iter([Dot::new("a", 1), Dot::new("a", 3)]));
/// assert_eq!(state.split(2).count(), 2);
/// ```
pub struct Split<'a, S: DotStore> {
    whole: &'a Causal<S>,
    /// The replicas that are still to be told, the next one last.
    replicas: Vec<S::Replica>,
    /// The first clock of the next one that is.
    from: u64,
    max: usize,
}

impl<S: DotStore> Causal<S> {
    /// This state in parts of at most `max` live dots and intervals of claims (but at
    /// least one dot): each merges alone, in any order, and all of them together have the
    /// effect of the whole.
    ///
    /// Parts ascend by replica and clock. Each claims a range of what was seen, with
    /// what lives in it. A state that says nothing has no part. O(chunks) and what it
    /// holds, a part.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let state = Causal::from_store((1..=10).map(|c| Dot::new("a", c)).collect::<DotSet<_>>());
    /// let mut merged = Causal::new();
    /// for part in state.split(4) {
    ///     assert!(part.store().len() + part.context().interval_count() <= 4);
    ///     merged.merge(&part);
    /// }
    /// assert_eq!(merged, state);
    /// ```
    pub fn split(&self, max: usize) -> Split<'_, S> {
        Split {
            whole: self,
            replicas: self.context.replicas().rev().cloned().collect(),
            from: 1,
            max,
        }
    }
}

impl<S: DotStore> Iterator for Split<'_, S> {
    type Item = Causal<S>;

    fn next(&mut self) -> Option<Causal<S>> {
        let mut room = Room::new(self.max);
        let mut part = CausalContext::new();
        while !room.more
            && let Some(replica) = self.replicas.last()
        {
            let seen = self.whole.context.get(replica).into_iter();
            for seen in seen {
                let (claims, next) = self.whole.fit(replica, seen, self.from, &mut room);
                part.insert_set(replica.clone(), &claims);
                self.from = next.unwrap_or(1);
            }
            if !room.more {
                self.replicas.pop();
            }
        }
        (!part.is_empty()).then(|| self.whole.slice(&part))
    }
}

impl<S: DotStore<Replica: fmt::Debug>> fmt::Debug for Split<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("replicas", &self.replicas)
            .field("from", &self.from)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}
