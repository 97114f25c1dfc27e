//! Own entries that somebody else has seen and does not hold (rule S5).

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use lattice_causal::{Causal, ClockSet, DotStore, Held, Question};

use super::PresenceState;
use crate::delta::Entries;
use crate::{Diff, Presence, ReplicaId};

/// How many own entries one merge re-issues at most (rule S5).
///
/// ```
/// assert_eq!(lattice_presence::MAX_REISSUED, 1_024);
/// ```
pub const MAX_REISSUED: usize = 1_024;

impl<M> PresenceState<M> {
    /// Gives fresh dots to own entries that the asker of `question` has seen and does not
    /// hold: it has pruned them, and would not see them otherwise. At most `max`, the
    /// oldest dots first; the next question brings the next ones. The next delta carries
    /// them.
    ///
    /// Only parts that list what the asker holds show what is missing; parts that give a
    /// fingerprint are for the answer to refine. An incarnation that has a successor
    /// re-issues nothing (rule S7). O(dots listed + `max`, with their look-ups).
    ///
    /// ```
    /// use lattice_presence::{Asked, ClockSet, Held, Part, PresenceState, Question};
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    ///
    /// // "Of a's dots I have seen 1 to 1, and hold none of them."
    /// let nothing = Held::Dots { clocks: ClockSet::new(), fingerprint: 0 };
    /// let mut asked = Asked::default();
    /// asked.seen = (1..=1).into();
    /// asked.parts = vec![Part { first: 1, last: 1, held: nothing }];
    /// let mut question = Question::new();
    /// question.insert("a".into(), asked);
    ///
    /// let diff = state.defend(&question, 100);
    /// let (before, after) = diff.updates()[0];
    /// assert_eq!((before.dot().clock, after.dot().clock), (1, 2));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn defend(&mut self, question: &Question<ReplicaId>, max: usize) -> Diff<M> {
        let mut diff = Diff::new();
        let Some(asked) = question.get(&self.replica) else {
            return diff;
        };
        if self.successor.is_some() {
            return diff;
        }
        let mut lost = Vec::new();
        for part in &asked.parts {
            let Held::Dots { clocks, .. } = &part.held else {
                continue;
            };
            let mut seen = asked.seen.intersection(&(part.first..=part.last).into());
            seen = seen.difference(clocks);
            let room = max - lost.len();
            lost.extend(self.own_among(&seen).take(room));
        }
        for entry in lost {
            // Parts that overlap name an entry twice.
            let stands = self.causal.store().get(entry.dot());
            if stands.is_some_and(|other| other.is(&entry)) {
                self.reissue(entry, &mut diff);
            }
        }
        debug_assert!(self.check_invariants());
        diff
    }

    /// The own entries under `clocks`, in clock order. O(log) for each interval.
    fn own_among(&self, clocks: &ClockSet) -> impl Iterator<Item = Presence<M>> {
        let own = |interval: RangeInclusive<u64>| {
            let store = self.causal.store();
            store.of_range(&self.replica, interval)
        };
        let entries = clocks.intervals().flat_map(own);
        entries.map(|(_, entry)| entry.clone())
    }

    /// Notes which own dots `other`, which has seen `theirs` of them, claims: those that
    /// it has seen and does not hold. O(what it speaks of).
    pub(super) fn note_claims(&mut self, other: &Causal<Entries<M>>, theirs: &ClockSet) {
        let held = other.store().live(&self.replica);
        self.claimed.union_with(&theirs.difference(&held));
    }

    /// Re-issues own entries whose dots are claimed, up to [`MAX_REISSUED`]. The rest
    /// stays noted for the next merge, so each merge gets further, and a claim is worked
    /// off after finitely many: fresh dots are beyond every claim, since a claim on dots
    /// that were not issued is refused (rule S6). An incarnation that has a successor does
    /// not fight for its entries (rule S7).
    pub(super) fn reissue_claimed(&mut self, diff: Option<&mut Diff<M>>) {
        if self.claimed.is_empty() {
            return;
        }
        let claimed = core::mem::take(&mut self.claimed);
        if self.successor.is_some() {
            return;
        }
        let lost: Vec<_> = self.own_among(&claimed).take(MAX_REISSUED).collect();
        if lost.len() == MAX_REISSUED
            && let Some(last) = lost.last()
        {
            self.claimed = claimed;
            self.claimed.remove_range(1..=last.dot().clock);
        }
        if lost.is_empty() {
            return;
        }
        let mut unread = Diff::new();
        let diff = diff.unwrap_or(&mut unread);
        for entry in lost {
            self.reissue(entry, diff);
        }
        diff.sort();
    }
}

#[cfg(test)]
mod tests {
    use lattice_causal::Part;

    use super::*;
    use crate::Asked;

    #[test]
    fn parts_that_overlap_bring_an_entry_once() {
        let mut state = PresenceState::new("a");
        let _ = state.join("p", "t", "k", ()).unwrap();
        let nothing = || Held::Dots {
            clocks: ClockSet::new(),
            fingerprint: 0,
        };
        let part = || Part {
            first: 1,
            last: 1,
            held: nothing(),
        };
        let mut asked = Asked::default();
        asked.seen = (1..=1).into();
        asked.parts = [part(), part()].into();
        let mut question = Question::new();
        question.insert("a".into(), asked);
        let diff = state.defend(&question, 100);
        assert_eq!((diff.updates().len(), diff.len()), (1, 2));
        assert_eq!((state.len(), state.get_by_pid("p").count()), (1, 1));
    }
}
