//! The enable-wins flag.

use super::{View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotSet, Edit, causal_crdt};

causal_crdt! {
    /// A flag in which enabling wins over concurrent disabling: the paper's `EWFlag`
    /// (section 7). It starts disabled.
    ///
    /// ```
    /// use lattice_causal::EwFlag;
    ///
    /// let mut a = EwFlag::new();
    /// a.enable(&"a").unwrap();
    /// let mut b = a.clone();
    ///
    /// let off = a.disable();
    /// let on = b.enable(&"b").unwrap();
    /// a.merge(&on);
    /// b.merge(&off);
    /// assert_eq!(a, b);
    /// assert!(a.is_enabled());
    /// ```
    pub struct EwFlag<R: Clone + Ord>(DotSet<R>);
}

inherent!(EwFlag<R: Clone + Ord>, DotSet<R>, "EwFlag::<&str>");

impl<R: Clone + Ord> EwFlag<R> {
    /// Enables the flag; gives the delta. O(replicas that have enabled it
    /// concurrently).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::EwFlag;
    ///
    /// let mut flag = EwFlag::new();
    /// flag.enable(&"a").unwrap();
    /// assert!(flag.is_enabled());
    /// ```
    pub fn enable(&mut self, replica: &R) -> Result<Self, ClockExhausted> {
        let edit = self.view().enable(replica)?;
        Ok(self.commit(edit))
    }

    /// Disables the flag as far as its enabling was seen; gives the delta.
    ///
    /// ```
    /// use lattice_causal::EwFlag;
    ///
    /// let mut flag = EwFlag::new();
    /// flag.enable(&"a").unwrap();
    /// flag.disable();
    /// assert!(!flag.is_enabled());
    /// ```
    pub fn disable(&mut self) -> Self {
        self.commit(self.view().disable())
    }

    /// Whether the flag is enabled. O(1).
    ///
    /// ```
    /// assert!(!lattice_causal::EwFlag::<&str>::new().is_enabled());
    /// ```
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.view().is_enabled()
    }
}

/// The flag, standalone or nested; see [`EwFlag`] for what the operations mean.
impl<R: Clone + Ord> View<'_, EwFlag<R>> {
    /// The edit that enables the flag.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag};
    ///
    /// let mut flag = EwFlag::new();
    /// flag.commit(flag.view().enable(&"a").unwrap());
    /// assert!(flag.is_enabled());
    /// ```
    pub fn enable(self, replica: &R) -> Result<Edit<DotSet<R>>, ClockExhausted> {
        let dot = self.context().next_dot(replica)?;
        let mut seen = self.dots();
        seen.insert(dot.clone());
        let enabled = Causal::covered(DotSet::from_iter([dot]), seen);
        Ok(Edit::from(enabled))
    }

    /// The edit that disables the flag.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag};
    ///
    /// let mut flag = EwFlag::new();
    /// flag.enable(&"a").unwrap();
    /// flag.commit(flag.view().disable());
    /// assert!(!flag.is_enabled());
    /// ```
    pub fn disable(self) -> Edit<DotSet<R>> {
        self.clear()
    }

    /// Whether the flag is enabled.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag};
    ///
    /// assert!(!EwFlag::<&str>::new().view().is_enabled());
    /// ```
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self.store().is_some_and(|dots| !dots.is_empty())
    }
}
