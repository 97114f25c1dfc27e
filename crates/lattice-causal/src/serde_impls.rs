//! Serialization: one canonical form per value, and one door for what comes in.
//!
//! Maps are sequences of pairs, ascending by key, so that any key type goes
//! through any format and equal values give equal bytes. A set of clocks is a
//! sequence of `[first, last]` intervals; live dots are listed one by one.
//!
//! Decoding accepts exactly the canonical form. It *refuses*, and does not
//! repair: clocks outside `1..=MAX_CLOCK`; intervals that are reversed, unsorted,
//! overlapping or adjacent; keys that are unsorted or repeated; replicas of which
//! nothing was seen, or nothing is alive; empty stores under a key; one dot under
//! two keys; a live dot that the context has not seen. The work and the memory
//! spent on an input are proportional to its length, or to its length times the
//! depth of nested maps: no interval is ever expanded.

mod repair;

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::{
    Causal, CausalContext, ClockSet, Dot, DotFun, DotMap, DotSet, DotStore, Identify, MAX_CLOCK,
    VersionVector,
};

/// Why an input that parses is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
enum Invalid {
    #[error("clock {0} is not in 1..=2^53-1")]
    Clock(u64),
    #[error("the interval {0}..={1} is reversed, out of range, or not behind the one before")]
    Interval(u64, u64),
    #[error("keys are not strictly ascending")]
    Order,
    #[error("an entry is empty")]
    Empty,
    #[error("one dot is alive under two keys")]
    Shared,
    #[error("the context has not seen a live dot")]
    Uncovered,
    #[error("a part is reversed, out of range, not behind the one before, or lists other clocks")]
    Part,
}

const fn check_clock(clock: u64) -> Result<u64, Invalid> {
    match clock {
        1..=MAX_CLOCK => Ok(clock),
        _ => Err(Invalid::Clock(clock)),
    }
}

/// Reads a sequence of `A` into a `T`, item by item: nothing is reserved on the
/// word of the input.
fn read<'de, D, A, T>(
    deserializer: D,
    what: &'static str,
    add: impl FnMut(&mut T, A) -> Result<(), Invalid>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    A: Deserialize<'de>,
    T: Default,
{
    struct Collector<A, T, F> {
        what: &'static str,
        add: F,
        types: PhantomData<fn(A) -> T>,
    }

    impl<'de, A, T, F> Visitor<'de> for Collector<A, T, F>
    where
        A: Deserialize<'de>,
        T: Default,
        F: FnMut(&mut T, A) -> Result<(), Invalid>,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.what)
        }

        fn visit_seq<S: SeqAccess<'de>>(mut self, mut items: S) -> Result<T, S::Error> {
            let mut all = T::default();
            while let Some(item) = items.next_element()? {
                (self.add)(&mut all, item).map_err(S::Error::custom)?;
            }
            Ok(all)
        }
    }

    deserializer.deserialize_seq(Collector {
        what,
        add,
        types: PhantomData,
    })
}

fn check_order<K: Ord>(last: Option<&K>, next: &K) -> Result<(), Invalid> {
    match last {
        Some(last) if last >= next => Err(Invalid::Order),
        _ => Ok(()),
    }
}

impl<R: Serialize> Serialize for Dot<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DotForm {
            replica: &self.replica,
            clock: self.clock,
        }
        .serialize(serializer)
    }
}

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Dot<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let DotForm { replica, clock } = DotForm::deserialize(deserializer)?;
        let clock = check_clock(clock).map_err(D::Error::custom)?;
        Ok(Self { replica, clock })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Dot")]
struct DotForm<R> {
    replica: R,
    clock: u64,
}

impl Serialize for ClockSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.intervals().map(|i| (*i.start(), *i.end())))
    }
}

impl<'de> Deserialize<'de> for ClockSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending intervals of clocks",
            |set: &mut Self, (first, last)| {
                let pushed = set.push_interval(first, last);
                pushed.then_some(()).ok_or(Invalid::Interval(first, last))
            },
        )
    }
}

impl<R: Serialize> Serialize for VersionVector<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, R: Deserialize<'de> + Clone + Ord> Deserialize<'de> for VersionVector<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and clock",
            |vector: &mut Self, (replica, clock): (R, u64)| {
                check_order(vector.iter().next_back().map(|(r, _)| r), &replica)?;
                vector.advance(&replica, check_clock(clock)?);
                Ok(())
            },
        )
    }
}

impl<R: Serialize> Serialize for CausalContext<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, R: Deserialize<'de> + Clone + Ord> Deserialize<'de> for CausalContext<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and seen clocks",
            |context: &mut Self, (replica, seen): (R, ClockSet)| {
                check_order(context.replicas().next_back(), &replica)?;
                if seen.is_empty() {
                    return Err(Invalid::Empty);
                }
                context.insert_set(replica, &seen);
                Ok(())
            },
        )
    }
}

/// What one replica contributes to a store: items, written as they are walked.
struct Listing<I> {
    items: I,
    /// How many: formats without delimiters write it first.
    count: usize,
}

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Listing<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.count))?;
        for item in self.items.clone() {
            all.serialize_element(&item)?;
        }
        all.end()
    }
}

/// The live dots of one replica as they come in, checked.
struct RunPart<T>(alloc::vec::Vec<T>);

impl<T> Default for RunPart<T> {
    fn default() -> Self {
        Self(alloc::vec::Vec::new())
    }
}

/// An item that a clock leads: `clock`, or `(clock, value)`.
trait Clocked {
    fn clock(&self) -> u64;
}

impl Clocked for u64 {
    fn clock(&self) -> u64 {
        *self
    }
}

impl<V> Clocked for (u64, V) {
    fn clock(&self) -> u64 {
        self.0
    }
}

impl<'de, T: Clocked + Deserialize<'de>> Deserialize<'de> for RunPart<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let part = read(
            deserializer,
            "live dots, ascending by clock",
            |part: &mut Self, item: T| {
                check_clock(item.clock())?;
                check_order(part.0.last().map(T::clock).as_ref(), &item.clock())?;
                part.0.push(item);
                Ok(())
            },
        )?;
        if part.0.is_empty() {
            return Err(D::Error::custom(Invalid::Empty));
        }
        Ok(part)
    }
}

impl<R: Serialize> Serialize for DotSet<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.as_dot_fun().replicas();
        let parts = self.as_dot_fun().runs().zip(counts);
        serializer.collect_seq(parts.map(|((replica, run), (_, count))| {
            let items = run.map(|(clock, ())| clock);
            (replica, Listing { items, count })
        }))
    }
}

impl<'de, R: Deserialize<'de> + Clone + Ord> Deserialize<'de> for DotSet<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and live clocks",
            |store: &mut Self, (replica, part): (R, RunPart<u64>)| {
                check_order(
                    store.as_dot_fun().replicas().next_back().map(|(r, _)| r),
                    &replica,
                )?;
                let mut dot = Dot::new(replica, 0);
                for clock in part.0 {
                    dot.clock = clock;
                    store.insert(&dot);
                }
                Ok(())
            },
        )
    }
}

impl<R: Serialize, V: Serialize, I> Serialize for DotFun<R, V, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.runs().zip(self.replicas());
        serializer.collect_seq(
            parts.map(|((replica, items), (_, count))| (replica, Listing { items, count })),
        )
    }
}

impl<'de, R, V, I> Deserialize<'de> for DotFun<R, V, I>
where
    R: Deserialize<'de> + Clone + Ord,
    V: Deserialize<'de>,
    I: Identify<V>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and live dots with values",
            |store: &mut Self, (replica, part): (R, RunPart<(u64, V)>)| {
                check_order(store.replicas().next_back().map(|(r, _)| r), &replica)?;
                let mut dot = Dot::new(replica, 0);
                for (clock, value) in part.0 {
                    dot.clock = clock;
                    store.insert(&dot, value);
                }
                Ok(())
            },
        )
    }
}

impl<K: Serialize, T: DotStore + Serialize> Serialize for DotMap<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, K, T> Deserialize<'de> for DotMap<K, T>
where
    K: Deserialize<'de> + Clone + Ord,
    T: DotStore + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let children = read(
            deserializer,
            "ascending pairs of key and store",
            |children: &mut alloc::vec::Vec<(K, T)>, (key, child): (K, T)| {
                check_order(children.last().map(|(key, _)| key), &key)?;
                if child.is_empty() {
                    return Err(Invalid::Empty);
                }
                children.push((key, child));
                Ok(())
            },
        )?;
        let map: Self = children.into_iter().collect();
        // Summaries count every place where a dot lives, the union counts dots.
        let alone = |(replica, live): (&T::Replica, &ClockSet)| {
            u64::try_from(map.summary(replica).live) == Ok(live.len())
        };
        if !map.dots().iter().all(alone) {
            return Err(D::Error::custom(Invalid::Shared));
        }
        Ok(map)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Causal")]
struct CausalForm<S, C> {
    store: S,
    context: C,
}

impl<T> Serialize for Causal<T>
where
    T: DotStore<Replica: Serialize> + Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CausalForm {
            store: self.store(),
            context: self.context(),
        }
        .serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Causal<T>
where
    T: DotStore<Replica: Deserialize<'de>> + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let CausalForm { store, context } = CausalForm::deserialize(deserializer)?;
        Self::from_parts(store, context).map_err(|_| D::Error::custom(Invalid::Uncovered))
    }
}
