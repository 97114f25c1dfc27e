//! What a machine knows of one other replica.

use core::time::Duration;

use lattice_presence::{CausalContext, ClockSet, Question, Refusal, ReplicaDigest, ReplicaId};

use crate::arrivals::Arrivals;
use crate::refused::RefusedCounts;

/// The condition of a replica, as this node believes (rules R6 to R9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Only others spoke of it. It is shown, unless it was marked down at once.
    Unheard,
    /// Heard.
    Up,
    /// It is silent, and all other peers too. It is shown.
    Stale,
    /// It said goodbye. It is shown until then.
    Leaving { until: Duration },
    /// Hidden.
    Down,
    /// It is hidden, and its memory is freed. `over` means that it said goodbye, or has a
    /// successor.
    Forgotten { over: bool },
}

impl Condition {
    /// Whether its entries are hidden.
    pub(crate) const fn is_hidden(self) -> bool {
        matches!(self, Self::Down | Self::Forgotten { .. })
    }
}

/// What is missing of one owner, and how to get it (rules R4 and R5).
#[derive(Clone, Debug, Default)]
pub(crate) struct Repair {
    /// The time to ask next. `None` if nothing is missing, or if an answer is expected.
    pub(crate) due: Option<Duration>,
    /// Pushes up to this number were missing when the delay began.
    pub(crate) up_to: u64,
    /// Whether to ask by ranges, because the numbers do not say what is missing.
    pub(crate) by_ranges: bool,
    /// Whether it is certain that something is missing. A push that is still on its way
    /// could also explain a difference.
    pub(crate) insists: bool,
    /// The clocks in which both sides differed at the last answer.
    pub(crate) differs: Option<CausalContext<ReplicaId>>,
    /// The number of those clocks.
    pub(crate) differing: u64,
    /// The peer that is asked.
    pub(crate) asked: Option<ReplicaId>,
    /// The peer that said that it knows more.
    pub(crate) source: Option<ReplicaId>,
    /// The number of questions in a row without an answer.
    pub(crate) unanswered: u8,
    /// The number of answers in a row that brought nothing.
    pub(crate) fruitless: u8,
}

impl Repair {
    /// Nothing is missing any more. An answer that is expected may still come.
    pub(crate) fn finish(&mut self) {
        *self = Self {
            asked: self.asked.take(),
            fruitless: if self.by_ranges { self.fruitless } else { 0 },
            ..Self::default()
        };
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.due.is_none() && self.asked.is_none()
    }
}

/// A question of this node that a peer should answer.
#[derive(Clone, Debug)]
pub(crate) struct OpenQuestion {
    pub(crate) id: u64,
    pub(crate) about: ReplicaId,
    /// The pushes that it asks for. They are filled in when it is sent.
    pub(crate) missed: ClockSet,
    /// The deadline starts again when the question is sent.
    pub(crate) deadline: Duration,
}

/// A question of a peer that waits for the answer of this node.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) id: u64,
    pub(crate) missed: ClockSet,
    pub(crate) question: Question<ReplicaId>,
}

/// What to send in a comparison with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Only the fingerprint.
    Probe,
    /// All lines.
    Whole,
    /// The lines of these replicas.
    Lines(alloc::vec::Vec<ReplicaId>),
}

/// One other replica.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) condition: Condition,
    /// The time at which the condition began.
    pub(crate) since: Duration,
    /// The time at which it was heard last.
    pub(crate) heard: Option<Duration>,
    /// The time since which it is silent, without the time in which this process did not
    /// run.
    pub(crate) silent_since: Duration,
    /// The time at which the transport said that it is lost.
    pub(crate) lost_at: Option<Duration>,
    /// A newer incarnation was heard. This is the time at which this one is retired, and
    /// the newer one.
    pub(crate) retire: Option<(Duration, ReplicaId)>,
    /// The time since which it is heard and was not down.
    pub(crate) first_heard: Duration,
    /// The number of heartbeats since then. It stops at a small number.
    pub(crate) heartbeats: u8,
    pub(crate) received: Arrivals,
    /// The line of its last heartbeat, and the number of the push before it.
    pub(crate) line: Option<(u64, ReplicaDigest)>,
    /// Whether nothing of its pushes is known yet.
    pub(crate) is_new: bool,
    /// The number of pushes that its last heartbeat named.
    pub(crate) last_heartbeat: u64,
    /// The number of heartbeats in a row that named fewer pushes. This is a second
    /// process under one name.
    pub(crate) behind: u8,
    /// Whether a line was equal since it was heard first, or since it came back.
    pub(crate) is_verified: bool,
    /// The number of heartbeats in a row whose line differed.
    pub(crate) mismatches: u8,
    pub(crate) agrees_since: Option<Duration>,
    pub(crate) repair: Repair,
    pub(crate) asked: Option<OpenQuestion>,
    /// Whether a question to it had no answer in time since its last answer.
    pub(crate) gave_up: bool,
    /// How often the timeout for its answers was doubled, because they came too late.
    pub(crate) slowness: u8,
    pub(crate) asking: Option<Asking>,
    pub(crate) comparison: Option<(Comparison, bool)>,
    pub(crate) refused: RefusedCounts,
    /// The number of refusals in a row that no honest peer causes.
    pub(crate) refused_in_a_row: u8,
    pub(crate) muted_until: Duration,
    pub(crate) conflict_told: Option<Duration>,
    /// The reason for which it refuses this node.
    pub(crate) refuses_us: Option<Refusal>,
}

impl Peer {
    pub(crate) fn new(condition: Condition, now: Duration) -> Self {
        Self {
            condition,
            since: now,
            heard: None,
            silent_since: now,
            lost_at: None,
            retire: None,
            first_heard: now,
            heartbeats: 0,
            received: Arrivals::default(),
            line: None,
            is_new: true,
            last_heartbeat: 0,
            behind: 0,
            is_verified: false,
            mismatches: 0,
            agrees_since: None,
            repair: Repair::default(),
            asked: None,
            gave_up: false,
            slowness: 0,
            asking: None,
            comparison: None,
            refused: RefusedCounts::default(),
            refused_in_a_row: 0,
            muted_until: Duration::ZERO,
            conflict_told: None,
            refuses_us: None,
        }
    }

    pub(crate) fn turn(&mut self, condition: Condition, now: Duration) {
        self.condition = condition;
        self.since = now;
    }

    /// Forgets what was known of its pushes, because it starts again or came back.
    pub(crate) fn start_over(&mut self) {
        self.received = Arrivals::default();
        self.line = None;
        self.is_new = true;
        self.last_heartbeat = 0;
        self.behind = 0;
        self.is_verified = false;
        self.mismatches = 0;
        self.agrees_since = None;
        let asked = self.repair.asked.take();
        self.repair = Repair {
            asked,
            ..Repair::default()
        };
    }
}
