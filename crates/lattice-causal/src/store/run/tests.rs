//! The chunked run against the simple one: a sorted vector of live dots.

use alloc::vec::Vec;
use core::cell::Cell;

use super::*;
use crate::MAX_CLOCK;

/// What a run is, in the most obvious way.
#[derive(Clone, Debug, Default)]
struct Plain(Vec<(u64, u64)>);

impl Plain {
    fn insert(&mut self, clock: u64, value: u64) -> Option<u64> {
        match self.0.binary_search_by_key(&clock, |dot| dot.0) {
            Ok(at) => Some(core::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (clock, value));
                None
            }
        }
    }

    fn remove(&mut self, clock: u64) -> Option<u64> {
        let at = self.0.binary_search_by_key(&clock, |dot| dot.0).ok()?;
        Some(self.0.remove(at).1)
    }

    fn range(&self, range: &RangeInclusive<u64>) -> Vec<(u64, u64)> {
        let dots = self.0.iter().filter(|dot| range.contains(&dot.0));
        dots.copied().collect()
    }
}

/// Values are the identity of their dot.
struct ByValue;

impl Identify<u64> for ByValue {
    fn identity(value: &u64) -> u64 {
        *value
    }
}

fn summary(dots: &[(u64, u64)]) -> Summary {
    let mut summary = Summary::EMPTY;
    for (clock, value) in dots {
        summary.add(dot_fingerprint(*clock, *value));
    }
    summary
}

fn dots(run: &Run<u64>) -> Vec<(u64, u64)> {
    run.iter().map(|(clock, value)| (clock, *value)).collect()
}

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn range(&mut self, end: u64) -> RangeInclusive<u64> {
        let first = self.below(end) + 1;
        let last = if self.below(4) == 0 {
            MAX_CLOCK
        } else {
            first + self.below(end)
        };
        first..=last
    }
}

fn assert_same(run: &Run<u64>, plain: &Plain, numbers: &mut Numbers, end: u64, seed: u64) {
    assert!(run.check_invariants::<ByValue>(), "seed {seed}");
    assert_eq!(dots(run), plain.0, "seed {seed}");
    assert_eq!(run.summary(), summary(&plain.0), "seed {seed}");
    let backwards = run.iter().rev().map(|(clock, value)| (clock, *value));
    assert!(backwards.eq(plain.0.iter().rev().copied()), "seed {seed}");
    let folded = run.iter().fold(0_u64, |sum, (clock, _)| sum + clock);
    assert_eq!(folded, plain.0.iter().map(|dot| dot.0).sum::<u64>());
    for range in [numbers.range(end), 1..=MAX_CLOCK] {
        let expected = plain.range(&range);
        let found = run.range(&range).map(|(clock, value)| (clock, *value));
        assert!(found.eq(expected.iter().copied()), "seed {seed}, {range:?}");
        assert_eq!(
            run.summary_in::<ByValue>(&range),
            summary(&expected),
            "seed {seed}, {range:?}"
        );
        let n = usize::try_from(numbers.below(expected.len() as u64 + 2)).unwrap_or(0);
        let nth = expected.get(n).map(|dot| dot.0);
        assert_eq!(run.nth(&range, n), nth, "seed {seed}, {range:?}, {n}");
    }
    let clock = numbers.below(end) + 1;
    let found = plain.0.iter().find(|dot| dot.0 == clock).map(|dot| &dot.1);
    assert_eq!(run.get(clock), found, "seed {seed}, {clock}");
}

/// One random step on both.
fn step(run: &mut Run<u64>, plain: &mut Plain, numbers: &mut Numbers, end: u64) {
    let (clock, value) = (numbers.below(end) + 1, numbers.below(1000));
    match numbers.below(12) {
        0 | 1 => assert_eq!(
            run.insert::<ByValue>(clock, value),
            plain.insert(clock, value)
        ),
        2 => {
            let clock = plain.0.last().map_or(1, |dot| dot.0 + 1 + value % 3);
            assert_eq!(run.insert::<ByValue>(clock, value), None);
            plain.insert(clock, value);
        }
        3 => {
            // Downwards from the first one.
            let first = plain.0.first().map_or(end, |dot| dot.0);
            for clock in (1..first).rev().take(300) {
                run.insert::<ByValue>(clock, clock);
                plain.insert(clock, clock);
            }
        }
        4 | 5 => assert_eq!(
            run.remove::<ByValue>(clock),
            plain
                .remove(clock)
                .map(|value| (value, dot_fingerprint(clock, value)))
        ),
        6 => {
            let range = numbers.range(end);
            let keeps = numbers.below(5);
            let mut removed = Vec::new();
            run.remove_where::<ByValue>(
                &range,
                |clock, _| clock % 5 != keeps,
                |clock, value| removed.push((clock, value)),
            );
            let mut gone = plain.range(&range);
            gone.retain(|dot| dot.0 % 5 != keeps);
            plain.0.retain(|dot| !gone.contains(dot));
            assert_eq!(removed, gone);
        }
        7 | 8 => {
            let batch = (0..numbers.below(700)).map(|n| clock + 1 + n * (1 + value % 4));
            let before = plain.0.len();
            let grown = run.extend::<ByValue>(batch.clone().map(|clock| (clock, value)));
            for clock in batch {
                plain.insert(clock, value);
            }
            assert_eq!(grown, plain.0.len() - before);
        }
        9 => {
            // A peer's run, of which some is not seen here: its dots are not alive here.
            let mut other = Run::new();
            other.extend::<ByValue>((1..numbers.below(900)).map(|n| (clock + n, n)));
            let mut seen: ClockSet = plain.0.iter().map(|dot| dot.0).collect();
            seen.insert_range(numbers.range(end));
            let mut added = Vec::new();
            let report = |clock, value: &u64| added.push((clock, *value));
            run.extend_unseen::<ByValue>(&other, seen.sweep(), report);
            let mut new = dots(&other);
            new.retain(|dot| !seen.contains(dot.0));
            for (clock, value) in &new {
                plain.insert(*clock, *value);
            }
            assert_eq!(added, new);
        }
        10 => {
            let range = numbers.range(end);
            let mut part = Run::new();
            part.append_range::<ByValue>(run, &range);
            assert!(part.check_invariants::<ByValue>());
            assert_eq!(dots(&part), plain.range(&range));
        }
        _ => {
            let copy = run.clone();
            assert_eq!(copy, *run);
            *run = copy;
        }
    }
}

#[test]
fn every_step_is_that_of_the_simple_run() {
    for seed in 1..=40 {
        let mut numbers = Numbers(seed);
        let end = [40, 600, 3000][usize::try_from(seed % 3).unwrap_or(0)];
        let (mut run, mut plain) = (Run::new(), Plain::default());
        for _ in 0..60 {
            step(&mut run, &mut plain, &mut numbers, end);
            assert_same(&run, &plain, &mut numbers, end, seed);
        }
    }
}

#[test]
fn a_position_is_found_whatever_the_gaps() {
    let mut numbers = Numbers(7);
    let mut present: Vec<u64> = (1..=4000_u64)
        .filter(|clock| {
            // Dense stretches, sparse ones, and a far end.
            let share = if clock % 1000 < 300 { 60 } else { 5 };
            numbers.below(64) < share
        })
        .collect();
    present.push(MAX_CLOCK);
    let mut run = Run::new();
    run.extend::<()>(present.iter().map(|clock| (*clock, ())));
    let before = |position: Position| -> usize {
        let chunks = run.chunks[..position.0].iter();
        chunks.map(|chunk| chunk.cells().len()).sum::<usize>() + position.1
    };
    for clock in (0..=4001).chain([1 << 40, MAX_CLOCK - 1, MAX_CLOCK, u64::MAX]) {
        let expected = present.partition_point(|at| *at < clock);
        assert_eq!(before(run.position(clock)), expected, "clock {clock}");
        assert_eq!(run.get(clock).is_some(), present.contains(&clock));
    }
}

fn run_of(clocks: impl IntoIterator<Item = u64>) -> Run<u64> {
    let mut run = Run::new();
    for clock in clocks {
        run.insert::<ByValue>(clock, clock);
    }
    run
}

/// Cells that a run has room for, over all its chunks.
fn room(run: &Run<u64>) -> usize {
    let cells = run.chunks.iter().map(Chunk::capacity).sum::<usize>();
    cells + run.chunks.capacity()
}

#[test]
fn a_run_of_one_dot_lies_in_place() {
    let run = run_of([7]);
    assert!(!run.chunks.spilled() && run.chunks[0].capacity() == 1);
    assert!(size_of::<Run<u64>>() <= 88, "{}", size_of::<Run<u64>>());
}

#[test]
fn memory_follows_what_lives() {
    // A peak goes, whatever the order, but for one dot in a thousand.
    for step in [1, 7_919, 99_991] {
        let mut run = run_of(1..=100_000);
        assert!(room(&run) < 110_000);
        for n in 0..100_000 {
            let clock = n * step % 100_000 + 1;
            if clock % 1000 != 1 {
                let removed = run.remove::<ByValue>(clock).map(|dot| dot.0);
                assert_eq!(removed, Some(clock));
            }
        }
        assert!(run.check_invariants::<ByValue>());
        assert_eq!(run.summary().live, 100);
        assert!(room(&run) <= 4 * 100 + CHUNK, "{}", room(&run));
    }
    // Dots come and go, and some stay: nothing grows.
    let mut run = run_of(1..=1000);
    for clock in 1001..=200_000 {
        run.insert::<ByValue>(clock, clock);
        run.remove::<ByValue>(clock - 1000);
        assert!(room(&run) <= 3 * 1000 + CHUNK, "{}", room(&run));
    }
    for clock in run.iter().map(|dot| dot.0).collect::<Vec<_>>() {
        run.remove::<ByValue>(clock);
    }
    assert!(run.is_empty() && !run.chunks.spilled());
}

#[test]
fn dots_that_come_late_or_backwards_fill_their_chunks() {
    let late = (1..=50_000).map(|n| n * 7_919 % 50_000 + 1);
    for run in [run_of((1..=50_000).rev()), run_of(late)] {
        assert!(run.check_invariants::<ByValue>());
        assert_eq!(run.summary().live, 50_000);
        assert!(room(&run) < 3 * 50_000, "{}", room(&run));
    }
}

std::thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

/// Counts how often a value is looked at.
struct Watched;

impl Identify<u64> for Watched {
    fn identity(_: &u64) -> u64 {
        LOOKS.with(|looks| looks.set(looks.get() + 1));
        0
    }
}

fn looks(work: impl FnOnce()) -> usize {
    LOOKS.with(|looks| looks.set(0));
    work();
    LOOKS.with(Cell::get)
}

#[test]
fn a_range_looks_at_no_more_than_two_chunks() {
    let mut run = Run::<u64>::new();
    run.extend::<Watched>((1..=100_000).map(|clock| (clock, clock)));
    for range in [1..=100_000, 100..=99_900, 5_000..=5_100, 40_000..=MAX_CLOCK] {
        let live = range.end().min(&100_000) - range.start() + 1;
        let cost = looks(|| {
            let summary = run.summary_in::<Watched>(&range);
            assert_eq!(summary.live as u64, live);
        });
        assert!(cost <= 2 * CHUNK, "{range:?}: {cost} dots");
    }
    // Nor does one late dot, or a copy of what a peer has and this run has not.
    run.remove::<Watched>(50_000);
    let cost = looks(|| assert_eq!(run.insert::<Watched>(50_000, 1), None));
    assert!(cost <= 2, "{cost} dots");
    let mut copy = Run::new();
    let cost = looks(|| {
        copy.append_range::<Watched>(&run, &(10..=90_000));
        copy.extend_unseen::<Watched>(&run, ClockSet::from(1..=90_000).sweep(), |_, _| {});
    });
    assert_eq!(copy.summary().live, 99_991);
    assert!(cost <= 4 * CHUNK, "{cost} dots");
}
