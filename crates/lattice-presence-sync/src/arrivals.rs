//! Which pushes of a peer have arrived.

use alloc::vec::Vec;

use lattice_presence::{ClockSet, Piece};

/// Gaps that are remembered one by one. Who has more has lost so much that ranges find it
/// sooner.
const MOST_GAPS: usize = 64;

/// Pushes in pieces that may arrive at once. Of those beyond, what came is not remembered:
/// they are asked for.
const MOST_IN_PIECES: usize = 4;

/// The numbers of the pushes of one peer: what arrived, and up to where there are any.
///
/// # Invariants
///
/// `announced` is at least the highest number that arrived, or of which a piece did. What
/// is in pieces has not arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    arrived: ClockSet,
    announced: u64,
    in_pieces: Vec<InPieces>,
}

/// A push of which some pieces arrived.
#[derive(Clone, Debug)]
struct InPieces {
    number: u64,
    count: u16,
    /// Their places, from 1.
    arrived: ClockSet,
}

impl Arrivals {
    /// From now on only what comes after `number` counts: what came before is told apart
    /// by the digest line, or not at all.
    pub(crate) fn start_after(&mut self, number: u64) {
        self.announced = self.announced.max(number);
        self.arrived.insert_range(1..=number);
        self.drop_pieces();
    }

    /// A push arrived, or a piece of it. Whether that made it whole.
    pub(crate) fn push(&mut self, number: u64, piece: Piece) -> bool {
        self.announced = self.announced.max(number);
        if self.arrived.contains(number) {
            return false;
        }
        if piece.count > 1 && !self.is_last(number, piece) {
            return false;
        }
        self.arrived.insert(number);
        self.drop_pieces();
        true
    }

    /// Notes a piece; whether it was the last one that was missing.
    fn is_last(&mut self, number: u64, piece: Piece) -> bool {
        let is_it = |push: &InPieces| push.number == number && push.count == piece.count;
        let at = self.in_pieces.iter().position(is_it).unwrap_or_else(|| {
            if self.in_pieces.len() == MOST_IN_PIECES {
                self.in_pieces.remove(0);
            }
            self.in_pieces.push(InPieces {
                number,
                count: piece.count,
                arrived: ClockSet::new(),
            });
            self.in_pieces.len() - 1
        });
        let arrived = &mut self.in_pieces[at].arrived;
        arrived.insert(u64::from(piece.index) + 1);
        let is_whole = arrived.len() == u64::from(piece.count);
        if arrived.interval_count() > MOST_GAPS {
            self.in_pieces.remove(at);
        }
        is_whole
    }

    /// Pieces of what has arrived are of no interest any more.
    fn drop_pieces(&mut self) {
        let arrived = &self.arrived;
        self.in_pieces.retain(|push| !arrived.contains(push.number));
    }

    /// A heartbeat named the last push.
    pub(crate) fn announce(&mut self, number: u64) {
        self.announced = self.announced.max(number);
    }

    /// What these pushes carried arrived by an answer.
    pub(crate) fn resent(&mut self, numbers: &ClockSet) {
        self.arrived.union_with(numbers);
        self.announced = self.announced.max(self.arrived.max());
        self.drop_pieces();
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

    impl Arrivals {
        fn push_whole(&mut self, number: u64) -> bool {
            self.push(number, Piece::WHOLE)
        }
    }

    #[test]
    fn gaps_are_what_was_announced_and_did_not_arrive() {
        let mut received = Arrivals::default();
        received.start_after(5);
        assert!(received.is_complete());
        assert!(received.push_whole(7) && !received.push_whole(7) && !received.push_whole(3));
        received.announce(9);
        assert!(!received.is_complete());
        assert_eq!(received.missing(9), [6, 8, 9].into_iter().collect());
        assert_eq!(received.missing(7), [6].into_iter().collect());
        received.resent(&[6, 8].into_iter().collect());
        assert_eq!(
            (received.newest(), received.missing(u64::MAX)),
            (8, (9..=9).into())
        );
        received.push_whole(9);
        assert!(received.is_complete());
    }

    #[test]
    fn what_is_scattered_is_not_remembered_for_ever() {
        let mut received = Arrivals::default();
        for number in (1..).step_by(2).take(MOST_GAPS + 1) {
            assert!(!received.is_scattered());
            received.push_whole(number);
        }
        assert!(received.is_scattered());
        received.start_after(received.announced());
        assert!(received.is_complete() && !received.is_scattered());
    }

    #[test]
    fn a_push_in_pieces_has_arrived_when_all_of_them_have() {
        let mut received = Arrivals::default();
        let piece = |index| Piece { index, count: 3 };
        assert!(!received.push(1, piece(2)) && !received.push(1, piece(0)));
        assert!(!received.push(1, piece(0)), "doubled");
        assert_eq!(received.missing(9), (1..=1).into());
        // Another cut of the same number says nothing about this one.
        assert!(!received.push(1, Piece { index: 1, count: 4 }));
        assert!(received.push(1, piece(1)) && received.is_complete());
        assert!(received.in_pieces.is_empty());
        assert!(!received.push(1, piece(1)) && received.in_pieces.is_empty());
    }

    #[test]
    fn r13_pieces_are_remembered_for_few_pushes_and_with_few_gaps() {
        let mut received = Arrivals::default();
        for number in 1..=1_000 {
            received.push(number, Piece { index: 0, count: 2 });
            assert!(received.in_pieces.len() <= MOST_IN_PIECES);
        }
        received.push(1_000, Piece { index: 1, count: 2 });
        assert_eq!(received.missing(u64::MAX), (1..=999).into());
        received.resent(&(1..=999).into());
        assert!(received.is_complete() && received.in_pieces.is_empty());
        for index in (0..60_000).step_by(2) {
            let count = u16::MAX;
            received.push(1_001, Piece { index, count });
            let gaps = received
                .in_pieces
                .iter()
                .map(|push| push.arrived.interval_count());
            assert!(gaps.sum::<usize>() <= MOST_GAPS + 1);
        }
    }
}
