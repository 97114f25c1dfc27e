//! What is lacking, and asking for it (rules R4 and R5).

use core::time::Duration;

use lattice_presence::{
    CausalContext, ClockSet, MAX_CLOCK, PresenceDelta, Question, ReplicaDigest, ReplicaId,
};

use crate::config::Trust;
use crate::liveness::WAIT;
use crate::machine::Sync;
use crate::mail::Mail;
use crate::peer::{Condition, OpenQuestion, Peer, Repair};
use crate::refused::Refused;

/// Questions without an answer after which somebody else is asked.
const UNREACHABLE: u8 = 2;

/// Answers without content after which an owner is left alone for a while.
const FRUITLESS: u8 = 3;

/// How often the patience with an answer doubles: 32 times the timeout is enough.
const MAX_SLOWNESS: u8 = 5;

/// What is this far ahead of nothing was not lost in flight.
const FAR_AHEAD: u64 = 64;

impl<M> Sync<M> {
    /// Judges anew whether this node holds what `id` says that it holds.
    pub(crate) fn reassess(&mut self, id: &ReplicaId, at_heartbeat: bool) {
        let now = self.now;
        let is_elder = self.state.replica().is_newer_than(id);
        let delay = self.config.repair_delay;
        let jitter = self.rng.up_to(delay / 4);
        let Some(peer) = self
            .peers
            .get_mut(id)
            .filter(|peer| peer.condition == Condition::Up)
        else {
            return;
        };
        if is_elder {
            // Nothing of a former life is held here (rule S7).
            peer.agrees_since.get_or_insert(now);
            return;
        }
        if peer.received.is_scattered() {
            peer.received.start_after(peer.received.announced());
            peer.is_verified = false;
            peer.agrees_since = None;
            peer.repair.by_ranges = true;
            peer.repair.insists = true;
            if peer.repair.is_idle() {
                peer.repair.due = Some(now + delay + jitter);
            }
        }
        let newest = peer.received.newest();
        let comparable = peer.line.as_ref().filter(|(at, _)| *at == newest);
        let agrees = comparable.map(|(_, line)| agrees(line, self.state.line(id).as_ref()));
        match agrees {
            _ if !peer.received.is_complete() => {
                peer.agrees_since = None;
                if peer.repair.is_idle() {
                    peer.repair.up_to = peer.received.announced();
                    peer.repair.due = Some(now + delay + jitter);
                }
            }
            Some(true) => {
                peer.is_verified = true;
                peer.mismatches = 0;
                peer.agrees_since.get_or_insert(now);
                peer.repair.fruitless = 0;
                peer.repair.finish();
            }
            Some(false) => {
                peer.agrees_since = None;
                peer.mismatches = peer.mismatches.saturating_add(u8::from(at_heartbeat));
                peer.repair.by_ranges = true;
                peer.repair.insists |= !peer.is_verified || peer.mismatches >= 2;
                if peer.repair.is_idle() {
                    let ahead = peer.line.as_ref().map_or(0, |(_, line)| line.seen.len());
                    let is_fresh = self.state.context().get(id).is_none() && ahead > FAR_AHEAD;
                    let backoff = delay * (1 << peer.repair.fruitless.min(6));
                    let wait = if is_fresh { jitter } else { backoff + jitter };
                    peer.repair.due = Some(now + wait);
                }
            }
            // A push came since, so that there is nothing to compare with.
            None if peer.repair.by_ranges && peer.repair.insists => {}
            None => {
                peer.repair.finish();
                if peer.is_verified {
                    peer.agrees_since.get_or_insert(now);
                }
            }
        }
        if let Some(due) = peer.repair.due {
            self.wake(due);
        }
    }

    /// Asks for what is lacking of `owner`, if it is time.
    pub(crate) fn ask_if_due(&mut self, owner: &ReplicaId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(owner) else {
            return;
        };
        if peer.repair.due.is_none_or(|due| due > now) {
            return;
        }
        peer.repair.due = None;
        if peer.condition.is_hidden() || peer.repair.asked.is_some() {
            return;
        }
        let target = self.whom_to_ask(owner);
        let Some(peer) = self.peers.get_mut(owner) else {
            return;
        };
        let Some(target) = target else {
            peer.repair.due = Some(now + WAIT);
            return;
        };
        peer.repair.asked = Some(target.clone());
        let id = self.next_question;
        self.next_question = self.next_question % MAX_CLOCK + 1;
        let deadline = now + self.config.answer_timeout;
        if let Some(target) = self.peers.get_mut(&target) {
            target.asked = Some(OpenQuestion {
                id,
                about: owner.clone(),
                missed: ClockSet::new(),
                deadline,
            });
        }
        self.open_questions += 1;
        self.wake(deadline);
        self.post(Mail::Question { to: target, id });
    }

    /// The owner first; if it does not answer, a peer at random, if peers may speak for
    /// others. `None` if nobody is free.
    fn whom_to_ask(&mut self, owner: &ReplicaId) -> Option<ReplicaId> {
        if self.open_questions >= self.config.max_questions {
            return None;
        }
        let (now, reach) = (self.now, self.reach());
        let peer = self.peers.get(owner)?;
        let is_near = peer.condition == Condition::Up && now < peer.silent_since + reach;
        let is_reachable = is_near && peer.repair.unanswered < UNREACHABLE;
        if is_reachable || self.config.trust == Trust::Owners {
            return peer.asked.is_none().then(|| owner.clone());
        }
        let owner_is_free = is_near && peer.asked.is_none();
        let is_free = |(_, peer): &(&ReplicaId, &Peer)| {
            peer.condition == Condition::Up
                && peer.asked.is_none()
                && now < peer.silent_since + reach
        };
        if let Some(source) = &peer.repair.source
            && let Some(found) = self.peers.get_key_value(source).filter(is_free)
        {
            return Some(found.0.clone());
        }
        let others = self.peers.iter().filter(is_free);
        let others = others.filter(|(id, _)| *id != owner).map(|(id, _)| id);
        // The owner keeps a chance: it may be back.
        let count = others.clone().count() as u64 + u64::from(owner_is_free);
        let chosen = usize::try_from(self.rng.below(count)).unwrap_or_default();
        let other = others.clone().nth(chosen).cloned();
        other.or_else(|| owner_is_free.then(|| owner.clone()))
    }

    /// What the question to `target` asks for, now that the transport has room.
    pub(crate) fn word_question(
        &mut self,
        target: &ReplicaId,
        id: u64,
    ) -> Option<(ClockSet, Question<ReplicaId>)> {
        let asked = self.peers.get(target)?.asked.as_ref()?;
        if asked.id != id {
            return None;
        }
        let about = asked.about.clone();
        let asked_peer = self.peers.get_mut(target)?;
        let patience = self.config.answer_timeout * (1 << asked_peer.slowness);
        let deadline = self.now + patience;
        asked_peer.asked.as_mut()?.deadline = deadline;
        let peer = self.peers.get_mut(&about)?;
        let repair = &mut peer.repair;
        let by_ranges = repair.by_ranges || about != *target;
        let differs = repair.differs.take();
        let (missed, question) = if !by_ranges {
            (peer.received.missing(repair.up_to), None)
        } else {
            (ClockSet::new(), Some(differs))
        };
        let question = match question {
            None => Question::new(),
            Some(Some(differs)) => self.state.refine(&differs),
            Some(None) => self.state.question([about]),
        };
        if let Some(asked) = self.peers.get_mut(target)?.asked.as_mut() {
            asked.missed = missed.clone();
        }
        self.wake(deadline);
        Some((missed, question))
    }

    /// Takes the answer to the question that `from` was asked.
    pub(crate) fn on_answer(
        &mut self,
        from: &ReplicaId,
        delta: &PresenceDelta<M>,
        differs: CausalContext<ReplicaId>,
        resent: &ClockSet,
        more: bool,
    ) -> Result<(), Refused> {
        let Some(asked) = self.take_asked(from) else {
            return Err(Refused::Unasked);
        };
        self.answered_in_time(from, asked.deadline);
        let about = asked.about;
        let before = self.state.line(&about);
        let merged = self.merge_from(from, delta);
        let progress = merged.is_ok() && self.state.line(&about) != before;
        if progress || !resent.is_empty() {
            self.counters.repairs += 1;
        }
        let now = self.now;
        let patience = self.config.patience;
        let Some(peer) = self.peers.get_mut(&about) else {
            return merged;
        };
        peer.repair.unanswered = 0;
        if merged.is_err() {
            peer.repair.fruitless = peer.repair.fruitless.saturating_add(1);
            peer.repair.due = Some(now + patience);
            self.wake(now + patience);
            return merged;
        }
        if asked.missed.is_empty() {
            peer.on_ranges(differs, more, progress, now, patience);
            // What its owner said last holds now, or it says something newer soon: pushes
            // that are on their way may be part of the answer.
            let held = self.state.line(&about);
            if !peer.repair.by_ranges
                && !peer
                    .line
                    .as_ref()
                    .is_some_and(|(_, line)| agrees(line, held.as_ref()))
            {
                peer.line = None;
            }
        } else {
            peer.on_resent(&asked.missed, resent, more, now);
        }
        if let Some(due) = peer.repair.due {
            self.wake(due);
        }
        self.reassess(&about, false);
        // At once, not at the next timer: a pull is as fast as its answers.
        self.ask_if_due(&about);
        Ok(())
    }

    /// An answer came in time. Much too early, and the next ones may take less.
    fn answered_in_time(&mut self, from: &ReplicaId, deadline: Duration) {
        let (now, timeout) = (self.now, self.config.answer_timeout);
        if let Some(peer) = self.peers.get_mut(from) {
            peer.gave_up = false;
            let patience = timeout * (1 << peer.slowness);
            if deadline.saturating_sub(now) > patience / 2 {
                peer.slowness = peer.slowness.saturating_sub(1);
            }
        }
    }

    /// An answer came that nobody waits for any more. If a question was given up, that is its
    /// answer: the round trip takes longer than the timeout, and the next one may. A question
    /// or an answer that was lost says nothing of the kind, and is asked again as soon.
    pub(crate) fn answered_late(&mut self, from: &ReplicaId) {
        if let Some(peer) = self.peers.get_mut(from)
            && core::mem::take(&mut peer.gave_up)
        {
            peer.slowness = (peer.slowness + 1).min(MAX_SLOWNESS);
        }
    }

    /// The question that `target` was asked is over: answered, or given up.
    fn take_asked(&mut self, target: &ReplicaId) -> Option<OpenQuestion> {
        let asked = self.peers.get_mut(target)?.asked.take()?;
        self.open_questions -= 1;
        if let Some(owner) = self.peers.get_mut(&asked.about) {
            owner.repair.asked = None;
        }
        // Others may wait for a free place.
        self.wake(self.now + WAIT);
        Some(asked)
    }

    /// Gives up a question that was not answered in time.
    pub(crate) fn expire_question(&mut self, target: &ReplicaId) {
        let now = self.now;
        let is_due = |asked: &OpenQuestion| asked.deadline <= now;
        let asked = self.peers.get(target).and_then(|peer| peer.asked.as_ref());
        if !asked.is_some_and(is_due) {
            return;
        }
        let Some(asked) = self.take_asked(target) else {
            return;
        };
        self.counters.unanswered += 1;
        if let Some(target) = self.peers.get_mut(target) {
            target.gave_up = true;
        }
        let delay = self.config.repair_delay;
        let jitter = self.rng.up_to(delay / 4);
        if let Some(owner) = self.peers.get_mut(&asked.about) {
            let repair = &mut owner.repair;
            repair.unanswered = repair.unanswered.saturating_add(1);
            repair.source = None;
            let tries = repair.unanswered.saturating_sub(UNREACHABLE);
            repair.due = Some(now + jitter + delay * u32::from(tries.min(20)));
            let due = now + jitter;
            self.wake(due);
        }
    }

    /// Drops what was to be said to a peer that is gone, and what it was asked.
    pub(crate) fn give_up_on(&mut self, id: &ReplicaId) {
        let now = self.now;
        if let Some(asked) = self.take_asked(id)
            && let Some(owner) = self.peers.get_mut(&asked.about)
        {
            owner.repair.due = Some(now);
        }
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.asking = None;
        peer.comparison = None;
        peer.agrees_since = None;
        let target = peer.repair.asked.clone();
        peer.repair = Repair::default();
        if let Some(target) = target {
            self.take_asked(&target);
        }
    }
}

impl Peer {
    /// The owner told missed pushes again.
    fn on_resent(&mut self, missed: &ClockSet, resent: &ClockSet, more: bool, now: Duration) {
        let resent = missed.intersection(resent);
        self.received.resent(&resent);
        if more && !resent.is_empty() {
            self.repair.due = Some(now);
        } else if missed.difference(&resent).is_empty() {
            self.repair.due = None;
        } else {
            // Its log does not go back so far.
            self.received.start_after(missed.max());
            self.is_verified = false;
            self.repair.by_ranges = true;
            self.repair.insists = true;
            self.repair.due = Some(now);
        }
    }

    /// The peer told what it found to differ.
    fn on_ranges(
        &mut self,
        differs: CausalContext<ReplicaId>,
        more: bool,
        progress: bool,
        now: Duration,
        patience: Duration,
    ) {
        let repair = &mut self.repair;
        let differing = differs
            .iter()
            .fold(0_u64, |sum, (_, clocks)| sum.saturating_add(clocks.len()));
        let narrows = differing > 0 && (repair.differing == 0 || differing < repair.differing);
        repair.differing = differing;
        if progress || narrows {
            repair.fruitless = 0;
        } else {
            repair.fruitless = repair.fruitless.saturating_add(1);
        }
        let goes_on = more || differing > 0;
        repair.differs = (differing > 0).then_some(differs);
        if !goes_on {
            // What the owner says next will tell whether that was all.
            repair.by_ranges = false;
            repair.insists = false;
            repair.differing = 0;
            repair.due = None;
        } else if repair.fruitless >= FRUITLESS {
            // "There is more", and nothing comes of it.
            repair.differs = None;
            repair.differing = 0;
            repair.due = Some(now + patience);
        } else {
            repair.due = Some(now);
        }
    }
}

/// Whether what is held here is what the line says. More may have been seen here: the line
/// is a cut of what its owner has seen, so that it is of constant size.
fn agrees(line: &ReplicaDigest, held: Option<&ReplicaDigest>) -> bool {
    match held {
        Some(held) => line.fingerprint == held.fingerprint && line.seen.is_subset(&held.seen),
        None => line.seen.is_empty(),
    }
}
