//! Dot stores and `Causal` against the naive model, and what they cost.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use common::{Flat, Model, PlainDot, check, clocks, context, dots};
use lattice_causal::{
    ArbitraryStore, Causal, CausalContext, ClockSet, Dot, DotFun, DotMap, DotSet, DotStore, Edit,
    MAX_CLOCK, Observer,
};
use quickcheck::TestResult;

type Flags = DotSet<u8>;
type Values = DotFun<u8, u8>;
type Keys = DotMap<u8, DotSet<u8>>;
type Deep = DotMap<u8, DotMap<bool, DotFun<u8, u8>>>;

/// Asks a generic property of every shape of store.
macro_rules! check_stores {
    ($property:ident, ($($store:ident),+), $arguments:tt) => {
        check($property::<Flags> as check_stores!(@fn Flags, $arguments));
        check($property::<Values> as check_stores!(@fn Values, $arguments));
        check($property::<Keys> as check_stores!(@fn Keys, $arguments));
        check($property::<Deep> as check_stores!(@fn Deep, $arguments));
    };
    (@fn $store:ident, 1) => { fn(Causal<$store>, CausalContext<u8>) -> TestResult };
    (@fn $store:ident, 2) => { fn(Causal<$store>, Causal<$store>) -> TestResult };
}

trait Store: ArbitraryStore + Flat + Debug + PartialEq {}
impl<S: ArbitraryStore + Flat + Debug + PartialEq> Store for S {}

/// Everything that a state says of itself, against the model.
fn assert_describes<S: Store>(state: &Causal<S>, model: &Model) {
    assert_eq!(Model::of(state).as_ref(), Some(model));
    assert_eq!(state.store().is_empty(), model.live.is_empty());
    assert_eq!(state.store().count(), model.live.len());
    let live: BTreeSet<PlainDot> = model.live.keys().copied().collect();
    assert_eq!(state.store().dots(), context(&live));
    let mut replicas = model.replicas();
    replicas.extend([0, 1, u8::MAX]); // strangers, mostly
    for replica in replicas {
        let summary = state.store().summary(&replica);
        let (count, sum) = model.fingerprint(replica);
        assert_eq!((summary.live, summary.fingerprint), (count, sum));
        let of_replica = live.iter().filter(|dot| dot.0 == replica);
        assert_eq!(
            clocks(&state.store().live(&replica)).unwrap(),
            of_replica.map(|dot| dot.1).collect()
        );
    }
    let digest = state.digest();
    let digested: Vec<u8> = digest.iter().map(|(replica, _)| *replica).collect();
    assert_eq!(digested, model.replicas().into_iter().collect::<Vec<_>>());
    for (replica, known) in digest.iter() {
        assert_eq!(known.fingerprint, model.fingerprint(*replica).1);
        assert_eq!(Some(&known.seen), state.context().get(replica));
    }
}

#[test]
fn a_generated_state_is_what_it_says() {
    fn property<S: Store>(state: Causal<S>, chosen: CausalContext<u8>) -> TestResult {
        let (Some(model), Some(plain)) = (Model::of(&state), dots(&chosen)) else {
            return TestResult::discard();
        };
        assert!(model.live.keys().all(|dot| model.seen.contains(dot)));
        assert_describes(&state, &model);

        let slice = Model {
            live: model
                .live
                .into_iter()
                .filter(|(d, _)| plain.contains(d))
                .collect(),
            seen: model.seen.intersection(&plain).copied().collect(),
        };
        assert_eq!(state.store().select(&chosen).flat(), slice.live);
        assert_describes(&state.slice(&chosen), &slice);

        let (store, context) = state.clone().into_parts();
        assert_eq!(Causal::from_parts(store.clone(), context), Ok(state));
        let uncovered = store.dots().dots().next();
        let refused = Causal::from_parts(store, CausalContext::new());
        assert_eq!(refused.err().map(|e| e.dot), uncovered);
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 1);
}

#[test]
fn merging_is_the_join_of_the_paper() {
    fn property<S: Store>(a: Causal<S>, b: Causal<S>) -> TestResult {
        let (Some(x), Some(y)) = (Model::of(&a), Model::of(&b)) else {
            return TestResult::discard();
        };
        let mut joined = a.clone();
        joined.merge(&b);
        assert_describes(&joined, &x.join(&y));
        assert_eq!(a <= b, x.below(&y));
        assert_eq!(a >= b, y.below(&x));
        // A state that was merged is on both sides of what comes after it.
        assert_eq!(joined <= a, x.join(&y) == x);
        assert!(a <= joined && b <= joined);
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 2);
}

#[test]
fn a_delta_for_a_peer_is_a_part_of_the_state_and_has_all_that_is_new() {
    fn property<S: Store>(a: Causal<S>, b: Causal<S>) -> TestResult {
        let (Some(x), Some(y)) = (Model::of(&a), Model::of(&b)) else {
            return TestResult::discard();
        };
        let delta = a.delta_since(&b.digest());
        let told = dots(delta.context()).unwrap();
        assert_describes(&delta, &x.part(&told));
        assert!(x.seen.difference(&y.seen).all(|dot| told.contains(dot)));
        for replica in delta.context().replicas() {
            assert_ne!(x.of_replica(*replica), y.of_replica(*replica));
        }
        let lines = b.digest_of(x.replicas());
        let strangers = x.replicas().into_iter().filter(|r| lines.get(r).is_none());
        let mut rest = a.delta_for_lines(&lines);
        for replica in strangers {
            assert_eq!(rest.context().get(&replica), None);
            let all = a.context().get(&replica).cloned().unwrap();
            rest.merge(&a.slice(&[(replica, all)].into_iter().collect()));
        }
        assert_eq!(rest, delta);
        assert_eq!(b.delta_since(&b.digest()), Causal::new());
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 2);
}

#[test]
fn digests_both_ways_make_two_states_one() {
    fn property<S: Store>(a: Causal<S>, b: Causal<S>) -> TestResult {
        let mut both = a.clone();
        both.merge(&b);
        let (mut left, mut right) = (a, b);
        for _ in 0..3 {
            let to_right = left.delta_since(&right.digest());
            let to_left = right.delta_since(&left.digest());
            right.merge(&to_right);
            left.merge(&to_left);
        }
        assert_eq!(left, both);
        assert_eq!(right, both);
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 2);
}

#[test]
fn digests_are_equal_if_and_only_if_the_states_are() {
    fn property<S: Store>(a: Causal<S>, b: Causal<S>) -> TestResult {
        assert_eq!(a.digest() == b.digest(), a == b);
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab.digest(), ba.digest());
        assert_eq!(ab.digest() == a.digest(), ab == a);
        // The death of any one dot shows, and travels alone.
        for dot in ab.store().dots().dots() {
            let death = Causal::from_context([dot].into_iter().collect());
            let mut less = ab.clone();
            less.merge(&death);
            assert_ne!(less.digest(), ab.digest());
            assert_eq!(less.context(), ab.context());
            assert_eq!(less.delta_since(&ab.digest()).store(), &S::default());
            let mut told = ab.clone();
            told.merge(&less.delta_since(&ab.digest()));
            assert_eq!(told, less);
        }
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 2);
}

/// Folds what a join reports.
struct Fold {
    live: BTreeSet<PlainDot>,
    added: BTreeSet<PlainDot>,
    removed: BTreeSet<PlainDot>,
}

impl<S: DotStore<Replica = u8>> Observer<S> for Fold {
    fn added(&mut self, replica: &u8, clock: u64, _: impl FnOnce() -> S::Key, _: &S::Leaf) {
        assert!(self.added.insert((*replica, clock)), "added twice");
        assert!(self.live.insert((*replica, clock)), "added while alive");
    }

    fn removed(&mut self, replica: &u8, clock: u64, _: impl FnOnce() -> S::Key, _: S::Leaf) {
        assert!(self.removed.insert((*replica, clock)), "removed twice");
        assert!(self.live.remove(&(*replica, clock)), "removed while dead");
    }
}

#[test]
fn the_reported_changes_fold_to_the_store() {
    fn property<S: Store>(a: Causal<S>, b: Causal<S>) -> TestResult {
        let mut state = a.clone();
        let mut fold = Fold {
            live: a.store().flat().into_keys().collect(),
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
        };
        state.merge_with(&b, &mut fold);
        let live: BTreeSet<PlainDot> = state.store().flat().into_keys().collect();
        assert_eq!(fold.live, live);
        assert!(fold.added.is_disjoint(&fold.removed));
        state.merge_with(&b, &mut fold);
        assert_eq!(
            fold.live, live,
            "the second time there is nothing to report"
        );
        TestResult::passed()
    }
    check_stores!(property, (Flags, Values, Keys, Deep), 2);
}

#[test]
fn observers_learn_where_and_what() {
    #[derive(Default)]
    struct Log(BTreeMap<PlainDot, (u8, bool, u8)>);
    impl Observer<Deep> for Log {
        fn added(&mut self, r: &u8, c: u64, key: impl FnOnce() -> (u8, (bool, ())), leaf: &u8) {
            let (outer, (inner, ())) = key();
            self.0.insert((*r, c), (outer, inner, *leaf));
        }
        fn removed(&mut self, r: &u8, c: u64, key: impl FnOnce() -> (u8, (bool, ())), leaf: u8) {
            let (outer, (inner, ())) = key();
            assert_eq!(self.0.remove(&(*r, c)), Some((outer, inner, leaf)));
        }
    }
    fn property(a: Causal<Deep>, b: Causal<Deep>) {
        let mut log = Log::default();
        let mut state = Causal::<Deep>::new();
        state.merge_with(&a, &mut log);
        state.merge_with(&b, &mut log);
        let flat = state.store().flat();
        let logged = log
            .0
            .into_iter()
            .map(|(dot, (outer, inner, leaf))| (dot, vec![outer, u8::from(inner), leaf]));
        assert_eq!(logged.collect::<BTreeMap<_, _>>(), flat);
    }
    check(property as fn(Causal<Deep>, Causal<Deep>));
}

#[test]
fn one_replica_alone_is_merged_and_forgotten() {
    fn property(a: Causal<Values>, b: Causal<Values>, r: Dot<u8>) -> TestResult {
        let (Some(x), Some(y)) = (Model::of(&a), Model::of(&b)) else {
            return TestResult::discard();
        };
        let r = r.replica;
        let of = |model: &Model, is: bool| Model {
            live: model
                .live
                .iter()
                .filter(|(d, _)| (d.0 == r) == is)
                .map(|(d, v)| (*d, v.clone()))
                .collect(),
            seen: model
                .seen
                .iter()
                .filter(|d| (d.0 == r) == is)
                .copied()
                .collect(),
        };
        let mut merged = a.clone();
        merged.merge_replica_with(&r, &b, &mut ());
        assert_describes(&merged, &x.join(&of(&y, true)));
        let mut less = a;
        less.forget_replica(&r);
        assert_describes(&less, &of(&x, false));
        TestResult::passed()
    }
    check(property as fn(Causal<Values>, Causal<Values>, Dot<u8>) -> TestResult);
}

#[test]
fn single_insertions_and_removals_keep_the_state_sound() {
    fn property(start: Causal<Values>, steps: Vec<(bool, Dot<u8>, u8)>) -> TestResult {
        let Some(mut model) = Model::of(&start) else {
            return TestResult::discard();
        };
        let mut state = start;
        for (inserts, dot, value) in steps {
            let plain = (dot.replica, dot.clock);
            if inserts {
                let before = state.insert(&dot, value);
                model.seen.insert(plain);
                assert_eq!(before, model.live.insert(plain, vec![value]).map(|v| v[0]));
            } else {
                assert_eq!(state.remove(&dot), model.live.remove(&plain).map(|v| v[0]));
            }
            assert_eq!(
                state.store().get(&dot).is_some(),
                model.live.contains_key(&plain)
            );
        }
        assert_eq!(state.store().len(), model.live.len());
        assert_describes(&state, &model);
        TestResult::passed()
    }
    check(property as fn(Causal<Values>, Vec<(bool, Dot<u8>, u8)>) -> TestResult);
}

#[test]
fn runs_that_lose_most_of_their_dots_stay_right() {
    // Long runs with many dead dots: compaction, then a join over what is left.
    let live = |clock: u64| clock % 7 == 3 || clock > 280;
    let mut state = Causal::<Values>::new();
    let mut peer = state.clone();
    for clock in 1..=300 {
        state.insert(&Dot::new(1, clock), 0);
    }
    peer.merge(&state);
    for clock in (1..=300).filter(|clock| !live(*clock)) {
        assert_eq!(state.remove(&Dot::new(1, clock)), Some(0));
        assert_eq!(state.remove(&Dot::new(1, clock)), None);
    }
    let expected: ClockSet = (1..=300).filter(|clock| live(*clock)).collect();
    assert_eq!(state.store().live(&1), expected);
    let delta = state.delta_since(&peer.digest());
    peer.merge(&delta);
    assert_eq!(peer, state);
    assert_eq!(peer.digest(), state.digest());
}

#[test]
fn the_dots_of_a_large_shuffled_map_are_gathered() {
    // Every second clock, in an order that has nothing to do with the keys: this
    // took minutes while the keys' clocks were united one by one.
    const KEYS: u64 = 60_000;
    let children = (0..KEYS).map(|key| {
        let clock = 1 + 2 * (key * 7_919 % KEYS);
        (key, DotSet::from_iter([Dot::new(1u8, clock)]))
    });
    let map: DotMap<u64, DotSet<u8>> = children.collect();
    let live = map.live(&1);
    assert_eq!(live.interval_count() as u64, KEYS);
    assert_eq!(map.dots().get(&1), Some(&live));
    let scattered: ClockSet = (0..KEYS).map(|n| 1 + 2 * (n * 7_919 % KEYS)).collect();
    assert_eq!(scattered, live);
}

#[test]
fn a_map_joins_under_a_context_of_many_gaps() {
    // Every key shares a context of thousands of intervals, and holds one dot: a
    // join that walked all intervals for each key took minutes here.
    const KEYS: u64 = 20_000;
    let children = (1..=KEYS).map(|clock| {
        let dots = DotSet::from_iter([Dot::new(1u8, clock)]);
        (clock * 7_919 % KEYS, dots)
    });
    let whole = Causal::from_store(children.collect::<DotMap<u64, DotSet<u8>>>());
    let odd: ClockSet = (1..=KEYS).step_by(2).collect();
    let half = whole.slice(&[(1u8, odd.clone())].into_iter().collect());
    assert_eq!(half.context().interval_count() as u64, KEYS / 2);

    let (mut up, mut down) = (half.clone(), whole.clone());
    up.merge(&whole);
    down.merge(&half);
    assert_eq!(up, whole);
    assert_eq!(down, whole);
    down.merge(&Causal::from_context(half.context().clone()));
    assert_eq!(
        down.store().live(&1),
        ClockSet::from(1..=KEYS).difference(&odd)
    );
}

#[test]
fn claims_of_everything_cost_intervals() {
    let mut state = Causal::<Values>::new();
    state.insert(&Dot::new(1, 5), 50);
    state.insert(&Dot::new(1, MAX_CLOCK), 60);
    let mut all_but_5 = ClockSet::from(1..=MAX_CLOCK);
    all_but_5.remove_range(5..=5);
    let mut claims = Causal::<Values>::new();
    claims.claim(1, &all_but_5);
    state.merge(&claims);
    assert_eq!(state.store().flat(), [((1, 5), vec![50])].into());
    assert_eq!(state.context().get(&1), Some(&(1..=MAX_CLOCK).into()));
    let delta = state.delta_since(&Causal::<Values>::new().digest());
    assert_eq!(delta, state);
}

thread_local! {
    static CLONES: Cell<usize> = const { Cell::new(0) };
}

/// A value that counts its copies.
#[derive(Debug)]
struct Counted;

impl Clone for Counted {
    fn clone(&self) -> Self {
        CLONES.with(|clones| clones.set(clones.get() + 1));
        Self
    }
}

fn clones(work: impl FnOnce()) -> usize {
    CLONES.with(|clones| clones.set(0));
    work();
    CLONES.with(Cell::get)
}

#[test]
fn a_join_copies_only_what_is_new() {
    let mut a = Causal::<DotFun<u8, Counted>>::new();
    for clock in 1..=5_000 {
        a.insert(&Dot::new(1, clock), Counted);
        a.insert(&Dot::new(2, clock), Counted);
    }
    let mut b = a.clone();
    assert_eq!(clones(|| b.merge(&a)), 0);
    let digest = b.digest();
    for clock in 2_000..2_010 {
        a.remove(&Dot::new(1, clock));
        a.insert(&Dot::new(1, clock + 5_000), Counted);
    }
    let mut delta = Causal::new();
    assert_eq!(clones(|| delta = a.delta_since(&digest)), 10);
    assert_eq!(delta.store().len(), 10);
    assert_eq!(delta.context().get(&1).unwrap().len(), 20);
    assert_eq!(delta.context().get(&2), None);
    assert_eq!(clones(|| b.merge(&delta)), 10);
    assert_eq!(b.digest(), a.digest());
    assert_eq!(clones(|| b.merge(&a)), 0);
}

/// The mix of the fingerprint, from its definition.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Gives every dot one and the same fingerprint: the value is the clock.
#[derive(Debug)]
struct Collide;

impl lattice_causal::Identify<u64> for Collide {
    fn identity(clock: &u64) -> u64 {
        mix(*clock)
    }
}

type Blind = DotFun<u8, u64, Collide>;

fn blind(seen: u64, live: u64) -> Causal<Blind> {
    let mut state = Causal::new();
    state.claim(1, &(1..=seen).into());
    state.insert(&Dot::new(1, live), live);
    state
}

fn blind_under(key: char, state: &Causal<Blind>) -> Causal<DotMap<char, Blind>> {
    let store = DotMap::from_iter([(key, state.store().clone())]);
    Causal::from_parts(store, state.context().clone()).unwrap()
}

/// A join that looked at one dot would tell these states apart.
#[test]
fn a_join_of_equal_digests_looks_at_no_dot() {
    let (one, two) = (blind(2, 1), blind(2, 2));
    assert_eq!(one.digest(), two.digest());
    let mut joined = one.clone();
    joined.merge(&two);
    assert_eq!(joined.store().live(&1), (1..=1).into());
    assert_eq!(one.delta_since(&two.digest()), Causal::new());

    // The map looks at no key either: each key alone would tell them apart.
    let (one, two) = (blind_under('k', &one), blind_under('l', &two));
    let mut joined = one.clone();
    joined.merge(&two);
    assert_eq!(joined.store().live(&1), (1..=1).into());
    assert_eq!(one.delta_since(&two.digest()), Causal::new());
}

/// Equal fingerprints are believed of states that have seen the same, no others.
#[test]
fn a_join_does_not_trust_fingerprints_where_contexts_differ() {
    let (older, newer) = (blind(1, 1), blind(2, 2));
    let mut joined = older.clone();
    joined.merge(&newer);
    assert_eq!(joined.store().live(&1), (2..=2).into());
    let mut joined = newer.clone();
    joined.merge(&older);
    assert_eq!(joined.store().live(&1), (2..=2).into());

    let mut joined = blind_under('k', &older);
    joined.merge(&blind_under('k', &newer));
    assert_eq!(joined.store().live(&1), (2..=2).into());
}

/// An edit under one key that claims dots of another one: the author does what the peers do.
#[test]
fn a_foreign_claim_does_the_same_at_the_author_and_at_peers() {
    type Carts = DotMap<&'static str, DotMap<&'static str, DotSet<char>>>;
    let one = |clock| DotSet::from_iter([Dot::new('a', clock)]);
    let cart = |item, clock| DotMap::from_iter([(item, one(clock))]);
    let start = Causal::<Carts>::from_store(DotMap::from_iter([
        ("alice", cart("milk", 1)),
        ("bob", cart("eggs", 2)),
    ]));
    let claim = |clocks: &[u64]| {
        let dots = clocks.iter().map(|clock| Dot::new('a', *clock));
        Edit::from(Causal::<DotSet<char>>::from_context(dots.collect()))
    };
    for (clocks, left) in [
        (&[1][..], &["bob"][..]),
        (&[2], &["alice"]),
        (&[1, 2], &[]),
        (&[9], &["alice", "bob"]),
    ] {
        let (mut author, mut peer) = (start.clone(), start.clone());
        let delta = author.commit(Edit::under("alice", Edit::under("milk", claim(clocks))));
        peer.merge(&delta);
        assert_eq!(author, peer, "{clocks:?}");
        assert_eq!(
            author.store().keys().collect::<Vec<_>>(),
            left.iter().collect::<Vec<_>>()
        );
        // Once more, now that the dots are dead.
        let delta = author.commit(Edit::under("alice", Edit::under("milk", claim(clocks))));
        peer.merge(&delta);
        assert_eq!(author, peer);
    }
}

/// A delta that names one key of many costs that key: no other is visited. A delta
/// that claims a dot of another key visits them all, and finds it.
#[test]
fn a_small_delta_ends_what_it_claims_under_any_key() {
    type Map = Causal<DotMap<u8, DotSet<u8>>>;
    let mut whole = Map::new();
    for key in 0..8 {
        let dot = whole.context().next_dot(&1).unwrap();
        whole.merge(&Causal::from_store(DotMap::from_iter([(
            key,
            DotSet::from_iter([dot]),
        )])));
    }
    let delta = |new: u64, ends: u64| {
        let store = DotMap::from_iter([(3, DotSet::from_iter([Dot::new(1, new)]))]);
        let seen = CausalContext::from_iter([Dot::new(1, ends)]);
        Map::covering(store, seen)
    };
    // Key 3 holds 1:4. Its end, under its own key, then that of 1:6 under key 5.
    let mut own = whole.clone();
    own.merge(&delta(9, 4));
    assert_eq!(own.store().len(), 8);
    assert_eq!(own.store().get(&3).unwrap().len(), 1);
    let mut foreign = whole.clone();
    foreign.merge(&delta(9, 6));
    assert_eq!(foreign.store().len(), 7);
    assert!(foreign.store().get(&5).is_none());
    // And once more, when nothing of it is alive any more.
    let before = foreign.clone();
    foreign.merge(&delta(9, 6));
    assert_eq!(foreign, before);
}
