//! The dot: the identity of one event.

use core::fmt;

/// The largest clock that a dot can carry: `2^53 - 1`.
///
/// It is the largest integer that a peer which keeps numbers as IEEE 754
/// doubles still holds exactly, so clocks survive every JSON implementation.
///
/// ```
/// assert_eq!(lattice_causal::MAX_CLOCK, 9_007_199_254_740_991);
/// ```
pub const MAX_CLOCK: u64 = (1 << 53) - 1;

/// One event of one replica: the `clock`-th thing that `replica` did.
///
/// Clocks start at 1 and end at [`MAX_CLOCK`]; 0 means "nothing yet". The order
/// is *dot order*: by replica, then by clock. It says nothing about causality;
/// it is the one order in which everything here iterates.
///
/// A `Dot` is plain data. A clock outside `1..=MAX_CLOCK` is a member of no set:
/// contexts neither contain nor accept it.
///
/// ```
/// use lattice_causal::Dot;
///
/// let first = Dot::new("a", 1);
/// assert_eq!(first, Dot { replica: "a", clock: 1 });
/// assert!(first < Dot::new("a", 2));
/// assert!(Dot::new("a", 2) < Dot::new("b", 1));
/// assert_eq!(first.to_string(), "a:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dot<R> {
    /// The replica whose event it is.
    pub replica: R,
    /// Which of its events, counted from 1.
    pub clock: u64,
}

impl<R> Dot<R> {
    /// The dot `(replica, clock)`.
    ///
    /// ```
    /// let dot = lattice_causal::Dot::new("a", 7);
    /// assert_eq!((dot.replica, dot.clock), ("a", 7));
    /// ```
    pub const fn new(replica: R, clock: u64) -> Self {
        Self { replica, clock }
    }
}

impl<R: fmt::Display> fmt::Display for Dot<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.replica, self.clock)
    }
}
