//! Sampling: the operation and its floor take turns, so that whatever else the
//! machine does falls on both.

use std::time::{Duration, Instant};

use crate::case::{Case, Operation, Side};
use crate::operations::memory::Footprint;
use crate::row::{Limited, REFERENCE, Row};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Fewest pairs of samples.
    pub fewest: usize,
    /// Most pairs of samples.
    pub most: usize,
    /// Time after which the fewest will do.
    pub budget: Duration,
    /// Samples of the peer, which can be a thousand times slower.
    pub peer: usize,
}

impl Effort {
    /// Under two minutes for everything up to N = 100,000.
    pub const QUICK: Self = Self {
        fewest: 5,
        most: 101,
        budget: Duration::from_millis(900),
        peer: 3,
    };

    /// A few minutes for everything up to N = 1,000,000.
    pub const FULL: Self = Self {
        fewest: 5,
        most: 301,
        budget: Duration::from_secs(4),
        peer: 3,
    };

    /// What a large N gets: its set-ups take seconds.
    fn at(mut self, n: usize) -> Self {
        if n > REFERENCE {
            self.fewest = 3;
            self.peer = 1;
        }
        self
    }

    fn goes_on(&self, samples: usize, begun: Instant) -> bool {
        samples < self.fewest || (samples < self.most && begun.elapsed() < self.budget)
    }
}

/// Measures one operation at one N.
#[must_use]
pub fn operation(operation: &Operation, n: usize, effort: Effort) -> Row {
    let effort = effort.at(n);
    let mut case = (operation.prepare)(n);
    let per_unit = |took: Duration| took.as_nanos() as f64 / case.units as f64;
    let mut row = Row::new(operation.name, n).under(operation.ceiling);

    // Warms caches, branch predictors and the allocator; not counted.
    let _ = (case.ours)();
    if let Some(floor) = &mut case.floor {
        let _ = floor();
    }
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while effort.goes_on(ours.len(), begun) {
        // Whoever comes second finds the allocator as the first one left it.
        let ours_first = ours.len().is_multiple_of(2);
        let (our, floor) = pair(&mut case.ours, case.floor.as_mut(), ours_first);
        ours.push(per_unit(our));
        floors.extend(floor.map(per_unit));
    }
    row.samples = ours.len();
    row.best_ns = best(ours);
    row.floor_ns = best(floors);
    row.ratio = (row.best_ns.zip(row.floor_ns)).map(|(ours, floor)| ours / floor);
    row.peer_ns = peer(&mut case, &effort);
    row
}

fn pair(
    ours: &mut Side,
    floor: Option<&mut Side>,
    ours_first: bool,
) -> (Duration, Option<Duration>) {
    match floor {
        None => (ours(), None),
        Some(floor) if ours_first => {
            let our = ours();
            (our, Some(floor()))
        }
        Some(floor) => {
            let floor = floor();
            (ours(), Some(floor))
        }
    }
}

fn peer(case: &mut Case, effort: &Effort) -> Option<f64> {
    let peer = case.peer.as_mut()?;
    let begun = Instant::now();
    let mut samples = Vec::new();
    while samples.is_empty() || (samples.len() < effort.peer && begun.elapsed() < effort.budget) {
        samples.push(peer().as_nanos() as f64 / case.units as f64);
    }
    best(samples)
}

/// Counts one footprint at one N.
#[must_use]
pub fn footprint(footprint: &Footprint, n: usize) -> Row {
    let mut row = Row::new(footprint.name, n);
    row.ceiling = Some(footprint.ceiling);
    row.ceiling_of = Some(Limited::Bytes);
    row.bytes = Some((footprint.measure)(n));
    row.floor_bytes = footprint.floor.map(|floor| floor(n));
    row.samples = 1;
    row
}

/// What the machine does besides only adds to a time, so the least one says most of the
/// code.
fn best(samples: Vec<f64>) -> Option<f64> {
    samples.into_iter().min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Ceiling;

    #[test]
    fn ratios_are_of_the_best_and_times_of_units() {
        let slow_and_slower = Operation {
            name: "op",
            ceiling: Ceiling::Ratio(3.0),
            prepare: |_| {
                let mut load = 0;
                let mut floor_load = 0;
                Case::new(10, move || {
                    load += 1;
                    // Of each three rounds, two meet a busy machine.
                    Duration::from_nanos(2000 * if load % 3 == 0 { 1 } else { load })
                })
                .floor(move || {
                    floor_load += 1;
                    Duration::from_nanos(1000 * if floor_load % 3 == 1 { 1 } else { floor_load })
                })
            },
        };
        let effort = Effort {
            fewest: 3,
            most: 3,
            budget: Duration::ZERO,
            peer: 1,
        };
        let row = operation(&slow_and_slower, 100_000, effort);
        // The first of four is the warm-up.
        assert_eq!((row.best_ns, row.floor_ns), (Some(200.0), Some(100.0)));
        assert_eq!((row.ratio, row.samples), (Some(2.0), 3));
        assert_eq!(row.met(), Some(true));
    }
}
