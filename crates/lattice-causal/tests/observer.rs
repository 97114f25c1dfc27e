//! In which order a join reports what changes, and what it announces before.

use lattice_causal::{Causal, Dot, DotFun, Observer};

/// What a join reports, in its order.
#[derive(Default)]
struct InOrder {
    removed: Vec<u64>,
    added: Vec<u64>,
    /// What was announced and has not come yet.
    expected: Vec<u64>,
    announced: usize,
}

impl Observer<DotFun<u8, char>> for InOrder {
    const EXPECTS: bool = true;

    fn added(&mut self, _: &u8, clock: u64, _: impl FnOnce(), _: &char) {
        self.added.push(clock);
    }

    fn removed(&mut self, _: &u8, clock: u64, _: impl FnOnce(), _: char) {
        assert!(self.added.is_empty(), "the removed come first");
        if self.expected.first() == Some(&clock) {
            self.expected.remove(0);
        }
        self.removed.push(clock);
    }

    fn expect(&mut self, _: &u8, dying: &[(u64, &char)]) {
        assert!(dying.len() >= 4 && self.expected.is_empty());
        self.expected = dying.iter().map(|(clock, _)| *clock).collect();
        self.announced += dying.len();
    }
}

#[test]
fn deaths_are_reported_in_clock_order_alone_or_not() {
    let live = (1..=400).map(|clock| (Dot::new(7, clock), 'x'));
    let mut state = Causal::from_store(DotFun::<u8, char>::from_iter(live));
    // Some that die alone, more than are announced at once; then a stretch, and more.
    let alone = (1..=199).step_by(2);
    let dead: Vec<u64> = alone.chain(250..=260).chain([300, 310, 320]).collect();
    let seen = dead.iter().map(|clock| Dot::new(7, *clock)).collect();
    let delta = Causal::covering(DotFun::from_iter([(Dot::new(7, 401), 'y')]), seen);

    let mut log = InOrder::default();
    state.merge_with(&delta, &mut log);
    assert_eq!((&log.removed, &log.added), (&dead, &vec![401]));
    assert_eq!(
        (log.announced, log.expected),
        (100, vec![]),
        "three are too few"
    );

    // An echo: nothing dies, so nothing is announced.
    let mut echo = InOrder::default();
    state.merge_with(&delta, &mut echo);
    assert_eq!((echo.announced, echo.removed.len()), (0, 0));
}
