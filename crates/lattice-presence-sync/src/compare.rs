//! Comparing what is known of everybody, for owners that cannot be asked (rules R3, R4).

use alloc::vec::Vec;

use lattice_presence::{Digest, ReplicaDigest, ReplicaId};

use crate::config::Trust;
use crate::machine::Sync;
use crate::mail::Mail;
use crate::peer::{Comparison, Condition, Peer};

impl<M> Sync<M> {
    /// Starts a comparison with one peer at random. If everybody speaks only for
    /// themselves, nobody could act on one.
    pub(crate) fn compare_with_somebody(&mut self) {
        if self.config.trust == Trust::Owners || !self.is_running() {
            return;
        }
        let is_up = |(_, peer): &(&ReplicaId, &Peer)| peer.condition == Condition::Up;
        let count = self.peers.iter().filter(is_up).count();
        let chosen = self.rng.below(count as u64);
        let chosen = self
            .peers
            .iter()
            .filter(is_up)
            .nth(usize::try_from(chosen).unwrap_or_default());
        if let Some(id) = chosen.map(|(id, _)| id.clone()) {
            self.say_of_comparison(&id, Comparison::Probe, true);
        }
    }

    fn say_of_comparison(&mut self, to: &ReplicaId, what: Comparison, reply: bool) {
        if let Some(peer) = self.peers.get_mut(to)
            && peer.comparison.replace((what, reply)).is_none()
        {
            self.post(Mail::Comparison { to: to.clone() });
        }
    }

    pub(crate) fn on_compare(
        &mut self,
        from: &ReplicaId,
        fingerprint: u64,
        digest: &Digest<ReplicaId>,
        reply: bool,
    ) {
        if self.config.trust == Trust::Owners {
            return;
        }
        if digest.is_empty() {
            if reply && fingerprint != fingerprint_of(&self.visible_digest()) {
                self.say_of_comparison(from, Comparison::Whole, true);
            }
            return;
        }
        for (replica, line) in digest.iter() {
            self.consider(replica, line, from);
        }
        if reply {
            let lines = self.worth_telling(digest);
            if !lines.is_empty() {
                self.say_of_comparison(from, Comparison::Lines(lines), false);
            }
        }
    }

    /// Whether `from` knows something of `replica` that this node lacks and cannot ask the
    /// owner for. Who is heard is asked itself, and who was never heard is not missed: it
    /// would be down anyway (rule R6).
    fn consider(&mut self, replica: &ReplicaId, line: &ReplicaDigest, from: &ReplicaId) {
        let (now, reach) = (self.now, self.reach());
        let delay = self.config.repair_delay;
        let Some(peer) = self.peers.get_mut(replica) else {
            return;
        };
        let is_out_of_reach =
            peer.silent_since + reach <= now || peer.condition == Condition::Stale;
        let is_wanted = peer.heard.is_some()
            && matches!(
                peer.condition,
                Condition::Up | Condition::Stale | Condition::Leaving { .. }
            );
        if is_wanted && is_out_of_reach && self.state.lacks(replica, line) {
            peer.repair.by_ranges = true;
            peer.repair.insists = true;
            peer.repair.source = Some(from.clone());
            if peer.repair.is_idle() {
                let due = now + delay;
                peer.repair.due = Some(due);
                self.wake(due);
            }
        }
    }

    /// The replicas of which this node may know more than `digest` says, and of those that
    /// it hears not: the others speak for themselves.
    fn worth_telling(&self, digest: &Digest<ReplicaId>) -> Vec<ReplicaId> {
        let differs = |id: &ReplicaId| {
            let known = self.state.line(id);
            known.is_some() && known.as_ref() != digest.get(id)
        };
        let visible = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.condition.is_hidden());
        let ids = visible.map(|(id, _)| id);
        ids.filter(|id| differs(id)).cloned().collect()
    }

    /// The digest of what is visible here. What is hidden may differ: nobody sees it, and
    /// it is mended when its owner is heard.
    fn visible_digest(&self) -> Digest<ReplicaId> {
        let own = self.state.replica();
        let peers = self.peers.iter();
        let visible = peers.filter(|(_, peer)| !peer.condition.is_hidden());
        let visible = visible.map(|(id, _)| id).chain([own]).cloned();
        self.state.digest_of(visible)
    }

    /// The words of a comparison that `to` is to get.
    pub(crate) fn word_comparison(
        &mut self,
        to: &ReplicaId,
    ) -> Option<(u64, Digest<ReplicaId>, bool)> {
        let (what, reply) = self.peers.get_mut(to)?.comparison.take()?;
        let digest = self.visible_digest();
        let fingerprint = fingerprint_of(&digest);
        let digest = match what {
            Comparison::Probe => Digest::new(),
            Comparison::Whole => digest,
            Comparison::Lines(lines) => self.state.digest_of(lines),
        };
        Some((fingerprint, digest, reply))
    }
}

/// One number for a whole digest; its definition is in `docs/sync.md`.
fn fingerprint_of(digest: &Digest<ReplicaId>) -> u64 {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for (replica, line) in digest.iter() {
        fields.push(replica.as_str().as_bytes().into());
        let mut seen = Vec::new();
        for range in line.seen.intervals() {
            seen.extend(range.start().to_le_bytes());
            seen.extend(range.end().to_le_bytes());
        }
        fields.push(seen);
        fields.push(line.fingerprint.to_le_bytes().into());
    }
    lattice_presence::identity_of(fields)
}
