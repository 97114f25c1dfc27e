//! Which pushes of a peer have arrived.

use lattice_presence::ClockSet;

/// Gaps that are remembered one by one. Who has more has lost so much that ranges find it
/// sooner.
const MOST_GAPS: usize = 64;

/// The numbers of the pushes of one peer: what arrived, and up to where there are any.
///
/// # Invariants
///
/// `announced` is at least the highest number that arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    arrived: ClockSet,
    announced: u64,
}

impl Received {
    /// From now on only what comes after `number` counts: what came before is told apart
    /// by the digest line, or not at all.
    pub(crate) fn start_after(&mut self, number: u64) {
        self.announced = self.announced.max(number);
        self.arrived.insert_range(1..=number);
    }

    /// A push arrived. Whether it is new.
    pub(crate) fn push(&mut self, number: u64) -> bool {
        self.announced = self.announced.max(number);
        self.arrived.insert(number)
    }

    /// A heartbeat named the last push.
    pub(crate) fn announce(&mut self, number: u64) {
        self.announced = self.announced.max(number);
    }

    /// What these pushes carried arrived by an answer.
    pub(crate) fn resent(&mut self, numbers: &ClockSet) {
        self.arrived.union_with(numbers);
        self.announced = self.announced.max(self.arrived.max());
    }

    pub(crate) const fn announced(&self) -> u64 {
        self.announced
    }

    /// The highest number that arrived.
    pub(crate) fn newest(&self) -> u64 {
        self.arrived.max()
    }

    /// Whether everything up to the last announced push arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.arrived.prefix() >= self.announced
    }

    /// Whether there are more gaps than are worth remembering.
    pub(crate) fn is_scattered(&self) -> bool {
        self.arrived.interval_count() > MOST_GAPS
    }

    /// What is missing up to `last`.
    pub(crate) fn missing(&self, last: u64) -> ClockSet {
        let last = last.min(self.announced);
        let mut all = ClockSet::new();
        all.insert_range(1..=last);
        all.difference(&self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_was_announced_and_did_not_arrive() {
        let mut received = Received::default();
        received.start_after(5);
        assert!(received.is_complete());
        assert!(received.push(7) && !received.push(7) && !received.push(3));
        received.announce(9);
        assert!(!received.is_complete());
        assert_eq!(received.missing(9), [6, 8, 9].into_iter().collect());
        assert_eq!(received.missing(7), [6].into_iter().collect());
        received.resent(&[6, 8].into_iter().collect());
        assert_eq!(
            (received.newest(), received.missing(u64::MAX)),
            (8, (9..=9).into())
        );
        received.push(9);
        assert!(received.is_complete());
    }

    #[test]
    fn what_is_scattered_is_not_remembered_for_ever() {
        let mut received = Received::default();
        for number in (1..).step_by(2).take(MOST_GAPS + 1) {
            assert!(!received.is_scattered());
            received.push(number);
        }
        assert!(received.is_scattered());
        received.start_after(received.announced());
        assert!(received.is_complete() && !received.is_scattered());
    }
}
