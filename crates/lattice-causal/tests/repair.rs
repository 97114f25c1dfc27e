//! Questions and answers on states that are too large to list, and what repairs cost.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use common::{check, check_cases};
use lattice_causal::{
    Answer, Causal, CausalContext, ClockSet, Dot, DotFun, DotMap, DotSet, DotStore, Held, Identify,
    Question,
};
use quickcheck::TestResult;

/// Values that are told apart by the fingerprint.
#[derive(Clone, Debug)]
struct ByValue;

impl Identify<u64> for ByValue {
    fn identity(value: &u64) -> u64 {
        *value
    }
}

type Store = DotFun<u8, u64, ByValue>;
type State = Causal<Store>;

/// What an answer says, in the units of its bound.
fn size<S: DotStore>(delta: &Causal<S>) -> usize {
    let replicas = delta.context().replicas();
    let live = replicas.map(|replica| delta.store().summary(replica).live);
    live.sum::<usize>() + delta.context().interval_count()
}

/// The dialogue of a state with a peer: how many rounds it took, and what was told.
fn ask<S: DotStore + PartialEq>(
    state: &mut Causal<S>,
    peer: &Causal<S>,
    max: usize,
) -> (usize, usize) {
    let (mut rounds, mut told) = (0, 0);
    let mut question = state.question(peer.context().replicas().cloned());
    while !question.is_empty() {
        let answer = peer.answer(&question, max);
        let size = size(&answer.delta);
        assert!(size <= max.max(2), "an answer of {size} over {max}");
        // All that it says is true.
        assert!(answer.delta == peer.slice(answer.delta.context()));
        state.merge(&answer.delta);
        question = state.refine(&answer.differs);
        told += size;
        rounds += 1;
        assert!(rounds < 10_000, "the dialogue does not end");
    }
    (rounds, told)
}

/// A state of `n` dots a replica, and a peer with the same past. Then each goes its own
/// way: dots come and go, and the other hears of some of it.
fn apart(n: u64, changes: &[(bool, u8, u8, u16)]) -> (State, State) {
    let mut a = State::new();
    for replica in 0..2 {
        for clock in 1..=n {
            a.insert(&Dot::new(replica, clock), clock);
        }
        for clock in (1..=n).filter(|clock| clock % 3 == 1) {
            a.remove(&Dot::new(replica, clock));
        }
    }
    let mut b = a.clone();
    for (left, kind, replica, at) in changes.iter().copied() {
        let (one, other) = if left {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        let replica = replica % 3;
        let at = u64::from(at) % (n + 10) + 1;
        match kind % 5 {
            4 => {
                // Every so many of them dies, all over.
                for clock in (1..=n).filter(|clock| clock % (at % 50 + 2) == 0) {
                    one.remove(&Dot::new(replica, clock));
                }
            }
            0 => {
                let seen = one
                    .context()
                    .max(&replica)
                    .max(other.context().max(&replica));
                one.insert(&Dot::new(replica, seen + 1), at);
            }
            1 => {
                one.remove(&Dot::new(replica, at));
            }
            2 => {
                // An interval dies.
                for clock in at..at + 40 {
                    one.remove(&Dot::new(replica, clock));
                }
            }
            _ => {
                let dots = [(replica, ClockSet::from(at..=at + 5))];
                other.merge(&one.slice(&dots.into_iter().collect()));
            }
        }
    }
    (a, b)
}

#[test]
fn a_dialogue_ends_with_what_a_merge_gives() {
    fn property(changes: Vec<(bool, u8, u8, u16)>, n: u16, max: u8) {
        let (a, mut b) = apart(u64::from(n) % 3000, &changes);
        let max = usize::from(max) + 2;
        let mut both = b.clone();
        both.merge(&a);
        let (rounds, told) = ask(&mut b, &a, max);
        assert_eq!(b, both);
        // In each round a good part of the bound is told, or parts get finer.
        assert!(
            rounds <= 40 + 4 * told / max,
            "{rounds} rounds, {told} told"
        );
        // Who knows all is told nothing. Who knows more is told what stands between parts
        // that differ, and nothing else.
        assert!(b.answer(&b.question([0, 1, 2]), max).is_empty());
        let (rounds, told) = ask(&mut both, &a, max);
        assert!(told <= 3 * 16 * rounds, "{told} told in {rounds} rounds");
        assert_eq!(both, b);
    }
    check_cases(60, property as fn(Vec<(bool, u8, u8, u16)>, u16, u8));
}

#[test]
fn a_dialogue_ends_whatever_the_store() {
    fn property<S: DotStore<Replica = u8> + PartialEq + std::fmt::Debug>(
        a: Causal<S>,
        mut b: Causal<S>,
        max: u8,
    ) -> TestResult {
        let mut both = b.clone();
        both.merge(&a);
        ask(&mut b, &a, usize::from(max % 16));
        assert_eq!(b, both);
        TestResult::passed()
    }
    type Deep = DotMap<u8, DotMap<bool, DotFun<u8, u8>>>;
    check(property as fn(Causal<DotSet<u8>>, _, u8) -> TestResult);
    check(property as fn(Causal<DotFun<u8, u8>>, _, u8) -> TestResult);
    check(property as fn(Causal<DotMap<u8, DotSet<u8>>>, _, u8) -> TestResult);
    check(property as fn(Causal<Deep>, _, u8) -> TestResult);
}

#[test]
fn the_parts_of_a_split_merge_in_any_order_to_the_whole() {
    fn property(changes: Vec<(bool, u8, u8, u16)>, n: u16, max: u8, turn: u8) {
        let (state, _) = apart(u64::from(n) % 1000, &changes);
        let max = usize::from(max);
        let mut parts: Vec<State> = state.split(max).collect();
        assert!(parts.iter().all(|part| size(part) <= max.max(2)));
        if !parts.is_empty() {
            let turn = usize::from(turn) % parts.len();
            parts.rotate_left(turn);
            parts.reverse();
        }
        let mut merged = State::new();
        for part in &parts {
            merged.merge(part);
            merged.merge(part);
        }
        assert_eq!(merged, state);
    }
    check_cases(60, property as fn(Vec<(bool, u8, u8, u16)>, u16, u8, u8));
}

#[test]
fn bounded_deltas_bring_all_that_is_new() {
    fn property(changes: Vec<(bool, u8, u8, u16)>, n: u16, max: u8) {
        let (a, mut b) = apart(u64::from(n) % 1000, &changes);
        let max = usize::from(max).max(2);
        // What neither news nor the log explains, and does not fit, is for a question.
        for _ in 0..2000 {
            let (delta, more) = a.delta_since_bounded(&b.digest(), max);
            assert!(size(&delta) <= max);
            let before = b.digest();
            b.merge(&delta);
            if !more || before == b.digest() {
                break;
            }
        }
        assert!(b.context().dominates(a.context()));
    }
    check_cases(60, property as fn(Vec<(bool, u8, u8, u16)>, u16, u8));
}

const MANY: u64 = 100_000;

/// Two nodes that hold 100,000 dots of one of them, without a memory of deaths.
fn pair() -> (State, State) {
    let mut a = State::new();
    for clock in 1..=2 * MANY {
        a.insert(&Dot::new(1, clock), clock);
        if clock > MANY {
            // In an order that has nothing to do with the clocks.
            a.remove(&Dot::new(1, (clock - MANY) * 2_713 % (2 * MANY) + 1));
        }
    }
    (forgetful(&a), forgetful(&a))
}

/// The state as a peer that was told it whole has it.
fn forgetful(state: &State) -> State {
    let (store, context) = state.clone().into_parts();
    Causal::from_parts(store, context).unwrap()
}

/// The bytes of a plain JSON form without names.
fn bytes(question: &Question<u8>, answer: &Answer<Store>) -> usize {
    let text = |value: serde_json::Result<String>| value.unwrap().len();
    let mut bytes = text(serde_json::to_string(answer));
    for (replica, asked) in question.iter() {
        let (seen, unwanted) = (&asked.seen, &asked.unwanted);
        let parts = asked.parts.iter().map(|part| match &part.held {
            Held::Fingerprint(sum) => format!("[{},{},{sum:?}]", part.first, part.last),
            Held::Dots {
                clocks,
                fingerprint,
            } => {
                let clocks = serde_json::to_string(clocks).unwrap();
                format!("[{},{},{clocks},{fingerprint:?}]", part.first, part.last)
            }
            other => panic!("an unknown form: {other:?}"),
        });
        let parts: Vec<String> = parts.collect();
        bytes += text(serde_json::to_string(&(replica, seen, unwanted, parts)));
    }
    bytes
}

/// The bytes of questions and answers, and the rounds, until both agree.
fn repair(a: &State, b: &mut State) -> (usize, usize) {
    let (mut cost, mut rounds) = (0, 0);
    let mut question = b.question([1]);
    while !question.is_empty() {
        assert!(rounds < 200, "the dialogue does not end");
        let answer = a.answer(&question, 1000);
        cost += bytes(&question, &answer);
        b.merge(&answer.delta);
        question = b.refine(&answer.differs);
        rounds += 1;
    }
    assert_eq!(a.digest(), b.digest());
    (cost, rounds)
}

#[test]
fn a_lost_leave_or_update_among_many_costs_less_than_4_kb() {
    let (mut a, mut b) = pair();
    let some = a.store().of(&1).nth(40_000).unwrap().0;
    a.remove(&Dot::new(1, some));

    // A digest has it at once, where the death is remembered.
    let delta = a.delta_since(&b.digest());
    assert_eq!(
        delta,
        State::from_context([Dot::new(1, some)].into_iter().collect())
    );
    let mut told = b.clone();
    told.merge(&delta);
    assert_eq!(told, a);
    // So has a question.
    let (cost, rounds) = repair(&a, &mut b.clone());
    assert!(cost < 4_000 && rounds == 1, "{cost} bytes, {rounds} rounds");
    // And where nobody remembers it, it is found.
    let (cost, rounds) = repair(&forgetful(&a), &mut b);
    assert!(cost < 4_000 && rounds <= 4, "{cost} bytes, {rounds} rounds");

    // An update: one dot dies, another comes.
    let some = a.store().of(&1).nth(70_000).unwrap().0;
    a.remove(&Dot::new(1, some));
    a.insert(&Dot::new(1, 2 * MANY + 1), 0);
    assert_eq!(size(&a.delta_since(&b.digest())), 3);
    let (cost, rounds) = repair(&forgetful(&a), &mut b);
    assert!(cost < 4_000 && rounds <= 4, "{cost} bytes, {rounds} rounds");
}

#[test]
fn a_repair_of_many_losses_follows_their_number() {
    let (mut a, b) = pair();
    for lost in [1, 10, 100] {
        let dots: Vec<u64> = a.store().of(&1).map(|dot| dot.0).collect();
        for n in 0..lost {
            a.remove(&Dot::new(1, dots[n * 7_919 * 13 % dots.len()]));
        }
        let (cost, _) = repair(&forgetful(&a), &mut b.clone());
        assert!(cost < 4_000 * (lost + 1), "{cost} bytes for {lost}");
    }
}

#[test]
fn a_question_costs_little_whatever_is_held() {
    let (a, _) = pair();
    let question = a.question([1]);
    let parts = question.get(&1).unwrap().parts.len();
    assert_eq!(parts, 16);
    let answer = a.answer(&question, 1000);
    assert!(answer.is_empty());
    assert!(bytes(&question, &answer) < 1_500);
}

#[test]
fn two_values_under_one_dot_come_to_light() {
    // Both have seen the same, nothing died, and one value differs.
    let (a, b) = pair();
    let some = a.store().of(&1).nth(5_000).unwrap().0;
    let mut b = b;
    b.insert(&Dot::new(1, some), 0);
    let mut found = None;
    let mut question = b.question([1]);
    while !question.is_empty() {
        let answer = a.answer(&question, 1000);
        let told = answer.delta.store().get(&Dot::new(1, some)).copied();
        found = found.or(told);
        question = b.refine(&answer.differs);
    }
    assert_eq!(found, Some(some));
    // A digest has it as well, if at a price: nothing explains the difference.
    assert_eq!(a.delta_since(&b.digest()).store(), a.store());
    assert_eq!(b.delta_since(&a.digest()).store(), b.store());
}

#[test]
fn what_is_unwanted_is_not_told() {
    let (a, _) = pair();
    let mut asker = State::new();
    asker.claim(1, &(1..=10).into());
    let mut question = asker.question([1]);
    let mut asked = question.get(&1).unwrap().clone();
    asked.unwanted = (11..=2 * MANY).into();
    question.insert(1, asked);
    assert!(a.answer(&question, 1000).is_empty());

    let mut digest = asker.digest();
    let mut line = digest.get(&1).unwrap().clone();
    line.unwanted = (11..=2 * MANY).into();
    digest.insert(1, line);
    assert_eq!(a.delta_since(&digest), Causal::new());
    assert!(!a.delta_since(&asker.digest()).context().is_empty());
}

#[test]
fn made_up_questions_cost_what_they_are_long() {
    let (a, _) = pair();
    let mut asked = State::new().question([1]).get(&1).unwrap().clone();
    asked.seen = (1..=lattice_causal::MAX_CLOCK).into();
    for n in 0..50_000 {
        asked.parts.push(lattice_causal::Part {
            first: n % 7,
            last: u64::MAX,
            held: Held::Fingerprint(n),
        });
    }
    let mut question = Question::new();
    question.insert(1, asked);
    let answer = a.answer(&question, 1000);
    assert!(answer.differs.interval_count() <= 16);
    let intervals: ClockSet = (0..100_000).map(|n| 2 * n + 1).collect();
    let refined = a.refine(&CausalContext::from_iter([(1, intervals)]));
    assert!(refined.get(&1).unwrap().parts.len() <= 16 * 16);
}
