//! The last-writer register.

use super::{View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotFun, Edit, causal_crdt};

/// The writes that live: when, and what.
type Writes<R, T, V> = DotFun<R, (T, V)>;

causal_crdt! {
    /// A register in which the write with the latest time wins. Time is an argument:
    /// milliseconds, a hybrid logical clock, a version number, whatever has an order.
    ///
    /// - A write with a later time than all that its writer has seen replaces them.
    /// - A write with an earlier time than one that its writer has seen comes too
    ///   late: it changes nothing, and its delta is empty.
    /// - At equal times, a write replaces what its writer has seen; of two that have
    ///   not seen each other, the one with the greater dot (replica, then clock) is
    ///   read, everywhere.
    ///
    /// A write that lost against a concurrent one stays in the store, unread, until
    /// the next write that has seen it: at most one for each replica.
    ///
    /// ```
    /// use lattice_causal::LwwRegister;
    ///
    /// let mut a = LwwRegister::new();
    /// let mut b = a.clone();
    /// let from_a = a.write(&"a", 1_000, "tea").unwrap();
    /// let from_b = b.write(&"b", 1_007, "coffee").unwrap();
    /// a.merge(&from_b);
    /// b.merge(&from_a);
    /// assert_eq!(a, b);
    /// assert_eq!(a.value(), Some(&"coffee"));
    ///
    /// let late = a.write(&"a", 1_003, "water").unwrap();
    /// assert_eq!((a.value(), late.value()), (Some(&"coffee"), None));
    /// ```
    ///
    /// What a clock that runs ahead has written stays until the others have caught
    /// up. [`clear`](Self::clear) is the way out: it has no time, and takes away
    /// whatever it has seen. A write that it has not seen survives it, an early one
    /// as well. [`MvRegister`](crate::MvRegister) needs no clock, and loses no write.
    pub struct LwwRegister<R: Clone + Ord, T: Clone + Ord, V: Clone>(Writes<R, T, V>);
}

inherent!(
    LwwRegister<R: Clone + Ord, T: Clone + Ord, V: Clone>,
    Writes<R, T, V>,
    "LwwRegister::<&str, u64, char>"
);

impl<R: Clone + Ord, T: Clone + Ord, V: Clone> LwwRegister<R, T, V> {
    /// Writes `value` as of `time`; gives the delta, which is empty if a later
    /// write was seen. O(concurrent writes).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::LwwRegister;
    ///
    /// let mut register = LwwRegister::new();
    /// register.write(&"a", 7, "new").unwrap();
    /// register.write(&"a", 5, "old").unwrap();
    /// assert_eq!(register.value(), Some(&"new"));
    /// ```
    pub fn write(&mut self, replica: &R, time: T, value: V) -> Result<Self, ClockExhausted> {
        let edit = self.view().write(replica, time, value)?;
        Ok(self.commit(edit))
    }

    /// Empties the register of every write seen, whatever its time; gives the
    /// delta. O(concurrent writes).
    ///
    /// ```
    /// use lattice_causal::LwwRegister;
    ///
    /// let mut register = LwwRegister::new();
    /// register.write(&"a", 7, 'x').unwrap();
    /// register.clear();
    /// assert_eq!(register.value(), None);
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// The value of the latest write. O(concurrent writes).
    ///
    /// ```
    /// use lattice_causal::LwwRegister;
    ///
    /// assert_eq!(LwwRegister::<&str, u64, char>::new().value(), None);
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<&V> {
        self.view().value()
    }

    /// The time of the latest write: a writer that must win passes a later one.
    /// O(concurrent writes).
    ///
    /// ```
    /// use lattice_causal::LwwRegister;
    ///
    /// let mut register = LwwRegister::new();
    /// register.write(&"a", 7, 'x').unwrap();
    /// assert_eq!(register.time(), Some(&7));
    /// ```
    #[must_use]
    pub fn time(&self) -> Option<&T> {
        self.view().time()
    }
}

/// The register, standalone or nested; see [`LwwRegister`] for what the
/// operations mean.
impl<'a, R: Clone + Ord, T: Clone + Ord, V: Clone> View<'a, LwwRegister<R, T, V>> {
    /// The edit that writes `value` as of `time`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{LwwRegister, OrMap};
    ///
    /// let mut profile = OrMap::<&str, LwwRegister<&str, u64, &str>>::new();
    /// profile.apply("city", |city| city.write(&"a", 1, "Bonn")).unwrap();
    /// profile.apply("city", |city| city.write(&"a", 2, "Berlin")).unwrap();
    /// assert_eq!(profile.get(&"city").unwrap().value(), Some(&"Berlin"));
    /// ```
    pub fn write(
        self,
        replica: &R,
        time: T,
        value: V,
    ) -> Result<Edit<Writes<R, T, V>>, ClockExhausted> {
        if self.time().is_some_and(|latest| *latest > time) {
            return Ok(Edit::from(Causal::new()));
        }
        let dot = self.context().next_dot(replica)?;
        let written = [(dot, (time, value))].into_iter().collect();
        Ok(Edit::from(Causal::covering(written, self.dots())))
    }

    /// The value of the latest write.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, LwwRegister};
    ///
    /// let mut register = LwwRegister::new();
    /// register.commit(register.view().write(&"a", 7, 'x').unwrap());
    /// assert_eq!(register.view().value(), Some(&'x'));
    /// ```
    #[must_use]
    pub fn value(self) -> Option<&'a V> {
        self.latest().map(|(_, value)| value)
    }

    /// The time of the latest write.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, LwwRegister};
    ///
    /// assert_eq!(LwwRegister::<&str, u64, char>::new().view().time(), None);
    /// ```
    #[must_use]
    pub fn time(self) -> Option<&'a T> {
        self.latest().map(|(time, _)| time)
    }

    /// Live dots come in dot order, and of equal times `max_by` takes the last.
    fn latest(self) -> Option<&'a (T, V)> {
        let live = self.store().into_iter().flat_map(DotFun::iter);
        live.map(|(_, _, written)| written)
            .max_by(|one, other| one.0.cmp(&other.0))
    }
}
