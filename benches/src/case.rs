//! One operation at one size: its timed side, its floor and its peer.

use std::fmt;
use std::hint::black_box;
use std::sync::Once;
use std::time::Duration;

use cpu_time::ThreadTime;

/// Sets up, runs the timed part once, says how long that took, and drops what
/// is left.
pub type Side = Box<dyn FnMut() -> Duration>;

/// An operation at one size, ready to be sampled.
pub struct Case {
    /// How many entries, changes or calls one sample spans: times are divided
    /// by it.
    pub units: usize,
    /// The operation.
    pub ours: Side,
    /// The same work by plain means.
    pub floor: Option<Side>,
    /// The same work by the `crdts` crate's Orswot.
    pub peer: Option<Side>,
}

impl Case {
    /// A case without floor and peer.
    #[must_use]
    pub fn new(units: usize, ours: impl FnMut() -> Duration + 'static) -> Self {
        Self {
            units,
            ours: Box::new(ours),
            floor: None,
            peer: None,
        }
    }

    /// Adds the floor.
    #[must_use]
    pub fn floor(mut self, floor: impl FnMut() -> Duration + 'static) -> Self {
        self.floor = Some(Box::new(floor));
        self
    }

    /// Adds the peer.
    #[must_use]
    pub fn peer(mut self, peer: impl FnMut() -> Duration + 'static) -> Self {
        self.peer = Some(Box::new(peer));
        self
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}

/// What an operation may cost at N = 100,000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ceiling {
    /// So many times the floor.
    Ratio(f64),
    /// So many nanoseconds a call, up to that N.
    Nanoseconds(f64),
    /// So many nanoseconds for the longest of all calls, at any N.
    Longest(f64),
    /// No ceiling: the figure is stated.
    Stated,
}

/// A row of the table: measured at several sizes.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What the table calls it.
    pub name: &'static str,
    /// What it may cost.
    pub ceiling: Ceiling,
    /// Builds the inputs for N entries.
    pub prepare: fn(usize) -> Case,
}

/// Times `routine` alone. What it captures by reference and what it returns is
/// dropped after the clock has stopped.
///
/// The clock is that of the thread: it stands still while other processes have
/// the core, which on a shared machine hits long samples and spares short ones.
/// Nothing here waits, so it is the wall clock of an idle machine.
pub fn timed<O>(routine: impl FnOnce() -> O) -> Duration {
    age_allocator();
    let start = ThreadTime::now();
    let output = black_box(measured(routine));
    let took = start.elapsed();
    drop(output);
    took
}

/// What instructions are counted in: a counter knows it by its name.
#[inline(never)]
fn measured<O>(routine: impl FnOnce() -> O) -> O {
    routine()
}

/// Has the allocator tidy up after whatever was dropped before, and makes it the
/// allocator of a process that has run for a while. That of glibc puts small free
/// blocks together when the next large block is asked for, which takes
/// milliseconds after a state was dropped; and until a first large block has been
/// freed, it maps each table anew, page by page.
pub fn age_allocator() {
    static AGED: Once = Once::new();
    let take = |bytes| drop(black_box(Vec::<u8>::with_capacity(bytes)));
    AGED.call_once(|| take(31 << 20));
    take(64 << 10);
}
