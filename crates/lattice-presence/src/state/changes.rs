//! What was written here and not taken yet.

use lattice_causal::ClockSet;

use super::PresenceState;

impl<M> PresenceState<M> {
    /// The clocks of the own dots that [`take_delta`](Self::take_delta) would speak of,
    /// taken in its place: for who cuts deltas to size, with
    /// [`delta_of`](Self::delta_of). O(what was written since the last take), amortized.
    /// After [`reincarnate`](Self::reincarnate) take a delta instead: it also tells that the
    /// former life is over.
    ///
    /// ```
    /// use lattice_presence::{CausalContext, PresenceState};
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", 1)?;
    /// state.join("p", "t", "k", 2)?;
    /// let clocks = state.take_changes();
    /// assert_eq!(clocks, (1..=2).into());
    /// assert!(state.take_delta().is_none());
    ///
    /// let own = CausalContext::from_iter([("a".into(), clocks)]);
    /// assert_eq!(state.delta_of(&own).len(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn take_changes(&mut self) -> ClockSet {
        match self.pending.is_empty() {
            true => ClockSet::new(),
            false => self.pending.take(),
        }
    }
}
