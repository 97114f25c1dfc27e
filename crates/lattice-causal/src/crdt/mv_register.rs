//! The multi-value register.

use super::{View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotFun, Edit, causal_crdt};

causal_crdt! {
    /// A register that keeps every value that was written concurrently, until a
    /// write that has seen them all replaces them: the paper's `MVRegister` (section
    /// 7.3). It never loses a write, and leaves the choice to the reader.
    ///
    /// ```
    /// use lattice_causal::MvRegister;
    ///
    /// let mut a = MvRegister::new();
    /// let mut b = a.clone();
    /// let from_a = a.write(&"a", "tea").unwrap();
    /// let from_b = b.write(&"b", "coffee").unwrap();
    /// a.merge(&from_b);
    /// b.merge(&from_a);
    /// assert_eq!(a, b);
    /// assert_eq!(a.values().collect::<Vec<_>>(), [&"tea", &"coffee"]);
    ///
    /// a.write(&"a", "water").unwrap();
    /// assert_eq!(a.values().collect::<Vec<_>>(), [&"water"]);
    /// ```
    pub struct MvRegister<R: Clone + Ord, V: Clone>(DotFun<R, V>);
}

inherent!(MvRegister<R: Clone + Ord, V: Clone>, DotFun<R, V>, "MvRegister::<&str, char>");

impl<R: Clone + Ord, V: Clone> MvRegister<R, V> {
    /// Writes `value` in place of every value seen; gives the delta. O(values).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::MvRegister;
    ///
    /// let mut register = MvRegister::new();
    /// register.write(&"a", 1).unwrap();
    /// register.write(&"a", 2).unwrap();
    /// assert_eq!(register.values().collect::<Vec<_>>(), [&2]);
    /// ```
    pub fn write(&mut self, replica: &R, value: V) -> Result<Self, ClockExhausted> {
        let edit = self.view().write(replica, value)?;
        Ok(self.commit(edit))
    }

    /// Empties the register of every value seen; gives the delta. O(values).
    ///
    /// ```
    /// use lattice_causal::MvRegister;
    ///
    /// let mut register = MvRegister::new();
    /// register.write(&"a", 1).unwrap();
    /// register.clear();
    /// assert_eq!(register.values().next(), None);
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// The values, in dot order: none before the first write, several after
    /// concurrent ones.
    ///
    /// ```
    /// use lattice_causal::MvRegister;
    ///
    /// assert_eq!(MvRegister::<&str, char>::new().values().next(), None);
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.view().values()
    }
}

/// The register, standalone or nested; see [`MvRegister`] for what the
/// operations mean.
impl<'a, R: Clone + Ord, V: Clone> View<'a, MvRegister<R, V>> {
    /// The edit that writes `value`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, MvRegister};
    ///
    /// let mut register = MvRegister::new();
    /// register.commit(register.view().write(&"a", 1).unwrap());
    /// assert_eq!(register.values().collect::<Vec<_>>(), [&1]);
    /// ```
    pub fn write(self, replica: &R, value: V) -> Result<Edit<DotFun<R, V>>, ClockExhausted> {
        let dot = self.context().next_dot(replica)?;
        let mut seen = self.dots();
        seen.insert(dot.clone());
        let written = [(dot, value)].into_iter().collect();
        Ok(Edit::from(Causal::covered(written, seen)))
    }

    /// The values, in dot order.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, MvRegister};
    ///
    /// assert_eq!(MvRegister::<&str, char>::new().view().values().next(), None);
    /// ```
    pub fn values(self) -> impl Iterator<Item = &'a V> {
        let live = self.store().into_iter().flat_map(DotFun::iter);
        live.map(|(_, _, value)| value)
    }
}
