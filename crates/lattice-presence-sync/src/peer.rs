//! What a machine knows of one other replica.

use core::time::Duration;

use lattice_presence::{CausalContext, ClockSet, Question, Refusal, ReplicaDigest, ReplicaId};

use crate::arrivals::Arrivals;
use crate::refused::RefusedCounts;

/// The condition of a replica, as judged here (rules R6 to R9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Known by hearsay only. Shown, unless it was marked at once.
    Unheard,
    /// Heard.
    Up,
    /// Silent, and so is everybody else: shown.
    Stale,
    /// It said goodbye: shown until then.
    Leaving { until: Duration },
    /// Hidden.
    Down,
    /// Hidden, and its memory freed. `over`: it said goodbye, or has a successor.
    Forgotten { over: bool },
}

impl Condition {
    /// Whether its entries are hidden.
    pub(crate) const fn is_hidden(self) -> bool {
        matches!(self, Self::Down | Self::Forgotten { .. })
    }
}

/// What is lacking of one owner, and the way to it (rules R4 and R5).
#[derive(Clone, Debug, Default)]
pub(crate) struct Repair {
    /// When to ask next. `None` if nothing is lacking, or the answer is awaited.
    pub(crate) due: Option<Duration>,
    /// Pushes up to here were missing when the delay began.
    pub(crate) up_to: u64,
    /// Whether to ask by ranges: the numbers do not say what is lacking.
    pub(crate) by_ranges: bool,
    /// Whether that is certain, and not a difference that a push in flight may explain.
    pub(crate) insists: bool,
    /// Where both sides differed at the last answer.
    pub(crate) differs: Option<CausalContext<ReplicaId>>,
    /// How many clocks those were.
    pub(crate) differing: u64,
    /// Who is being asked.
    pub(crate) asked: Option<ReplicaId>,
    /// Who said that it knows more.
    pub(crate) source: Option<ReplicaId>,
    /// Questions in a row that got no answer.
    pub(crate) unanswered: u8,
    /// Answers in a row that brought nothing.
    pub(crate) fruitless: u8,
}

impl Repair {
    /// Nothing is lacking any more. What was asked is still awaited.
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

/// A question of ours that a peer is to answer.
#[derive(Clone, Debug)]
pub(crate) struct OpenQuestion {
    pub(crate) id: u64,
    pub(crate) about: ReplicaId,
    /// The pushes that it asks for; filled in when it is sent.
    pub(crate) missed: ClockSet,
    /// Starts anew when the question is sent.
    pub(crate) deadline: Duration,
}

/// A question of a peer that waits for our answer.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) id: u64,
    pub(crate) missed: ClockSet,
    pub(crate) question: Question<ReplicaId>,
}

/// What is to be said in a comparison with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The fingerprint alone.
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
    /// Since when it is so.
    pub(crate) since: Duration,
    /// When it was heard last.
    pub(crate) heard: Option<Duration>,
    /// Since when it is silent, less what this node slept itself.
    pub(crate) silent_since: Duration,
    /// When the transport believed it lost.
    pub(crate) lost_at: Option<Duration>,
    /// A newer incarnation was heard: when this one is retired, and for whom.
    pub(crate) retire: Option<(Duration, ReplicaId)>,
    /// Since when it is heard, without having been down.
    pub(crate) first_heard: Duration,
    /// How many heartbeats came since then, up to a few.
    pub(crate) heartbeats: u8,
    pub(crate) received: Arrivals,
    /// Its last line, and the number of the push before it.
    pub(crate) line: Option<(u64, ReplicaDigest)>,
    /// Whether nothing of its pushes is known yet.
    pub(crate) is_new: bool,
    /// The number of pushes that its last heartbeat named.
    pub(crate) last_heartbeat: u64,
    /// Heartbeats in a row that named fewer: a second life under one name.
    pub(crate) behind: u8,
    /// Whether a line was found equal since it was heard first, or came back.
    pub(crate) is_verified: bool,
    /// Heartbeats in a row whose line differed.
    pub(crate) mismatches: u8,
    pub(crate) agrees_since: Option<Duration>,
    pub(crate) repair: Repair,
    pub(crate) asked: Option<OpenQuestion>,
    /// Whether a question to it was given up since it answered last.
    pub(crate) gave_up: bool,
    /// How often the patience with its answers was doubled, because they came too late.
    pub(crate) slowness: u8,
    pub(crate) asking: Option<Asking>,
    pub(crate) comparison: Option<(Comparison, bool)>,
    pub(crate) refused: RefusedCounts,
    /// Refusals in a row that no honest peer causes.
    pub(crate) refused_in_a_row: u8,
    pub(crate) muted_until: Duration,
    pub(crate) conflict_told: Option<Duration>,
    /// What it has against this node.
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

    /// What was known of its pushes no longer counts: it begins anew, or came back.
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
