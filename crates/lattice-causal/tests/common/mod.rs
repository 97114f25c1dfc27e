//! What the test files share: a seeded driver, and a naive model.
//!
//! The model is plain sets of dots, written from the paper's definitions. It
//! shares no code with the crate: it enumerates what the crate keeps as intervals
//! and sorted runs.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "shared by test binaries, exported by none")]

use std::collections::{BTreeMap, BTreeSet};

use lattice_causal::{
    Causal, CausalContext, ClockSet, DotFun, DotMap, DotSet, DotStore, dot_fingerprint,
};
use quickcheck::{Gen, QuickCheck, Testable};

/// The seed of a plain run, so that every run is the same run.
const SEED: u64 = 0x1a77_1ce5;

fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {value}")),
        Err(_) => default,
    }
}

/// Asks `property` of generated values. `LATTICE_SEED` and `LATTICE_CASES` choose
/// other ones, and more.
#[track_caller]
pub fn check<P: Testable>(property: P) {
    check_cases(300, property);
}

/// [`check`] with fewer cases, where each is expensive.
#[track_caller]
pub fn check_cases<P: Testable>(cases: u64, property: P) {
    let seed = variable("LATTICE_SEED", SEED);
    let cases = variable("LATTICE_CASES", cases);
    let outcome = QuickCheck::new()
        .tests(cases)
        .max_tests(cases.saturating_mul(20))
        .min_tests_passed(cases)
        .rng(Gen::from_size_and_seed(24, seed))
        .quicktest(property);
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("");
    let replay = format!(
        "replay: LATTICE_SEED={seed} LATTICE_CASES={cases} \
         cargo test -p lattice-causal --all-features -- {name}"
    );
    match outcome {
        Ok(passed) => assert!(passed >= cases, "only {passed} cases were usable; {replay}"),
        Err(failure) => panic!("{failure:?}\n{replay}"),
    }
}

pub type Replica = u8;
pub type PlainDot = (Replica, u64);

/// The clocks of a set, one by one; `None` where the set claims too many to list.
pub fn clocks(set: &ClockSet) -> Option<BTreeSet<u64>> {
    let ranges: Vec<_> = set.intervals().collect();
    let few = ranges.iter().all(|r| r.end() - r.start() < 10_000);
    few.then(|| ranges.into_iter().flatten().collect())
}

/// The dots of a context, one by one, or `None` as in [`clocks`].
pub fn dots(context: &CausalContext<Replica>) -> Option<BTreeSet<PlainDot>> {
    let mut all = BTreeSet::new();
    for (replica, seen) in context.iter() {
        all.extend(clocks(seen)?.into_iter().map(|clock| (*replica, clock)));
    }
    Some(all)
}

/// The context of plain dots, built one dot at a time.
pub fn context(dots: &BTreeSet<PlainDot>) -> CausalContext<Replica> {
    let mut context = CausalContext::new();
    for (replica, clock) in dots {
        context.insert_range(*replica, *clock..=*clock);
    }
    context
}

/// A store read dot by dot: where each lives, and what it carries, in bytes.
pub trait Flat: DotStore<Replica = Replica> {
    fn flat(&self) -> BTreeMap<PlainDot, Vec<u8>>;

    /// How many dots the flat stores in it count.
    fn count(&self) -> usize;
}

impl Flat for DotSet<Replica> {
    fn flat(&self) -> BTreeMap<PlainDot, Vec<u8>> {
        let dots = self
            .iter()
            .map(|dot| ((dot.replica, dot.clock), Vec::new()));
        dots.collect()
    }

    fn count(&self) -> usize {
        self.len()
    }
}

impl Flat for DotFun<Replica, u8> {
    fn flat(&self) -> BTreeMap<PlainDot, Vec<u8>> {
        self.iter()
            .map(|(replica, clock, value)| ((*replica, clock), vec![*value]))
            .collect()
    }

    fn count(&self) -> usize {
        self.len()
    }
}

impl<K: Copy + Ord + Into<u8>, S: Flat> Flat for DotMap<K, S> {
    fn flat(&self) -> BTreeMap<PlainDot, Vec<u8>> {
        let mut all = BTreeMap::new();
        for (key, child) in self.iter() {
            for (dot, mut path) in child.flat() {
                path.insert(0, (*key).into());
                assert_eq!(all.insert(dot, path), None, "{dot:?} lives twice");
            }
        }
        all
    }

    fn count(&self) -> usize {
        self.iter().map(|(_, child)| child.count()).sum()
    }
}

/// A state as the paper has it: live dots with what they carry, and seen dots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub live: BTreeMap<PlainDot, Vec<u8>>,
    pub seen: BTreeSet<PlainDot>,
}

impl Model {
    pub fn of<S: Flat>(state: &Causal<S>) -> Option<Self> {
        Some(Self {
            live: state.store().flat(),
            seen: dots(state.context())?,
        })
    }

    /// A dot survives if both hold it, or one holds it and the other has not
    /// seen it.
    pub fn join(&self, other: &Self) -> Self {
        let survives = |dot: &PlainDot, there: &Self| {
            there.live.contains_key(dot) || !there.seen.contains(dot)
        };
        let mine = self.live.iter().filter(|(dot, _)| survives(dot, other));
        let theirs = other.live.iter().filter(|(dot, _)| survives(dot, self));
        Self {
            live: mine.chain(theirs).map(|(d, v)| (*d, v.clone())).collect(),
            seen: self.seen.union(&other.seen).copied().collect(),
        }
    }

    pub fn fingerprint(&self, replica: Replica) -> (usize, u64) {
        let mine = self.live.keys().filter(|(r, _)| *r == replica);
        mine.fold((0, 0), |(live, sum), (_, clock)| {
            (live + 1, sum.wrapping_add(dot_fingerprint(*clock, 0)))
        })
    }

    pub fn replicas(&self) -> BTreeSet<Replica> {
        self.seen.iter().map(|(replica, _)| *replica).collect()
    }

    /// What is known of `dots`.
    pub fn part(&self, dots: &BTreeSet<PlainDot>) -> Self {
        let live = self.live.iter().filter(|(dot, _)| dots.contains(dot));
        Self {
            live: live.map(|(dot, value)| (*dot, value.clone())).collect(),
            seen: self.seen.intersection(dots).copied().collect(),
        }
    }

    /// What is known of one replica.
    pub fn of_replica(&self, replica: Replica) -> Self {
        let dots = self.seen.iter().filter(|dot| dot.0 == replica);
        self.part(&dots.copied().collect())
    }

    pub fn below(&self, other: &Self) -> bool {
        self.join(other) == *other
    }
}
