//! What is on its way out: own changes, and lives that are over.

use lattice_presence::{CausalContext, ClockSet, ReplicaId};

use crate::log::PushLog;

/// Former lives of which one push tells that they are over: the last ones. Older ones are
/// retired by peers that still know them (rule R9).
const MOST_FORMER: usize = 8;

/// Own changes on their way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushes {
    /// Own clocks that joined or left and were not pushed yet. What joined and left again
    /// meanwhile is told as one that left; between live entries that were pushed, all of
    /// it is one interval: bounded by what is live.
    pub(crate) unsent: ClockSet,
    /// Former lives of this node that are over; told once the last own entry has moved.
    pub(crate) former: CausalContext<ReplicaId>,
    /// The push that told so, and what.
    pub(crate) told: Option<(u64, CausalContext<ReplicaId>)>,
    pub(crate) log: PushLog,
}

impl Pushes {
    /// The node goes on under another name, which issued `own`, after those lives, and
    /// those of which it did not tell yet that they are over.
    pub(crate) fn begin_anew(&mut self, own: ClockSet, former: CausalContext<ReplicaId>) {
        let mut former = former.union(&self.former);
        while former.replicas().len() > MOST_FORMER {
            let lives = former.replicas();
            let oldest = lives.reduce(|oldest, life| match oldest.is_newer_than(life) {
                true => life,
                false => oldest,
            });
            if let Some(oldest) = oldest.cloned() {
                former.remove(&oldest);
            }
        }
        *self = Self {
            unsent: own,
            former,
            told: None,
            log: PushLog::default(),
        };
    }
}
