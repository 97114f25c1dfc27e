//! What can go wrong, and what it leaves unchanged.

use thiserror::Error;

use crate::Dot;

/// A replica has used its last clock, [`MAX_CLOCK`](crate::MAX_CLOCK).
///
/// Nothing was minted and nothing changed. At a million events a second it
/// takes 285 years to get here by counting, but one corrupt or hostile claim
/// can get here at once: the replica must go on under a new identity.
///
/// ```
/// use lattice_causal::{CausalContext, ClockExhausted, MAX_CLOCK};
///
/// let mut context = CausalContext::new();
/// context.insert_range("a", 1..=MAX_CLOCK);
/// assert_eq!(context.next_dot(&"a"), Err(ClockExhausted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the replica has used its last clock")]
pub struct ClockExhausted;

/// A store holds a dot that its context has not seen.
///
/// [`Causal::from_parts`](crate::Causal::from_parts) returns it and builds
/// nothing.
///
/// ```
/// use lattice_causal::{Causal, CausalContext, Dot, DotSet, UncoveredDot};
///
/// let store = DotSet::from_iter([Dot::new("a", 1)]);
/// let error = Causal::from_parts(store, CausalContext::new()).unwrap_err();
/// assert_eq!(error, UncoveredDot { dot: Dot::new("a", 1) });
/// assert_eq!(error.to_string(), "the context has not seen the live dot a:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the context has not seen the live dot {dot}")]
pub struct UncoveredDot<R> {
    /// The first such dot, in dot order.
    pub dot: Dot<R>,
}
