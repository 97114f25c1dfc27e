//! The lattice laws for every type, and that the checkers find what is broken.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::fmt::Debug;

use common::check_cases;
use lattice_causal::laws::{self, Lattice, Law};
use lattice_causal::laws::{Draw, Trials};
use lattice_causal::{
    AwSet, Causal, DotFun, DotMap, DotSet, EwFlag, LwwRegister, MvRegister, OrMap, PnCounter, RwSet,
};
use quickcheck::Arbitrary;

fn check_laws<T: Lattice + Arbitrary + Debug>() {
    fn property<T: Lattice + Debug>(a: T, b: T, c: T) {
        laws::assert_laws(&[a, b, c]);
    }
    // Each case is 27 triples of dozens of joins.
    check_cases(25, property::<T> as fn(T, T, T));
}

#[test]
fn stores_obey_the_laws() {
    check_laws::<Causal<DotSet<u8>>>();
    check_laws::<Causal<DotFun<u8, u16>>>();
    check_laws::<Causal<DotFun<String, String>>>();
    check_laws::<Causal<DotMap<u8, DotSet<u8>>>>();
    check_laws::<Causal<DotMap<u8, DotMap<u8, DotFun<u8, u8>>>>>();
}

#[test]
fn crdts_obey_the_laws() {
    check_laws::<AwSet<u8, u8>>();
    check_laws::<RwSet<u8, u8>>();
    check_laws::<MvRegister<u8, u8>>();
    check_laws::<EwFlag<u8>>();
    check_laws::<PnCounter<u8>>();
    check_laws::<LwwRegister<u8, u8, u8>>();
}

#[test]
fn nested_crdts_obey_the_laws() {
    check_laws::<OrMap<u8, AwSet<u8, u8>>>();
    check_laws::<OrMap<u8, OrMap<u8, EwFlag<u8>>>>();
    check_laws::<OrMap<u8, OrMap<u8, RwSet<u8, u8>>>>();
    check_laws::<OrMap<u8, PnCounter<u8>>>();
    check_laws::<OrMap<u8, LwwRegister<u8, u8, u8>>>();
    check_laws::<OrMap<u8, Causal<DotFun<u8, u8>>>>();
}

/// What breaks the laws, one way each.
#[derive(Clone, Debug, PartialEq)]
enum Broken {
    /// Adds instead of taking the maximum.
    Sum(u32),
    /// Keeps what came last.
    Last(u32),
    /// The mean is commutative and idempotent, and not associative.
    Mean(u32),
    /// A maximum with the order upside down.
    Reversed(u32),
    /// A maximum whose order knows only equality.
    Blind(u32),
    /// A maximum whose deltas are empty.
    Mute(u32),
}

impl Broken {
    fn value(&mut self) -> &mut u32 {
        match self {
            Self::Sum(v) | Self::Last(v) | Self::Mean(v) => v,
            Self::Reversed(v) | Self::Blind(v) | Self::Mute(v) => v,
        }
    }
}

impl Lattice for Broken {
    fn join(&mut self, other: &Self) {
        let theirs = *other.clone().value();
        let kind = self.clone();
        let mine = self.value();
        *mine = match kind {
            Self::Sum(_) => *mine + theirs,
            Self::Last(_) => theirs,
            Self::Mean(_) => (*mine + theirs) / 2,
            _ => theirs.max(*mine),
        };
    }

    fn leq(&self, other: &Self) -> bool {
        let (mine, theirs) = (*self.clone().value(), *other.clone().value());
        match self {
            Self::Reversed(_) => mine >= theirs,
            Self::Blind(_) => mine == theirs,
            Self::Mean(_) => true,
            _ => mine <= theirs,
        }
    }

    fn delta_for(&self, _: &Self) -> Self {
        match self {
            Self::Mute(_) => Self::Mute(0),
            other => other.clone(),
        }
    }
}

fn broken_law(kind: fn(u32) -> Broken) -> Law {
    let violation = laws::check(&[kind(8), kind(16), kind(4)]).unwrap_err();
    assert!(!violation.inputs.is_empty());
    assert!(
        violation
            .to_string()
            .starts_with(&format!("broken {}", violation.law))
    );
    violation.law
}

#[test]
fn the_checkers_name_the_law_that_broke() {
    assert_eq!(broken_law(Broken::Sum), Law::Idempotence);
    assert_eq!(broken_law(Broken::Last), Law::Commutativity);
    assert_eq!(broken_law(Broken::Reversed), Law::Monotonicity);
    assert_eq!(broken_law(Broken::Blind), Law::Monotonicity);
    assert_eq!(broken_law(Broken::Mute), Law::Delta);
    // The mean has no order that fits; asked on its own it is not associative.
    assert_eq!(broken_law(Broken::Mean), Law::Order);
}

/// The join of this one groups wrongly: the greater "rank" decides alone, and
/// ties are mixed.
#[derive(Clone, Debug, PartialEq)]
struct Tie(u32, u32);

impl Lattice for Tie {
    fn join(&mut self, other: &Self) {
        match self.0.cmp(&other.0) {
            std::cmp::Ordering::Less => *self = other.clone(),
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal if self.1 == other.1 => {}
            std::cmp::Ordering::Equal => *self = Self(self.0 + 1, self.1.max(other.1)),
        }
    }

    fn leq(&self, other: &Self) -> bool {
        let mut joined = other.clone();
        joined.join(self);
        joined == *other
    }
}

#[test]
fn grouping_is_asked_of_triples() {
    let samples = [Tie(1, 1), Tie(1, 2), Tie(2, 5)];
    let violation = laws::check(&samples).unwrap_err();
    assert_eq!(violation.law, Law::Associativity);
    assert_eq!(violation.inputs.len(), 3);
    assert_eq!(violation.sides.len(), 2);
}

#[test]
fn a_mutator_with_a_poor_delta_is_found() {
    let base = AwSet::<u8, char>::new();
    let mut state = base.clone();
    let good = state.add(&1, 'x').unwrap();
    let bad = AwSet::new();
    state.remove(&'x');
    let violation = laws::check_mutators(&base, &state, &base, &[good, bad]).unwrap_err();
    assert_eq!(violation.law, Law::Mutators);
    let text = violation.to_string();
    assert!(text.contains("base =") && text.contains("peer =") && text.contains("delta ="));
}

/// The samples must be of one system, and differ, or the laws are asked of
/// nothing.
#[test]
fn generated_states_collide_agree_and_shrink() {
    use std::collections::{BTreeMap, BTreeSet};

    use quickcheck::Gen;

    let mut g = Gen::from_size_and_seed(24, 7);
    let states: Vec<_> = (0..300)
        .map(|_| Causal::<DotFun<u8, u64>>::arbitrary(&mut g))
        .collect();
    let mut values = BTreeMap::new();
    let (mut holders, mut replicas) = (0, BTreeSet::new());
    for (replica, clock, value) in states.iter().flat_map(|state| state.store().iter()) {
        holders += 1;
        replicas.insert(*replica);
        assert_eq!(values.entry((*replica, clock)).or_insert(*value), value);
    }
    assert!((2..=4).contains(&replicas.len()), "{replicas:?}");
    assert!(holders > 10 * values.len(), "{holders} of {}", values.len());
    let distinct: BTreeSet<u64> = values.values().copied().collect();
    assert!(distinct.len() > values.len() / 2);

    for state in &states {
        for smaller in state.shrink() {
            assert_ne!(smaller, *state);
            let kept = |(r, c, v)| state.store().iter().any(|dot| dot == (r, c, v));
            assert!(smaller.store().iter().all(kept));
            assert!(state.context().dominates(smaller.context()));
        }
    }
}

#[test]
fn trials_pass_on_what_is_right_and_play_what_they_say() {
    let (mut steps, mut values) = (0, std::collections::BTreeSet::new());
    let outcome = Trials::new(3).histories(|counter: &mut PnCounter<u64>, me, draw| {
        steps += 1;
        assert!(me < 3);
        let delta = counter.add(&me, draw.below(9) as i64 - 4).unwrap();
        values.insert(counter.value());
        delta
    });
    outcome.unwrap();
    // Half of the steps are operations, and they build on each other.
    assert!(steps > 400, "{steps}");
    assert!(values.len() > 10, "{values:?}");

    let mut states = std::collections::BTreeSet::new();
    let word = |draw: &mut Draw| {
        let clocks = (0..draw.below(5)).map(|_| 1 + draw.below(20));
        let set = clocks.collect::<lattice_causal::ClockSet>();
        states.insert(format!("{set:?}"));
        set
    };
    Trials::new(3).states(word).unwrap();
    assert!(states.len() > 100, "{}", states.len());
}

#[test]
fn the_same_seed_is_the_same_failure() {
    let failure = |seed| {
        let mean = |draw: &mut Draw| Broken::Mean(draw.below(1_000) as u32);
        Trials::new(seed).states(mean).unwrap_err().to_string()
    };
    assert_eq!(failure(1), failure(1));
    assert!(failure(1).contains("seed 1, case 0"));
}

#[test]
fn a_broken_join_is_made_small() {
    let smallest = |kind: fn(u32) -> Broken| {
        let failure = Trials::new(5).states(|draw| kind(draw.below(1_000) as u32));
        let violation = failure.unwrap_err().violation;
        let mut values: Vec<u32> = violation
            .inputs
            .iter()
            .map(|b| *b.clone().value())
            .collect();
        values.sort_unstable();
        (violation.law, values)
    };
    assert_eq!(smallest(Broken::Sum), (Law::Idempotence, vec![1]));
    assert_eq!(smallest(Broken::Last), (Law::Commutativity, vec![0, 1]));
    assert_eq!(smallest(Broken::Mute), (Law::Delta, vec![0, 1]));
}

/// A set whose removal forgets to say what it removed, in its delta only, and only of
/// one element of five, after another one was added.
#[test]
fn a_rare_poor_delta_is_found_and_its_history_made_short() {
    type Set = AwSet<u64, u64>;
    let operate = |set: &mut Set, me: u64, draw: &mut Draw| {
        let element = draw.below(5);
        if draw.below(2) == 0 {
            return set.add(&me, element).unwrap();
        }
        let delta = set.remove(&element);
        if element == 3 && set.contains(&4) {
            return Set::new();
        }
        delta
    };
    let failure = Trials::new(11).histories(operate).unwrap_err();
    assert_eq!(failure.violation.law, Law::Mutators);
    // Add 4, add 3, remove 3, at one replica: nothing shorter can fail.
    assert_eq!(failure.choices.len(), 3, "{failure}");
    let [_, state, _, ..] = &failure.violation.inputs[..] else {
        panic!("{failure}");
    };
    assert!(state.iter().eq(&[4]), "{failure}");
}

/// What only a merge shows: each replica keeps its own value on a tie.
#[test]
fn a_join_that_prefers_its_own_side_is_found_in_a_history() {
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Register(u64, u64);
    impl Lattice for Register {
        fn join(&mut self, other: &Self) {
            if other.0 > self.0 {
                *self = other.clone();
            }
        }
    }
    let write = |register: &mut Register, me: u64, draw: &mut Draw| {
        *register = Register(register.0 + 1, me * 10 + draw.below(10));
        register.clone()
    };
    let failure = Trials::new(2).histories(write).unwrap_err();
    assert_eq!(failure.violation.law, Law::Commutativity);
    assert_eq!(failure.choices.len(), 2, "{failure}");
}
