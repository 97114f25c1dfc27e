//! Clock sets, contexts and version vectors against plain sets.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use common::{check, clocks, context, dots};
use lattice_causal::{
    CausalContext, ClockExhausted, ClockSet, Dot, MAX_CLOCK, VersionVector, laws,
};
use quickcheck::TestResult;

fn is_canonical(set: &ClockSet) -> bool {
    let ranges: Vec<_> = set.intervals().collect();
    let inside = |r: &std::ops::RangeInclusive<u64>| {
        1 <= *r.start() && r.start() <= r.end() && *r.end() <= MAX_CLOCK
    };
    ranges.iter().all(inside) && ranges.windows(2).all(|w| w[0].end() + 1 < *w[1].start())
}

#[test]
fn clock_set_operations_are_set_operations() {
    fn property(a: ClockSet, b: ClockSet) -> TestResult {
        let (Some(x), Some(y)) = (clocks(&a), clocks(&b)) else {
            return TestResult::discard();
        };
        let agrees = |set: &ClockSet, plain: BTreeSet<u64>| {
            assert!(is_canonical(set), "{set:?}");
            assert_eq!(clocks(set).unwrap(), plain);
            assert_eq!(set.len(), plain.len() as u64);
            assert_eq!(set.max(), plain.last().copied().unwrap_or(0));
            assert_eq!(set.is_empty(), plain.is_empty());
            let prefix = (1..).find(|clock| !plain.contains(clock)).unwrap() - 1;
            assert_eq!(set.prefix(), prefix);
            let cloud: BTreeSet<u64> = set.cloud().flatten().collect();
            assert_eq!(cloud, plain.into_iter().filter(|c| *c > prefix).collect());
        };
        agrees(&a, x.clone());
        agrees(&a.union(&b), x.union(&y).copied().collect());
        agrees(&a.intersection(&b), x.intersection(&y).copied().collect());
        agrees(&a.difference(&b), x.difference(&y).copied().collect());
        let mut united = a.clone();
        united.union_with(&b);
        agrees(&united, x.union(&y).copied().collect());
        assert_eq!(a.is_subset(&b), x.is_subset(&y));
        assert_eq!(a == b, x == y);
        TestResult::passed()
    }
    check(property as fn(ClockSet, ClockSet) -> TestResult);
}

#[test]
fn single_clocks_and_ranges_go_in_and_out_like_in_a_set() {
    fn property(a: ClockSet, clock: Dot<u8>, range: (u8, u8)) -> TestResult {
        let Some(plain) = clocks(&a) else {
            return TestResult::discard();
        };
        let clock = clock.clock;
        let (first, last) = (u64::from(range.0 % 16), u64::from(range.1 % 16));
        assert_eq!(a.contains(clock), plain.contains(&clock));

        let (mut set, mut expected) = (a.clone(), plain.clone());
        assert_eq!(set.insert(clock), expected.insert(clock));
        assert!(is_canonical(&set));
        assert_eq!(clocks(&set).unwrap(), expected);

        let (mut set, mut expected) = (a.clone(), plain.clone());
        set.insert_range(first..=last);
        expected.extend((first..=last).filter(|c| *c > 0));
        assert!(is_canonical(&set));
        assert_eq!(clocks(&set).unwrap(), expected);

        let (mut set, mut expected) = (a.clone(), plain);
        set.remove_range(first..=last);
        expected.retain(|c| !(first..=last).contains(c));
        assert!(is_canonical(&set));
        assert_eq!(clocks(&set).unwrap(), expected);
        TestResult::passed()
    }
    check(property as fn(ClockSet, Dot<u8>, (u8, u8)) -> TestResult);
}

#[test]
fn collecting_takes_clocks_in_any_order() {
    fn property(start: ClockSet, unsorted: Vec<u8>) -> TestResult {
        let Some(mut expected) = clocks(&start) else {
            return TestResult::discard();
        };
        let unsorted: Vec<u64> = unsorted.into_iter().map(|c| u64::from(c % 32)).collect();
        let mut set = start;
        set.extend(unsorted.iter().copied().chain([MAX_CLOCK + 1]));
        expected.extend(unsorted.iter().filter(|c| **c > 0));
        assert!(is_canonical(&set));
        assert_eq!(clocks(&set).unwrap(), expected);
        let collected: ClockSet = unsorted.iter().copied().collect();
        let plain: BTreeSet<u64> = unsorted.into_iter().filter(|c| *c > 0).collect();
        assert_eq!(clocks(&collected).unwrap(), plain);
        TestResult::passed()
    }
    check(property as fn(ClockSet, Vec<u8>) -> TestResult);
}

type Context = CausalContext<u8>;

#[test]
fn context_operations_are_set_operations() {
    fn property(a: Context, b: Context, probe: Dot<u8>) -> TestResult {
        let (Some(x), Some(y)) = (dots(&a), dots(&b)) else {
            return TestResult::discard();
        };
        let agrees = |set: &Context, plain: BTreeSet<(u8, u64)>| {
            assert!(
                set.iter()
                    .all(|(_, seen)| !seen.is_empty() && is_canonical(seen))
            );
            assert_eq!(dots(set).unwrap(), plain);
            assert_eq!(*set, context(&plain), "equal sets are equal values");
            assert_eq!(set.is_empty(), plain.is_empty());
            let listed: Vec<_> = set.dots().map(|dot| (dot.replica, dot.clock)).collect();
            assert_eq!(listed, plain.into_iter().collect::<Vec<_>>());
        };
        agrees(&a.union(&b), x.union(&y).copied().collect());
        agrees(&a.intersection(&b), x.intersection(&y).copied().collect());
        agrees(&a.difference(&b), x.difference(&y).copied().collect());
        let mut merged = a.clone();
        merged.merge(&b);
        agrees(&merged, x.union(&y).copied().collect());

        assert_eq!(a.dominates(&b), y.is_subset(&x));
        let order = match (x.is_subset(&y), y.is_subset(&x)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        };
        assert_eq!(a.partial_cmp(&b), order);
        assert!(a.intersection(&b) <= a);

        let plain_probe = (probe.replica, probe.clock);
        assert_eq!(a.contains(&probe), x.contains(&plain_probe));
        let (mut more, mut expected) = (a.clone(), x.clone());
        assert_eq!(more.insert(probe), expected.insert(plain_probe));
        agrees(&more, expected);

        let of = |r: u8| x.iter().filter(move |dot| dot.0 == r).map(|dot| dot.1);
        let r = plain_probe.0;
        assert_eq!(a.max(&r), of(r).max().unwrap_or(0));
        let prefix = (1..).find(|clock| !x.contains(&(r, *clock))).unwrap() - 1;
        assert_eq!(a.prefix(&r), prefix);
        assert_eq!(a.version_vector().get(&r), prefix);
        let cloud: BTreeSet<u64> = a.cloud(&r).flatten().collect();
        assert_eq!(cloud, of(r).filter(|clock| *clock > prefix).collect());
        let next = match of(r).max() {
            Some(MAX_CLOCK) => Err(ClockExhausted),
            max => Ok(Dot::new(r, max.unwrap_or(0) + 1)),
        };
        assert_eq!(a.next_dot(&r), next);

        let rest: BTreeSet<_> = x.iter().filter(|dot| dot.0 != r).copied().collect();
        let mut less = a.clone();
        assert_eq!(less.remove(&r).is_some(), of(r).count() > 0);
        agrees(&less, rest.clone());
        let mut less = a;
        less.retain(|replica| *replica != r);
        agrees(&less, rest);
        TestResult::passed()
    }
    check(property as fn(Context, Context, Dot<u8>) -> TestResult);
}

#[test]
fn version_vectors_are_maps_of_maxima() {
    fn property(a: VersionVector<u8>, b: VersionVector<u8>) {
        let replicas = || a.iter().chain(b.iter()).map(|(replica, _)| *replica);
        let mut merged = a.clone();
        merged.merge(&b);
        for r in replicas() {
            assert_eq!(merged.get(&r), a.get(&r).max(b.get(&r)));
            match merged.next_dot(&r) {
                Ok(dot) => assert_eq!((dot.replica, dot.clock), (r, merged.get(&r) + 1)),
                Err(ClockExhausted) => assert_eq!(merged.get(&r), MAX_CLOCK),
            }
        }
        let le = |x: &VersionVector<u8>, y: &VersionVector<u8>| {
            replicas().all(|r| x.get(&r) <= y.get(&r))
        };
        assert_eq!(a <= b, le(&a, &b));
        assert_eq!(a >= b, le(&b, &a));
        assert_eq!(a == b, le(&a, &b) && le(&b, &a));
    }
    check(property as fn(VersionVector<u8>, VersionVector<u8>));
}

#[test]
fn a_claim_of_everything_with_a_hole_is_two_intervals() {
    let mut seen = Context::new();
    seen.insert_range(1, 1..=MAX_CLOCK);
    seen = seen.difference(&[Dot::new(1, 77)].into_iter().collect());
    assert_eq!(seen.interval_count(), 2);
    assert_eq!(seen.get(&1).unwrap().len(), MAX_CLOCK - 1);
    assert!(seen.contains_clock(&1, 78) && !seen.contains_clock(&1, 77));
    assert_eq!(seen.next_dot(&1), Err(ClockExhausted));

    let mut other = Context::new();
    other.insert_range(1, 70..=80);
    assert_eq!(seen.partial_cmp(&other), None);
    assert_eq!(other.difference(&seen).dots().count(), 1);
    seen.merge(&other);
    assert_eq!(seen.interval_count(), 1);
    assert_eq!(seen.get(&1), Some(&ClockSet::from(1..=MAX_CLOCK)));
}

#[test]
fn clocks_out_of_range_are_in_no_set() {
    let mut set = ClockSet::from(0..=u64::MAX);
    assert_eq!(set, (1..=MAX_CLOCK).into());
    assert!(!set.insert(0) && !set.insert(MAX_CLOCK + 1) && !set.insert(u64::MAX));
    assert!(!set.contains(0) && !set.contains(MAX_CLOCK + 1));
    set.remove_range(0..=u64::MAX);
    assert!(set.is_empty());
    let mut context = Context::new();
    assert!(!context.insert(Dot::new(1, 0)) && !context.insert(Dot::new(1, MAX_CLOCK + 1)));
    assert!(context.is_empty());
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
    context.insert_range(1, 5..=4);
    assert!(context.is_empty());
}

#[test]
fn clock_sets_contexts_and_vectors_obey_the_laws() {
    fn sets(a: ClockSet, b: ClockSet, c: ClockSet) {
        laws::assert_laws(&[a, b, c]);
    }
    check(sets as fn(ClockSet, ClockSet, ClockSet));
    fn contexts(a: Context, b: Context, c: Context) {
        laws::assert_laws(&[a, b, c]);
    }
    check(contexts as fn(Context, Context, Context));
    fn vectors(a: VersionVector<u8>, b: VersionVector<u8>, c: VersionVector<u8>) {
        laws::assert_laws(&[a, b, c]);
    }
    check(vectors as fn(VersionVector<u8>, VersionVector<u8>, VersionVector<u8>));
}
