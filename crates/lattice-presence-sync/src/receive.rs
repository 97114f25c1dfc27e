//! What comes in.

use core::time::Duration;

use alloc::vec::Vec;

use lattice_presence::{Body, Message, Piece, PresenceDelta, Refusal, ReplicaDigest, ReplicaId};

use crate::admission::MAX_LIVES;
use crate::config::Trust;
use crate::event::Cause;
use crate::machine::Sync;
use crate::mail::Mail;
use crate::peer::{Asking, Condition};
use crate::refused::Refused;

/// Heartbeats in a row that fall behind earlier ones: no delay explains so many.
const SECOND_LIFE: u8 = 3;

impl<M> Sync<M> {
    /// Takes a message of a peer. `from` is who sent it as far as the transport knows;
    /// if it knows nothing, pass what the message says. Own messages that a bus brings
    /// back are welcome, and ignored. O(what it carries), O(what leaves by
    /// it), and O(peers) for a comparison.
    ///
    /// # Errors
    ///
    /// [`Refused`], counted in the [status](Self::peers) of the sender; nothing of the
    /// message entered the view.
    ///
    /// ```
    /// # use lattice_presence::{Body, Message, PresenceState, Shard};
    /// # use lattice_presence_sync::{Config, Refused, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let mut message = Message::new("chat", Shard::WHOLE, "b", Body::Goodbye);
    /// message.version = 9;
    /// let refused = node.receive(Duration::ZERO, &"b".into(), message).unwrap_err();
    /// assert!(matches!(refused, Refused::Stranger(_)));
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn receive(
        &mut self,
        now: Duration,
        from: &ReplicaId,
        message: Message<M>,
    ) -> Result<(), Refused> {
        self.tick(now);
        let result = self
            .admit(from, &message)
            .and_then(|()| self.take(from, message.body));
        self.note(from, &result);
        self.check();
        result
    }

    /// Takes what was admitted.
    fn take(&mut self, from: &ReplicaId, body: Body<M>) -> Result<(), Refused> {
        if *from == *self.state.replica() {
            return Ok(());
        }
        match body {
            Body::Goodbye => {
                self.on_goodbye(from);
                return Ok(());
            }
            Body::Refusal { reason } => {
                self.on_refusal(from, reason);
                return Ok(());
            }
            _ => self.hear(from),
        }
        match body {
            Body::Heartbeat { line, pushes } => {
                self.on_heartbeat(from, line, pushes);
                Ok(())
            }
            Body::Push {
                number,
                piece,
                delta,
            } => self.on_push(from, number, piece, &delta),
            Body::Question {
                id,
                missed,
                question,
            } => {
                let asking = Asking {
                    id,
                    missed,
                    question,
                };
                self.on_question(from, asking);
                Ok(())
            }
            Body::Answer {
                id: _,
                delta,
                differs,
                resent,
                more,
            } => self.on_answer(from, &delta, differs, &resent, more),
            Body::Compare {
                fingerprint,
                digest,
                reply,
            } => {
                self.on_compare(from, fingerprint, &digest, reply);
                Ok(())
            }
            _ => Err(Refused::UnknownKind),
        }
    }

    fn on_heartbeat(&mut self, from: &ReplicaId, line: ReplicaDigest, pushes: u64) {
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        peer.heartbeats = peer.heartbeats.saturating_add(1);
        if pushes < peer.last_heartbeat {
            peer.behind += 1;
            if peer.behind < SECOND_LIFE {
                return;
            }
            // Its pushes are counted anew.
            peer.start_over();
        }
        peer.behind = 0;
        peer.last_heartbeat = pushes;
        if core::mem::take(&mut peer.is_new) {
            peer.received.start_after(pushes);
        }
        peer.received.announce(pushes);
        // An empty line says that changes wait to be pushed; the next one will tell.
        let is_told = pushes == 0 || !line.seen.is_empty();
        if is_told {
            peer.line = Some((pushes, line));
        }
        // Who writes without a pause never tells: what it wrote before it was met is asked
        // for all the same.
        let is_met = peer.is_verified || peer.line.is_some();
        let asks = !is_told && !is_met && peer.repair.is_idle();
        if asks {
            peer.repair.by_ranges = true;
            peer.repair.insists = true;
            peer.repair.due = Some(self.now + self.config.repair_delay);
        }
        self.reassess(from, true);
        self.heed_successor(from);
    }

    fn on_push(
        &mut self,
        from: &ReplicaId,
        number: u64,
        piece: Piece,
        delta: &PresenceDelta<M>,
    ) -> Result<(), Refused> {
        self.merge_from(from, delta)?;
        if let Some(peer) = self.peers.get_mut(from) {
            if core::mem::take(&mut peer.is_new) {
                peer.received.start_after(number);
            }
            peer.received.push(number, piece);
        }
        self.reassess(from, false);
        Ok(())
    }

    /// Merges what `from` says (rules R10 and R11).
    pub(crate) fn merge_from(
        &mut self,
        from: &ReplicaId,
        delta: &PresenceDelta<M>,
    ) -> Result<(), Refused> {
        let met = self.meet_all(from, delta)?;
        let merged = match self.config.trust {
            Trust::Owners => self.state.merge_owned_with_diff(from, delta),
            Trust::Relays => self.state.merge_delta_with_diff(delta),
        };
        let diff = match merged {
            Ok(diff) => diff,
            Err(error) => {
                self.unmeet(&met);
                return Err(error.into());
            }
        };
        self.changed(diff, Cause::Merged(from.clone()));
        Ok(())
    }

    /// Notes the replicas that `delta` speaks of and nobody knew here. Whoever was never
    /// heard in all the time that this node listens is silent: it is hidden before its
    /// entries come, so that nobody sees a flash of the dead (rule R6).
    fn meet_all(
        &mut self,
        from: &ReplicaId,
        delta: &PresenceDelta<M>,
    ) -> Result<Vec<ReplicaId>, Refused> {
        let own = self.state.replica();
        let is_new = |replica: &&ReplicaId| *replica != own && !self.peers.contains_key(*replica);
        let new: Vec<ReplicaId> = delta.context().replicas().filter(is_new).cloned().collect();
        if self.peers.len() + new.len() > self.config.max_peers {
            return Err(Refused::TooManyPeers);
        }
        // Then they are former lives of the sender, which may not fill the place of others.
        let lives = self.lives.known_before(from).len() + new.len();
        if self.config.trust == Trust::Owners && !new.is_empty() && lives >= MAX_LIVES {
            return Err(Refused::TooLarge { what: "lives" });
        }
        let listens = self.now - self.started.unwrap_or(self.now);
        let is_silent = listens >= self.config.down_after;
        for replica in &new {
            if is_silent || self.has_established_successor(replica) {
                let diff = self.state.replica_down(replica);
                debug_assert!(diff.is_empty(), "nothing was known of it");
                self.meet(replica, Condition::Down);
            } else {
                self.meet(replica, Condition::Unheard);
            }
        }
        Ok(new)
    }

    /// The message that named them was refused.
    fn unmeet(&mut self, met: &[ReplicaId]) {
        for replica in met {
            let diff = self.state.forget_replica(replica);
            debug_assert!(diff.is_empty(), "nothing was known of it");
            self.remove_peer(replica);
        }
    }

    fn on_question(&mut self, from: &ReplicaId, asking: Asking) {
        // What it holds is over, and who left it left it alone (rule R9).
        if self.is_superseded() {
            return;
        }
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        // A newer question takes the place of one that was not answered yet.
        if peer.asking.replace(asking).is_none() {
            self.post(Mail::Answer { to: from.clone() });
        }
    }

    fn on_refusal(&mut self, from: &ReplicaId, reason: Refusal) {
        match self.peers.get_mut(from) {
            Some(peer) => peer.refuses_us = Some(reason),
            None => self.stranger(from).refuses_us = Some(reason),
        }
    }

    /// How long a peer may be silent before it counts as out of reach.
    pub(crate) fn reach(&self) -> Duration {
        self.config.heartbeat * 5 / 2
    }
}
