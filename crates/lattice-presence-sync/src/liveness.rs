//! Who is there (rule R6).

use alloc::vec::Vec;
use core::time::Duration;

use lattice_presence::ReplicaId;

use crate::event::{Cause, Event, Hint};
use crate::machine::Sync;
use crate::peer::{Condition, Peer};

impl<M> Sync<M> {
    /// Takes a hint of the transport. A lost peer that is not heard within
    /// [`hint_grace`](crate::Config::hint_grace) is down, if anybody else is heard; one
    /// that is there hears from this node soon. Hints about unknown peers create nothing.
    /// O(log peers).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Hint, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.hint(Duration::ZERO, &"b".into(), Hint::Lost);
    /// assert_eq!(node.peers().count(), 0);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn hint(&mut self, now: Duration, peer: &ReplicaId, hint: Hint) {
        self.tick(now);
        let (now, grace) = (self.now, self.config.hint_grace);
        match (hint, self.peers.get_mut(peer)) {
            (Hint::Up, peer) => {
                if let Some(peer) = peer {
                    peer.lost_at = None;
                }
                self.hurry();
            }
            (Hint::Lost, Some(peer))
                if matches!(peer.condition, Condition::Up | Condition::Unheard) =>
            {
                peer.lost_at.get_or_insert(now);
                self.wake(now + grace);
            }
            (Hint::Lost, _) => {}
        }
    }

    /// A heartbeat out of turn, for somebody new. At most one between two in turn: a
    /// hundred newcomers cost one.
    pub(crate) fn hurry(&mut self) {
        if !self.hurried && self.is_running() {
            self.hurried = true;
            // Somewhat later, as the newcomer may not listen yet.
            let soon = self.now + self.rng.up_to(self.config.heartbeat / 5);
            self.heartbeat_at = self.heartbeat_at.min(soon);
        }
    }

    /// A sign of life of `from`, which is admitted.
    pub(crate) fn hear(&mut self, from: &ReplicaId) {
        let now = self.now;
        if !self.peers.contains_key(from) {
            self.meet(from, Condition::Unheard);
        }
        let was_lost = self.lost_waits;
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        let is_first = peer.heard.is_none();
        peer.heard = Some(now);
        peer.silent_since = now;
        peer.lost_at = None;
        let condition = peer.condition;
        if condition != Condition::Up && !matches!(condition, Condition::Leaving { .. }) {
            peer.turn(Condition::Up, now);
            if condition != Condition::Stale {
                peer.start_over();
                peer.heartbeats = 0;
                peer.first_heard = now;
                self.events.push_back(Event::PeerUp { peer: from.clone() });
            }
            if condition.is_hidden() {
                let diff = self.state.replica_up(from);
                self.changed(diff, Cause::Up(from.clone()));
            }
            if is_first {
                self.lives.hear(from);
                self.retire_elders_of(from);
                self.hurry();
            }
            let at = now + self.config.down_after;
            self.wake(at);
        }
        if was_lost {
            // Somebody is heard: the silence of the other one is its own.
            self.wake(now);
        }
        self.end_isolation();
    }

    /// Notes a replica that was not known.
    pub(crate) fn meet(&mut self, replica: &ReplicaId, condition: Condition) {
        self.add_peer(replica, condition);
        self.wake(self.now + self.config.down_after);
        self.retire_if_elder(replica);
    }

    /// Somebody is heard again after nobody was: the others get as long as if they had
    /// been heard now.
    pub(crate) fn end_isolation(&mut self) {
        if self.isolated_since.take().is_none() {
            return;
        }
        let now = self.now;
        for peer in self.peers.values_mut() {
            if peer.condition == Condition::Stale {
                peer.silent_since = now;
            }
        }
        self.wake(now + self.config.down_after);
    }

    /// This process did not run for so long: nobody's silence in it counts.
    pub(crate) fn excuse(&mut self, slept: Duration) {
        let now = self.now;
        for peer in self.peers.values_mut() {
            peer.silent_since = (peer.silent_since + slept).min(now);
            peer.lost_at = peer.lost_at.map(|at| (at + slept).min(now));
        }
        if let Some(since) = &mut self.isolated_since {
            *since = (*since + slept).min(now);
        }
        self.wake(now);
    }

    /// Goes through all peers for whatever is due. O(peers), and what comes of it.
    pub(crate) fn judge(&mut self) {
        let now = self.now;
        self.lost_waits = false;
        let heard = self.last_heard();
        let due: Vec<ReplicaId> = self
            .peers
            .iter()
            .filter(|(_, peer)| self.deadline(peer).is_some_and(|at| at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &due {
            self.judge_one(id, &heard);
        }
        // What frees a question comes before what may want one.
        for id in &due {
            self.expire_question(id);
        }
        for id in &due {
            self.ask_if_due(id);
        }
        self.wake_at = FAR;
        for peer in self.peers.values() {
            if let Some(at) = self.deadline(peer) {
                self.wake_at = self.wake_at.min(at);
            }
        }
        // A peer that waits for a sign of somebody else must not keep the clock busy.
        if self.wake_at <= now {
            self.wake_at = now + WAIT;
        }
    }

    /// When something is due of a peer.
    fn deadline(&self, peer: &Peer) -> Option<Duration> {
        let asked = peer.asked.as_ref().map(|asked| asked.deadline);
        let is_over = matches!(peer.condition, Condition::Forgotten { .. });
        let retire = peer.retire.as_ref().filter(|_| !is_over);
        let retire = retire.map(|(at, _)| *at);
        let dues = [
            Some(self.end_of_condition(peer)),
            asked,
            retire,
            peer.repair.due,
        ];
        dues.into_iter().flatten().min()
    }

    /// When the condition of a peer takes its next turn, if nothing is heard of it.
    fn end_of_condition(&self, peer: &Peer) -> Duration {
        let config = &self.config;
        match peer.condition {
            Condition::Unheard | Condition::Up => {
                let silent = peer.silent_since + config.down_after;
                let lost = peer.lost_at.map(|at| at + config.hint_grace);
                // One that waits for a sign of somebody else is looked at when there is
                // one.
                let lost = lost.filter(|at| *at > self.now || !self.lost_waits);
                lost.map_or(silent, |lost| lost.min(silent))
            }
            Condition::Stale => match self.isolated_since {
                Some(since) => since + config.isolation_grace,
                None => peer.silent_since + config.down_after,
            },
            Condition::Leaving { until } => until,
            Condition::Down => peer.since + config.forget_after,
            Condition::Forgotten { over } => peer.since + self.memory_of(over),
        }
    }

    fn judge_one(&mut self, id: &ReplicaId, heard: &LastHeard) {
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        let now = self.now;
        let retire = peer.retire.as_ref().is_some_and(|(at, _)| *at <= now);
        if retire && !matches!(peer.condition, Condition::Forgotten { .. }) {
            self.retire(id, Cause::Restarted(id.clone()));
            return;
        }
        if self.end_of_condition(peer) > now {
            return;
        }
        match peer.condition {
            Condition::Unheard => self.take_down(id, Cause::Down(id.clone())),
            Condition::Up => self.judge_silence(id, heard.but(id)),
            Condition::Stale => self.take_down(id, Cause::Down(id.clone())),
            Condition::Leaving { .. } => self.retire(id, Cause::Left(id.clone())),
            Condition::Down => self.forget(id, false),
            Condition::Forgotten { .. } => self.let_go(id),
        }
    }

    /// A peer that was heard is silent for too long. Is it the peer, or this node?
    fn judge_silence(&mut self, id: &ReplicaId, others_heard: Option<Duration>) {
        let (now, down_after) = (self.now, self.config.down_after);
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let is_silent = peer.silent_since + down_after <= now;
        let is_lost = peer
            .lost_at
            .is_some_and(|lost| others_heard.is_some_and(|heard| heard > lost));
        // If this node's own cable breaks, all fall silent within a heartbeat or so: who
        // was heard last proves nothing. Somebody heard long after this one does.
        let well_after = peer.silent_since + down_after / 2;
        let hears_others =
            others_heard.is_some_and(|heard| heard >= well_after && heard + down_after > now);
        if is_lost || (is_silent && hears_others) {
            self.take_down(id, Cause::Down(id.clone()));
        } else if is_silent {
            peer.turn(Condition::Stale, now);
            self.isolated_since.get_or_insert(now);
        } else {
            self.lost_waits = true;
        }
    }

    /// Hides a peer.
    pub(crate) fn take_down(&mut self, id: &ReplicaId, cause: Cause) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.turn(Condition::Down, self.now);
        peer.lost_at = None;
        self.give_up_on(id);
        self.events.push_back(Event::PeerDown { peer: id.clone() });
        let diff = self.state.replica_down(id);
        self.changed(diff, cause);
    }

    /// When anybody was heard last, and whoever is not that one.
    fn last_heard(&self) -> LastHeard {
        let mut heard = LastHeard::default();
        for (id, peer) in &self.peers {
            let Some(at) = peer.heard else { continue };
            // What this node slept does not count here either.
            let at = at.max(peer.silent_since);
            if heard.first.as_ref().is_none_or(|(first, _)| at > *first) {
                heard.second = heard.first.take().map(|(at, _)| at);
                heard.first = Some((at, id.clone()));
            } else {
                heard.second = heard.second.max(Some(at));
            }
        }
        heard
    }
}

/// Later than every timer.
const FAR: Duration = Duration::from_secs(1 << 40);

/// How soon a peer is looked at again that could not be judged, or asked.
pub(crate) const WAIT: Duration = Duration::from_millis(20);

/// The two latest signs of life.
#[derive(Default)]
struct LastHeard {
    first: Option<(Duration, ReplicaId)>,
    second: Option<Duration>,
}

impl LastHeard {
    /// When anybody but `id` was heard last.
    fn but(&self, id: &ReplicaId) -> Option<Duration> {
        match &self.first {
            Some((at, first)) if first != id => Some(*at),
            _ => self.second,
        }
    }
}
