//! Generators for quickcheck, made to collide.
//!
//! Two generated values are of use to a test of joins only if they speak of the
//! same things. So replicas come from a pool of [`REPLICAS`], clocks are small
//! with a few far away, keys come from a pool of [`KEYS`]; and what a dot carries,
//! and where, follows from the dot, so that all states generated from one type
//! agree about every dot, as the states of one system do.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quickcheck::{Arbitrary, Gen};

use crate::{
    Answer, Asked, Causal, CausalContext, ClockSet, Digest, Dot, DotFun, DotMap, DotSet, DotStore,
    Held, Identify, MAX_CLOCK, Part, Question, ReplicaDigest, VersionVector,
};

/// How many replicas a generated value speaks of at most.
const REPLICAS: u64 = 4;

/// How many keys a generated map has at most.
const KEYS: u64 = 3;

/// The value of `T` that belongs to `seed`: always the same one.
fn seeded<T: Arbitrary>(seed: u64) -> T {
    T::arbitrary(&mut Gen::from_size_and_seed(4, seed))
}

/// The replicas of which all generated values speak, without duplicates.
fn replicas<R: Arbitrary + PartialEq>() -> Vec<R> {
    let mut pool = Vec::new();
    for replica in (0..REPLICAS).map(seeded) {
        if !pool.contains(&replica) {
            pool.push(replica);
        }
    }
    pool
}

fn pick<T: Copy>(g: &mut Gen, from: &[T]) -> T {
    *g.choose(from).unwrap_or(&from[0])
}

impl<R: Arbitrary + PartialEq> Arbitrary for Dot<R> {
    fn arbitrary(g: &mut Gen) -> Self {
        let replica = g.choose(&replicas()).cloned();
        let clock = pick(g, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000, MAX_CLOCK]);
        Self::new(replica.unwrap_or_else(|| seeded(0)), clock)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let replica = self.replica.clone();
        let smaller = self.clock.shrink().filter(|&clock| clock > 0);
        Box::new(smaller.map(move |clock| Self::new(replica.clone(), clock)))
    }
}

impl Arbitrary for ClockSet {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut set = Self::new();
        let mut at = pick(g, &[1, 1, 1, 2, 3, 5]);
        for _ in 0..pick(g, &[0, 1, 1, 2, 3, 4]) {
            let last = at + pick(g, &[0, 0, 1, 2, 4]);
            set.push_interval(at, last);
            at = last + pick(g, &[2, 2, 2, 3, 5, 1_000]);
        }
        // Now and then a far end, and more rarely a claim of everything up to it.
        match pick(g, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]) {
            1 => set.push_interval(MAX_CLOCK - 1, MAX_CLOCK),
            2 => set.push_interval(MAX_CLOCK, MAX_CLOCK),
            3 => set.push_interval(at, pick(g, &[MAX_CLOCK - 1, MAX_CLOCK])),
            _ => false,
        };
        set
    }

    /// Subsets only: without one interval, or with one cut in half.
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let whole = self.clone();
        let parts: Vec<_> = self.intervals().collect();
        let without = parts.into_iter().flat_map(|part| {
            let (first, last) = (*part.start(), *part.end());
            let middle = first + (last - first) / 2;
            [first..=last, middle + 1..=last, first..=middle]
        });
        let smaller = without.map(move |part| {
            let mut set = whole.clone();
            set.remove_range(part);
            set
        });
        let whole = self.clone();
        Box::new(smaller.filter(move |set| *set != whole))
    }
}

impl<R: Arbitrary + Ord> Arbitrary for VersionVector<R> {
    fn arbitrary(g: &mut Gen) -> Self {
        let clock = |replica| (replica, pick(g, &[0, 1, 2, 3, 4, 1_000, MAX_CLOCK]));
        replicas().into_iter().map(clock).collect()
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let pairs: Vec<(R, u64)> = self.iter().map(|(r, clock)| (r.clone(), clock)).collect();
        Box::new((0..pairs.len()).flat_map(move |at| {
            let pairs = pairs.clone();
            [0, pairs[at].1 / 2].into_iter().map(move |clock| {
                let mut pairs = pairs.clone();
                pairs[at].1 = clock;
                pairs.into_iter().collect()
            })
        }))
    }
}

impl<R: Arbitrary + Ord> Arbitrary for CausalContext<R> {
    fn arbitrary(g: &mut Gen) -> Self {
        let seen = |replica| (replica, ClockSet::arbitrary(g));
        replicas().into_iter().map(seen).collect()
    }

    /// Subsets only: without one replica, or with less of one.
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let whole = self.clone();
        let replicas: Vec<R> = self.replicas().cloned().collect();
        Box::new(replicas.into_iter().flat_map(move |replica| {
            let seen = whole.get(&replica).cloned().unwrap_or_default();
            let whole = whole.clone();
            let less = core::iter::once(ClockSet::new()).chain(seen.shrink());
            less.map(move |seen| {
                let mut smaller = whole.clone();
                smaller.remove(&replica);
                smaller.insert_set(replica.clone(), &seen);
                smaller
            })
        }))
    }
}

impl Arbitrary for ReplicaDigest {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut line = Self::new(ClockSet::arbitrary(g), u64::arbitrary(g));
        line.live = Option::arbitrary(g);
        line.unwanted = ClockSet::arbitrary(g).difference(&line.seen);
        line
    }
}

/// Of one part or several, none of which lies in another.
impl Arbitrary for Asked {
    fn arbitrary(g: &mut Gen) -> Self {
        let seen = ClockSet::arbitrary(g);
        let parts = seen.intervals().map(|range| Part {
            first: *range.start(),
            last: *range.end(),
            held: if bool::arbitrary(g) {
                Held::Fingerprint(u64::arbitrary(g))
            } else {
                Held::Dots {
                    clocks: (*range.start()..=*range.start()).into(),
                    fingerprint: u64::arbitrary(g),
                }
            },
        });
        let parts = parts.collect();
        let unwanted = ClockSet::arbitrary(g).difference(&seen);
        Self {
            seen,
            unwanted,
            parts,
        }
    }
}

impl<R: Arbitrary + Ord> Arbitrary for Question<R> {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut question = Self::new();
        for replica in replicas() {
            if bool::arbitrary(g) {
                question.insert(replica, Asked::arbitrary(g));
            }
        }
        question
    }
}

impl<S> Arbitrary for Answer<S>
where
    S: ArbitraryStore<Replica: Arbitrary>,
{
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            delta: Causal::arbitrary(g),
            differs: CausalContext::arbitrary(g),
            more: bool::arbitrary(g),
        }
    }
}

impl<R: Arbitrary + Ord> Arbitrary for Digest<R> {
    fn arbitrary(g: &mut Gen) -> Self {
        let known = |replica| (replica, ReplicaDigest::arbitrary(g));
        replicas().into_iter().map(known).collect()
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let whole = self.clone();
        let replicas: Vec<R> = self.iter().map(|(replica, _)| replica.clone()).collect();
        Box::new(replicas.into_iter().map(move |replica| {
            let mut smaller = whole.clone();
            smaller.insert(replica, ReplicaDigest::default());
            smaller
        }))
    }
}

/// A store that can be generated, which makes [`Causal`] of it `Arbitrary`.
///
/// ```
/// use lattice_causal::{ArbitraryStore, Dot, DotFun};
///
/// // What a dot carries follows from its seed: no two states disagree.
/// let once = DotFun::<u8, String>::from_dots(&[(Dot::new(1, 1), 99)]);
/// let twice = DotFun::<u8, String>::from_dots(&[(Dot::new(1, 1), 99)]);
/// assert_eq!(once, twice);
/// ```
pub trait ArbitraryStore: DotStore + 'static {
    /// The store in which exactly `dots` are live. What each carries, and under
    /// which key, depends on nothing but the seed beside it.
    fn from_dots(dots: &[(Dot<Self::Replica>, u64)]) -> Self;
}

impl<R: Clone + Ord + 'static> ArbitraryStore for DotSet<R> {
    fn from_dots(dots: &[(Dot<R>, u64)]) -> Self {
        dots.iter().map(|(dot, _)| dot.clone()).collect()
    }
}

impl<R, V, I> ArbitraryStore for DotFun<R, V, I>
where
    R: Clone + Ord + 'static,
    V: Arbitrary,
    I: Identify<V> + 'static,
{
    fn from_dots(dots: &[(Dot<R>, u64)]) -> Self {
        let values = dots.iter().map(|(dot, seed)| (dot.clone(), seeded(*seed)));
        values.collect()
    }
}

impl<K: Arbitrary + Ord, S: ArbitraryStore> ArbitraryStore for DotMap<K, S> {
    fn from_dots(dots: &[(Dot<S::Replica>, u64)]) -> Self {
        let mut children = BTreeMap::<K, Vec<_>>::new();
        for (dot, seed) in dots {
            // The child draws from the rest of the seed.
            let child = children.entry(seeded(seed % KEYS)).or_default();
            child.push((dot.clone(), seed / KEYS));
        }
        let children = children.into_iter();
        children
            .map(|(key, dots)| (key, S::from_dots(&dots)))
            .collect()
    }
}

/// Clocks of one interval that may be alive in a generated state. A claim of 2^53
/// clocks is not walked.
const CANDIDATES: u64 = 8;

impl<S> Arbitrary for Causal<S>
where
    S: ArbitraryStore<Replica: Arbitrary>,
{
    fn arbitrary(g: &mut Gen) -> Self {
        let context = CausalContext::<S::Replica>::arbitrary(g);
        let pool = replicas::<S::Replica>();
        let density = pick(g, &[1, 4, 6, 8]);
        let mut live = Vec::new();
        for (replica, seen) in context.iter() {
            let place = pool.iter().position(|r| r == replica).unwrap_or(0) as u64;
            let clocks = seen.intervals().flat_map(|i| i.take(CANDIDATES as usize));
            for clock in clocks.filter(|_| pick(g, &[0, 1, 2, 3, 4, 5, 6, 7]) < density) {
                let seed = crate::dot_fingerprint(clock, place);
                live.push((Dot::new(replica.clone(), clock), seed));
            }
        }
        Self::covered(S::from_dots(&live), context)
    }

    /// The dots that remain keep what they carry: less is seen, or one dot fewer
    /// is alive.
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let (whole, again) = (self.clone(), self.clone());
        let less_seen = self.context().shrink().map(move |seen| whole.slice(&seen));
        let live: Vec<_> = self.store().dots().dots().collect();
        let fewer_live = live.into_iter().map(move |dot| {
            let others = again
                .store()
                .dots()
                .difference(&[dot].into_iter().collect());
            Self::covered(again.store().select(&others), again.context().clone())
        });
        Box::new(less_seen.chain(fewer_live))
    }
}

/// The stores alone, as those of generated states.
macro_rules! arbitrary_store {
    ($store:ty, $($bounds:tt)+) => {
        impl<$($bounds)+> Arbitrary for $store {
            fn arbitrary(g: &mut Gen) -> Self {
                Causal::arbitrary(g).into_parts().0
            }

            fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
                let smaller = Causal::from_store(self.clone()).shrink();
                Box::new(smaller.map(|state| state.into_parts().0))
            }
        }
    };
}

arbitrary_store!(DotSet<R>, R: Arbitrary + Ord);
arbitrary_store!(DotFun<R, V, I>, R: Arbitrary + Ord, V: Arbitrary, I: Identify<V> + 'static);
arbitrary_store!(DotMap<K, S>, K: Arbitrary + Ord, S: ArbitraryStore<Replica: Arbitrary>);
