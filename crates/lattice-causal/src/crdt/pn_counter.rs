//! The counter.

use super::{View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotFun, Edit, causal_crdt};

causal_crdt! {
    /// A counter that goes up and down and can be reset: the causal counter of
    /// Almeida, Shoker and Baquero's delta CRDTs, which unlike the classic pair of
    /// growing vectors can live in an [`OrMap`](crate::OrMap) and die with its key.
    ///
    /// Each replica keeps what it has counted under one dot of its own and puts the
    /// new sum under a fresh dot each time; the value is the sum over all replicas.
    /// A delta that was lost makes the value late, never wrong twice: of a replica
    /// the newest dot counts, also if the end of an older one was not heard of.
    ///
    /// ```
    /// use lattice_causal::PnCounter;
    ///
    /// let mut a = PnCounter::new();
    /// let mut b = a.clone();
    /// let from_a = a.add(&"a", 5).unwrap();
    /// let from_b = b.add(&"b", -2).unwrap();
    /// a.merge(&from_b);
    /// b.merge(&from_a);
    /// b.merge(&from_a);
    /// assert_eq!((a.value(), b.value()), (3, 3));
    /// ```
    ///
    /// # A reset and an addition at the same time
    ///
    /// [`clear`](Self::clear), or the removal of the key that holds the counter,
    /// takes away what it has seen of each replica. A replica that adds without
    /// having seen the reset puts *all* that it has counted since the last reset
    /// that it saw under a dot that the reset did not see. So of that replica
    /// everything stands, **the part that the reset had seen included**; of all
    /// others, what the reset has seen is gone:
    ///
    /// ```
    /// use lattice_causal::PnCounter;
    ///
    /// let mut a = PnCounter::new();
    /// a.add(&"a", 10).unwrap();
    /// let mut b = a.clone();
    /// b.add(&"b", 100).unwrap();
    /// a.merge(&b);
    ///
    /// let reset = b.clear(); // has seen the 10 of a and the 100 of b
    /// a.add(&"a", 1).unwrap(); // meanwhile
    /// a.merge(&reset);
    /// assert_eq!(a.value(), 11); // not 1: the 10 has come along
    /// ```
    ///
    /// That is the price of one dot a replica. A counter with one dot for each
    /// addition loses in a reset exactly the additions that the reset has seen,
    /// and keeps as many live dots as there were additions. If that matters
    /// more than size, [`CausalCrdt`](crate::CausalCrdt)'s page says how to write it.
    ///
    /// A counter that was counted and not reset is *there*, its value may be 0: a
    /// map keeps its key.
    pub struct PnCounter<R: Clone + Ord>(DotFun<R, i64>);
}

inherent!(PnCounter<R: Clone + Ord>, DotFun<R, i64>, "PnCounter::<&str>");

impl<R: Clone + Ord> PnCounter<R> {
    /// Adds `by`, which may be negative; gives the delta: one dot, whatever was
    /// counted before. O(log replicas).
    ///
    /// What one replica has counted stays within an `i64`: it stops at the ends of
    /// that range. At 10⁹ a second it takes 292 years to get there.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::PnCounter;
    ///
    /// let mut counter = PnCounter::new();
    /// counter.add(&"a", 3).unwrap();
    /// counter.add(&"a", -5).unwrap();
    /// assert_eq!(counter.value(), -2);
    /// ```
    pub fn add(&mut self, replica: &R, by: i64) -> Result<Self, ClockExhausted> {
        let edit = self.view().add(replica, by)?;
        Ok(self.commit(edit))
    }

    /// Resets the counter as far as it was seen; gives the delta. What a replica
    /// adds at the same time [stands](Self#a-reset-and-an-addition-at-the-same-time).
    /// O(replicas).
    ///
    /// ```
    /// use lattice_causal::PnCounter;
    ///
    /// let mut counter = PnCounter::new();
    /// counter.add(&"a", 5).unwrap();
    /// counter.clear();
    /// assert_eq!(counter.value(), 0);
    /// counter.add(&"a", 1).unwrap();
    /// assert_eq!(counter.value(), 1);
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// The sum over all replicas. O(replicas).
    ///
    /// ```
    /// assert_eq!(lattice_causal::PnCounter::<&str>::new().value(), 0);
    /// ```
    #[must_use]
    pub fn value(&self) -> i128 {
        self.view().value()
    }
}

/// The counter, standalone or nested; see [`PnCounter`] for what the operations
/// mean.
impl<R: Clone + Ord> View<'_, PnCounter<R>> {
    /// The edit that adds `by`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{OrMap, PnCounter};
    ///
    /// let mut stock = OrMap::<&str, PnCounter<&str>>::new();
    /// stock.apply("tea", |tea| tea.add(&"a", 12)).unwrap();
    /// stock.apply("tea", |tea| tea.add(&"a", -2)).unwrap();
    /// assert_eq!(stock.get(&"tea").unwrap().value(), 10);
    /// stock.remove(&"tea");
    /// stock.apply("tea", |tea| tea.add(&"a", 1)).unwrap();
    /// assert_eq!(stock.get(&"tea").unwrap().value(), 1);
    /// ```
    pub fn add(self, replica: &R, by: i64) -> Result<Edit<DotFun<R, i64>>, ClockExhausted> {
        let dot = self.context().next_dot(replica)?;
        let counted = self.store().and_then(|all| newest(all, replica));
        let sum = counted.unwrap_or(0).saturating_add(by);
        let replaced = [(dot, sum)].into_iter().collect();
        let edit = Causal::covering(replaced, self.own_dots(replica));
        Ok(Edit::from(edit))
    }

    /// The sum over all replicas.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, PnCounter};
    ///
    /// let mut counter = PnCounter::new();
    /// counter.commit(counter.view().add(&"a", 3).unwrap());
    /// assert_eq!(counter.view().value(), 3);
    /// ```
    #[must_use]
    pub fn value(self) -> i128 {
        let Some(all) = self.store() else { return 0 };
        let newest = all
            .replicas()
            .filter_map(|(replica, _)| newest(all, replica));
        newest.map(i128::from).sum()
    }
}

/// What `replica` has counted, as far as it was heard of.
fn newest<R: Clone + Ord>(all: &DotFun<R, i64>, replica: &R) -> Option<i64> {
    all.of(replica).next_back().map(|(_, counted)| *counted)
}
