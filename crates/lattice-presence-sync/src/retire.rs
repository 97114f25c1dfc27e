//! Lives that are over: goodbyes, restarts, and what is let go (rules R7 to R9).

use core::time::Duration;

use lattice_presence::ReplicaId;

use crate::config::Trust;
use crate::event::{Cause, Event};
use crate::machine::{Phase, Sync};
use crate::peer::Condition;
use crate::refused::Refused;

impl<M> Sync<M> {
    /// `from` said goodbye.
    pub(crate) fn on_goodbye(&mut self, from: &ReplicaId) {
        let (now, handover) = (self.now, self.config.handover);
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        peer.heard = Some(now);
        self.lives.hear(from);
        match peer.condition {
            Condition::Leaving { .. } => {}
            // It is still there, and still leaving: what comes late stays out.
            Condition::Forgotten { over: true } => peer.since = now,
            Condition::Down | Condition::Forgotten { over: false } => {
                self.retire(from, Cause::Left(from.clone()));
            }
            Condition::Unheard | Condition::Up | Condition::Stale => {
                let until = now + handover;
                peer.turn(Condition::Leaving { until }, now);
                self.end_isolation();
                self.give_up_on(from);
                if handover.is_zero() {
                    self.retire(from, Cause::Left(from.clone()));
                } else {
                    self.wake(until);
                }
            }
        }
    }

    /// Hides a life that is over and frees its memory. Nobody returns from it.
    pub(crate) fn retire(&mut self, id: &ReplicaId, cause: Cause) {
        if self
            .peers
            .get(id)
            .is_some_and(|peer| !peer.condition.is_hidden())
        {
            self.take_down(id, cause);
        }
        self.forget(id, true);
    }

    /// Frees the memory of a peer that is down (rule R7). Mark and filter stay for a
    /// while: whoever still holds its entries must not bring them back.
    pub(crate) fn forget(&mut self, id: &ReplicaId, over: bool) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.turn(Condition::Forgotten { over }, self.now);
        peer.start_over();
        self.give_up_on(id);
        if let Ok(diff) = self.state.remove_down_replica(id) {
            self.changed(diff, Cause::Forgotten(id.clone()));
        }
        self.events
            .push_back(Event::PeerForgotten { peer: id.clone() });
        let keep = self.memory_of(over);
        self.wake(self.now + keep);
    }

    /// For how long a forgotten peer is remembered. If everybody speaks only for
    /// themselves, nobody can bring its entries back: then it is about late messages of its
    /// own. Others may have them for as long as they remember it themselves.
    pub(crate) fn memory_of(&self, over: bool) -> Duration {
        match (self.config.trust, over) {
            (Trust::Owners, false) => Duration::ZERO,
            (Trust::Owners, true) => self.config.down_after,
            (Trust::Relays, _) => self.config.forget_after,
        }
    }

    /// Lets go of a peer altogether, mark and filter included.
    pub(crate) fn let_go(&mut self, id: &ReplicaId) {
        // What it wrote beyond the filter came in again, hidden, if relays told it.
        if let Ok(diff) = self.state.remove_down_replica(id) {
            self.changed(diff, Cause::Forgotten(id.clone()));
        }
        let diff = self.state.forget_replica(id);
        self.changed(diff, Cause::Forgotten(id.clone()));
        self.give_up_on(id);
        self.mail.retain(|mail| mail.to() != id);
        self.remove_peer(id);
    }

    /// `newer` was heard for the first time: the older incarnations of its base have a
    /// [`handover`](crate::Config::handover) left (rule R9). O(those).
    pub(crate) fn retire_elders_of(&mut self, newer: &ReplicaId) {
        let at = self.now + self.config.handover;
        for elder in self.lives.known_before(newer) {
            if let Some(peer) = self.peers.get_mut(elder) {
                peer.retire.get_or_insert_with(|| (at, newer.clone()));
            }
        }
        self.wake(at);
    }

    /// A replica is met whose newer incarnation was heard already, or is this node.
    pub(crate) fn retire_if_elder(&mut self, replica: &ReplicaId) {
        let newer = self.heard_successor(replica).map(|(newer, _)| newer);
        if let (Some(newer), Some(peer)) = (newer, self.peers.get_mut(replica)) {
            let at = self.now + self.config.handover;
            peer.retire = Some((at, newer));
            self.wake(at);
        }
    }

    /// A newer incarnation than `replica` that was heard itself, or is this node, and
    /// since when. O(log peers).
    fn heard_successor(&self, replica: &ReplicaId) -> Option<(ReplicaId, Duration)> {
        let own = self.state.replica();
        if own.is_newer_than(replica) {
            return Some((own.clone(), self.started.unwrap_or(self.now)));
        }
        let newer = self.lives.heard_after(replica)?;
        let since = self.peers.get(newer)?.first_heard;
        Some((newer.clone(), since))
    }

    /// Whether the handover to a newer incarnation is over. Then nothing of the older one
    /// is of interest, wherever it comes from: a frozen process that thaws, say.
    pub(crate) fn has_established_successor(&self, replica: &ReplicaId) -> bool {
        let newer = self.heard_successor(replica);
        newer.is_some_and(|(_, since)| self.now >= since + self.config.handover)
    }

    /// Refuses who is over: a goodbye was said a short while ago, or a newer incarnation
    /// took over.
    pub(crate) fn check_life(&self, from: &ReplicaId, is_goodbye: bool) -> Result<(), Refused> {
        let Some(peer) = self.peers.get(from) else {
            return match self.heard_successor(from) {
                Some((by, since)) if self.now >= since + self.config.handover => {
                    Err(Refused::Superseded { by })
                }
                _ => Ok(()),
            };
        };
        if !matches!(peer.condition, Condition::Forgotten { over: true }) {
            return Ok(());
        }
        if let Some((_, by)) = &peer.retire {
            return Err(Refused::Superseded { by: by.clone() });
        }
        if !is_goodbye && self.now < peer.since + self.config.down_after {
            return Err(Refused::Late);
        }
        Ok(())
    }

    /// A newer incarnation of this node was heard itself. One message can be anybody's, a
    /// stray of long ago or a lie; who says so twice, a while apart, is there (rule R9).
    pub(crate) fn heed_successor(&mut self, from: &ReplicaId) {
        let Some(peer) = self.peers.get(from) else {
            return;
        };
        let insists = peer.heartbeats >= 2
            && self.now >= peer.first_heard + self.config.heartbeat / 2
            && from.is_newer_than(self.state.replica());
        if insists && !matches!(self.phase, Phase::Superseded { .. }) {
            self.phase = Phase::Superseded { by: from.clone() };
            self.events
                .push_back(Event::Superseded { by: from.clone() });
            self.say_goodbye();
        }
    }
}
