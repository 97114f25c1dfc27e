//! Checkers of the join-semilattice laws, for any type.
//!
//! A CRDT converges because its join is associative, commutative and idempotent
//! and never loses information. A type that claims so implements [`Lattice`], and
//! a test hands [`check`] samples of it, hand-picked or generated; the answer is
//! `Ok`, or the law that broke with the inputs that broke it.
//!
//! ```
//! use lattice_causal::laws::{self, Lattice};
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Max(u32);
//! impl Lattice for Max {
//!     fn join(&mut self, other: &Self) {
//!         self.0 = self.0.max(other.0);
//!     }
//! }
//! assert!(laws::check(&[Max(1), Max(2), Max(3)]).is_ok());
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Sum(u32);
//! impl Lattice for Sum {
//!     fn join(&mut self, other: &Self) {
//!         self.0 += other.0;
//!     }
//! }
//! let broken = laws::check(&[Sum(1), Sum(2)]).unwrap_err();
//! assert_eq!(broken.law, laws::Law::Idempotence);
//! ```
//!
//! [`Trials`] makes the samples from a generator of yours, or plays random
//! histories of operations, deltas and merges on three replicas, and makes what
//! fails small:
//!
//! ```
//! use lattice_causal::{AwSet, laws::Trials};
//!
//! let history = |set: &mut AwSet<u64, u64>, me: u64, draw: &mut laws::Draw| {
//!     let element = draw.below(3);
//!     match draw.below(2) {
//!         0 => set.add(&me, element).unwrap(),
//!         _ => set.remove(&element),
//!     }
//! };
//! # use lattice_causal::laws;
//! Trials::new(7).histories(history).unwrap();
//! ```
//!
//! Whoever has generators for quickcheck hands what they make to [`check`].

mod draw;
mod trials;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

pub use draw::Draw;
pub use trials::{Failure, Trials};

use crate::{CausalContext, CausalCrdt, ClockSet, VersionVector};

/// A type whose values have a join.
///
/// Equality must be equality of meaning: two states that hold the same are equal,
/// whatever happened on the way.
///
/// ```
/// use lattice_causal::laws::Lattice;
/// use std::collections::BTreeSet;
///
/// #[derive(Clone, PartialEq)]
/// struct Grows(BTreeSet<u8>);
/// impl Lattice for Grows {
///     fn join(&mut self, other: &Self) {
///         self.0.extend(&other.0);
///     }
/// }
/// assert!(Grows([1].into()).leq(&Grows([1, 2].into())));
/// ```
pub trait Lattice: Clone + PartialEq {
    /// Joins `other` into this state.
    fn join(&mut self, other: &Self);

    /// Whether this state is less than or equal to `other`. The default asks the
    /// join; a type with an order of its own states it, to have it checked
    /// against the join.
    fn leq(&self, other: &Self) -> bool {
        joined(other, [self]) == *other
    }

    /// What `peer` lacks of this state. The default, all of it, is right for a
    /// type without deltas.
    fn delta_for(&self, peer: &Self) -> Self {
        let _ = peer;
        self.clone()
    }
}

fn joined<'a, T: Lattice + 'a>(base: &T, parts: impl IntoIterator<Item = &'a T>) -> T {
    let mut state = base.clone();
    for part in parts {
        state.join(part);
    }
    state
}

/// A law of join semilattices and of deltas. Write `a ⊔ b` for the join.
///
/// ```
/// use lattice_causal::laws::Law;
///
/// assert_eq!(Law::Commutativity.to_string(), "commutativity: a ⊔ b = b ⊔ a");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// Merging twice is merging once.
    Idempotence,
    /// Order does not matter.
    Commutativity,
    /// Grouping does not matter.
    Associativity,
    /// Merging never goes down in the order.
    Monotonicity,
    /// The order is the one that the join defines.
    Order,
    /// A delta for a peer has the effect of the whole state.
    Delta,
    /// Deltas may come twice and in any order.
    DeltaOrder,
    /// The deltas that mutators returned have the effect of the mutated state.
    Mutators,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idempotence => "idempotence: a ⊔ a = a",
            Self::Commutativity => "commutativity: a ⊔ b = b ⊔ a",
            Self::Associativity => "associativity: (a ⊔ b) ⊔ c = a ⊔ (b ⊔ c)",
            Self::Monotonicity => "monotonicity: a ≤ a ⊔ b and b ≤ a ⊔ b",
            Self::Order => "order: a ≤ b if and only if a ⊔ b = b",
            Self::Delta => "delta: b ⊔ delta of a for b = b ⊔ a",
            Self::DeltaOrder => "delta order: deltas of a and b for c, in any order, twice = a ⊔ b",
            Self::Mutators => "mutators: base ⊔ deltas, in any order, twice = state",
        })
    }
}

/// A law that does not hold, with the evidence.
///
/// ```
/// use lattice_causal::laws::{self, Lattice};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Last(char);
/// impl Lattice for Last {
///     fn join(&mut self, other: &Self) {
///         self.0 = other.0;
///     }
/// }
/// let broken = laws::check(&[Last('x'), Last('y')]).unwrap_err();
/// assert_eq!(
///     broken.to_string(),
///     "broken commutativity: a ⊔ b = b ⊔ a\n  a = Last('x')\n  b = Last('y')\n  \
///      one side: Last('y')\n  other side: Last('x')",
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Violation<T> {
    /// Which law.
    pub law: Law,
    /// The states that it was asked about: `a`, `b`, `c`, as far as it has them;
    /// for [`Law::Mutators`] the base, the state, the peer, then the deltas.
    pub inputs: Vec<T>,
    /// What the law says to be equal and is not; empty if an order was asked.
    pub sides: Vec<T>,
}

impl<T: fmt::Debug> fmt::Display for Violation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken {}", self.law)?;
        let names: &[&str] = match self.law {
            Law::Mutators => &["base", "state", "peer"],
            _ => &["a", "b", "c"],
        };
        let names = names.iter().chain(core::iter::repeat(&"delta"));
        for (input, name) in self.inputs.iter().zip(names) {
            write!(f, "\n  {name} = {input:?}")?;
        }
        for (side, name) in self.sides.iter().zip(["one side", "other side"]) {
            write!(f, "\n  {name}: {side:?}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Debug> core::error::Error for Violation<T> {}

type Checked<T> = Result<(), Violation<T>>;

fn equal<T: Lattice>(law: Law, inputs: &[&T], one: T, other: T) -> Checked<T> {
    if one == other {
        return Ok(());
    }
    Err(Violation {
        law,
        inputs: inputs.iter().copied().cloned().collect(),
        sides: vec![one, other],
    })
}

fn holds<T: Lattice>(law: Law, inputs: &[&T], holds: bool) -> Checked<T> {
    if holds {
        return Ok(());
    }
    Err(Violation {
        law,
        inputs: inputs.iter().copied().cloned().collect(),
        sides: Vec::new(),
    })
}

/// Checks every law, [`Law::Mutators`] excepted, on every choice of three of
/// `samples`. O(samples³) joins: eight samples are many.
///
/// # Errors
///
/// The first [`Violation`] found; simple laws are asked before complex ones.
///
/// ```
/// use lattice_causal::{AwSet, laws};
///
/// let mut a = AwSet::new();
/// let mut b = a.clone();
/// a.add(&"a", 'x').unwrap();
/// b.add(&"b", 'x').unwrap();
/// b.remove(&'x');
/// assert_eq!(laws::check(&[a, b]), Ok(()));
/// ```
pub fn check<T: Lattice>(samples: &[T]) -> Result<(), Violation<T>> {
    for a in samples {
        check_one(a)?;
    }
    for a in samples {
        for b in samples {
            check_two(a, b)?;
        }
    }
    for a in samples {
        for b in samples {
            for c in samples {
                check_three(a, b, c)?;
            }
        }
    }
    Ok(())
}

fn check_one<T: Lattice>(a: &T) -> Checked<T> {
    equal(Law::Idempotence, &[a], joined(a, [a]), a.clone())?;
    holds(Law::Order, &[a, a], a.leq(a))
}

fn check_two<T: Lattice>(a: &T, b: &T) -> Checked<T> {
    let join = joined(a, [b]);
    equal(Law::Commutativity, &[a, b], join.clone(), joined(b, [a]))?;
    holds(Law::Monotonicity, &[a, b], a.leq(&join) && b.leq(&join))?;
    holds(Law::Order, &[a, b], a.leq(b) == (join == *b))?;
    let by_delta = joined(b, [&a.delta_for(b)]);
    equal(Law::Delta, &[a, b], by_delta, joined(b, [a]))
}

fn check_three<T: Lattice>(a: &T, b: &T, c: &T) -> Checked<T> {
    let left = joined(a, [b, c]);
    let right = joined(a, [&joined(b, [c])]);
    equal(Law::Associativity, &[a, b, c], left, right)?;
    let (ab, bc) = (joined(a, [b]), joined(b, [c]));
    holds(Law::Monotonicity, &[a, b, c], ab.leq(&joined(a, [&bc])))?;
    let (of_a, of_b) = (a.delta_for(c), b.delta_for(c));
    let whole = joined(c, [a, b]);
    for order in [[&of_a, &of_b, &of_a], [&of_b, &of_a, &of_b]] {
        equal(Law::DeltaOrder, &[a, b, c], joined(c, order), whole.clone())?;
    }
    let grouped = joined(&of_b, [&of_a]);
    equal(Law::DeltaOrder, &[a, b, c], joined(c, [&grouped]), whole)
}

/// Checks [`Law::Mutators`]: `state` is what `base` became by operations that
/// returned `deltas`, oldest first. Merging the deltas into a `peer`, which has
/// merged `base` before, must give what merging `state` gives: in order, in
/// reverse, each twice, and grouped.
///
/// # Errors
///
/// The [`Violation`] of [`Law::Mutators`].
///
/// ```
/// use lattice_causal::{AwSet, laws};
///
/// let base = AwSet::<&str, char>::new();
/// let mut state = base.clone();
/// let deltas = [state.add(&"a", 'x').unwrap(), state.remove(&'x')];
/// assert_eq!(laws::check_mutators(&base, &state, &base, &deltas), Ok(()));
/// ```
pub fn check_mutators<T: Lattice>(
    base: &T,
    state: &T,
    peer: &T,
    deltas: &[T],
) -> Result<(), Violation<T>> {
    let inputs: Vec<&T> = [base, state, peer].into_iter().chain(deltas).collect();
    for start in [base.clone(), joined(peer, [base])] {
        let whole = joined(&start, [state]);
        let mut grouped = start.clone();
        if let Some((first, rest)) = deltas.split_first() {
            grouped.join(&joined(first, rest));
        }
        let ways = [
            joined(&start, deltas),
            joined(&start, deltas.iter().rev()),
            joined(&start, deltas.iter().rev().chain(deltas)),
            grouped,
        ];
        for way in ways {
            equal(Law::Mutators, &inputs, way, whole.clone())?;
        }
    }
    let evolved = joined(base, [state]);
    equal(Law::Mutators, &inputs, evolved, state.clone())
}

/// [`check`], for tests.
///
/// # Panics
///
/// Where a law is broken, with the law and the inputs.
///
/// ```
/// use lattice_causal::{VersionVector, laws};
///
/// let vectors = [("a", 1), ("a", 2), ("b", 1)].map(|at| VersionVector::from_iter([at]));
/// laws::assert_laws(&vectors);
/// ```
#[track_caller]
pub fn assert_laws<T: Lattice + fmt::Debug>(samples: &[T]) {
    if let Err(violation) = check(samples) {
        panic!("{violation}");
    }
}

impl Lattice for ClockSet {
    fn join(&mut self, other: &Self) {
        self.union_with(other);
    }

    fn leq(&self, other: &Self) -> bool {
        self.is_subset(other)
    }

    fn delta_for(&self, peer: &Self) -> Self {
        self.difference(peer)
    }
}

impl<R: Clone + Ord> Lattice for VersionVector<R> {
    fn join(&mut self, other: &Self) {
        self.merge(other);
    }

    fn leq(&self, other: &Self) -> bool {
        self <= other
    }
}

impl<R: Clone + Ord> Lattice for CausalContext<R> {
    fn join(&mut self, other: &Self) {
        self.merge(other);
    }

    fn leq(&self, other: &Self) -> bool {
        self <= other
    }

    fn delta_for(&self, peer: &Self) -> Self {
        self.difference(peer)
    }
}

/// Every causal CRDT is one, [`Causal`](crate::Causal) of any store included.
impl<C> Lattice for C
where
    C: CausalCrdt<Store: PartialEq> + Clone + PartialEq,
{
    fn join(&mut self, other: &Self) {
        CausalCrdt::merge(self, other);
    }

    fn leq(&self, other: &Self) -> bool {
        self.as_causal() <= other.as_causal()
    }

    /// What the answers to all questions of the peer amount to. The answer to its digest
    /// may leave out what the peer will hear later.
    fn delta_for(&self, peer: &Self) -> Self {
        let (mine, mut told) = (self.as_causal(), peer.as_causal().clone());
        let mut delta = crate::Causal::new();
        let mut question = told.question(mine.context().replicas().cloned());
        while !question.is_empty() {
            let answer = mine.answer(&question, 8);
            told.merge(&answer.delta);
            delta.merge(&answer.delta);
            question = told.refine(&answer.differs);
        }
        Self::from_causal(delta)
    }
}
