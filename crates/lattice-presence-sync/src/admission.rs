//! What is let in (rule R11): checks that cost what the message is, and change nothing.

use core::time::Duration;

use lattice_presence::{
    Body, CausalContext, Digest, MAX_CLOCK, MESSAGE_VERSION, MergeError, Message, PresenceDelta,
    Question, Refusal, ReplicaId,
};

use crate::config::{MAX_ENTRIES, Trust};
use crate::event::Event;
use crate::machine::Sync;
use crate::mail::Mail;
use crate::push::CLOCKS_PER_ENTRY;
use crate::refused::Refused;
use crate::status::Stranger;

/// Lives of one node that it may speak of, its own and former ones: in one message, and in
/// all of them until they are let go.
pub(crate) const MAX_LIVES: usize = 64;

/// Intervals of clocks, parts of a question, lines of a digest: together at most so many
/// in one message.
const MAX_INTERVALS: usize = MAX_ENTRIES * CLOCKS_PER_ENTRY as usize;

/// Intervals of the line in a heartbeat, which is of constant size.
pub(crate) const LINE_INTERVALS: usize = 4;

/// Refusals in a row after which a peer is not answered for a while.
const MUTED_AFTER: u8 = 16;

/// Strangers that are remembered.
const MAX_STRANGERS: usize = 64;

impl<M> Sync<M> {
    /// Whether the message is taken further.
    pub(crate) fn admit(&self, from: &ReplicaId, message: &Message<M>) -> Result<(), Refused> {
        if message.from != *from {
            let named = message.from.clone();
            return Err(Refused::Impostor { named });
        }
        // What somebody has against this node is heard whatever it is about.
        if matches!(message.body, Body::Refusal { .. }) {
            return Ok(());
        }
        self.check_address(message).map_err(Refused::Stranger)?;
        if *from == *self.state.replica() {
            return self.check_echo(&message.body);
        }
        if !self.peers.contains_key(from) && self.peers.len() >= self.config.max_peers {
            return Err(Refused::TooManyPeers);
        }
        self.check_life(from, matches!(message.body, Body::Goodbye))?;
        self.check_body(from, &message.body)
    }

    fn check_address(&self, message: &Message<M>) -> Result<(), Refusal> {
        if message.version != MESSAGE_VERSION {
            let reads = MESSAGE_VERSION;
            return Err(Refusal::Version { reads });
        }
        if message.cluster != self.config.cluster {
            return Err(Refusal::Cluster);
        }
        if message.shard != self.config.shard {
            let count = self.config.shard.count;
            return Err(Refusal::Shards { count });
        }
        Ok(())
    }

    /// A bus brings this node's own messages back. Something else under its name is a
    /// second process.
    fn check_echo(&self, body: &Body<M>) -> Result<(), Refused> {
        let own = self.state.replica();
        let issued = self.state.context().get(own);
        let last = self.pushes.log.last();
        let (number, seen) = match body {
            Body::Heartbeat { line, pushes } => (*pushes, Some(&line.seen)),
            Body::Push { number, delta, .. } => (*number, delta.context().get(own)),
            _ => return Ok(()),
        };
        let was_issued = seen.is_none_or(|seen| {
            seen.is_empty() || issued.is_some_and(|issued| seen.is_subset(issued))
        });
        if number > last || !was_issued {
            return Err(Refused::SameName);
        }
        Ok(())
    }

    fn check_body(&self, from: &ReplicaId, body: &Body<M>) -> Result<(), Refused> {
        match body {
            Body::Heartbeat { line, pushes } => {
                within(*pushes, 0)?;
                bound(line.seen.interval_count(), MAX_INTERVALS, "intervals")
            }
            Body::Push {
                number,
                piece,
                delta,
            } => {
                within(*number, 1)?;
                if piece.index >= piece.count {
                    return Err(Refused::BadNumber);
                }
                self.check_delta(from, delta)
            }
            Body::Question {
                missed, question, ..
            } => {
                self.check_muted(from)?;
                bound(missed.interval_count(), MAX_INTERVALS, "intervals")?;
                self.check_question(question)
            }
            Body::Answer {
                id,
                delta,
                differs,
                resent,
                ..
            } => {
                let asked = self.peers.get(from).and_then(|peer| peer.asked.as_ref());
                if asked.is_none_or(|asked| asked.id != *id) {
                    return Err(Refused::Unasked);
                }
                bound(resent.interval_count(), MAX_INTERVALS, "intervals")?;
                self.check_context(differs)?;
                self.check_delta(from, delta)
            }
            Body::Compare { digest, .. } => {
                self.check_muted(from)?;
                self.check_digest(digest)
            }
            Body::Goodbye | Body::Refusal { .. } => Ok(()),
            _ => Err(Refused::UnknownKind),
        }
    }

    fn check_delta(&self, from: &ReplicaId, delta: &PresenceDelta<M>) -> Result<(), Refused> {
        bound(delta.len(), MAX_ENTRIES, "entries")?;
        self.check_context(delta.context())?;
        // What the merge would refuse as well: but then the sender would count as heard.
        if self.config.trust == Trust::Owners {
            bound(delta.context().replicas().len(), MAX_LIVES, "lives")?;
            let mut named = core::iter::once(delta.replica()).chain(delta.context().replicas());
            let is_foreign =
                |replica: &&ReplicaId| *replica != from && !from.is_newer_than(replica);
            if let Some(found) = named.find(is_foreign) {
                let (peer, found) = (from.clone(), found.clone());
                return Err(MergeError::NotOwned { peer, found }.into());
            }
        }
        Ok(())
    }

    fn check_context(&self, context: &CausalContext<ReplicaId>) -> Result<(), Refused> {
        bound(context.replicas().len(), self.config.max_peers, "replicas")?;
        bound(context.interval_count(), MAX_INTERVALS, "intervals")
    }

    fn check_question(&self, question: &Question<ReplicaId>) -> Result<(), Refused> {
        bound(question.iter().len(), self.config.max_peers, "replicas")?;
        let size = question.iter().map(|(_, asked)| {
            let listed = asked.parts.iter().map(|part| match &part.held {
                lattice_presence::Held::Dots { clocks, .. } => 1 + clocks.interval_count(),
                _ => 1,
            });
            let sets = asked.seen.interval_count() + asked.unwanted.interval_count();
            sets + listed.sum::<usize>()
        });
        bound(size.sum(), MAX_INTERVALS, "parts")
    }

    fn check_digest(&self, digest: &Digest<ReplicaId>) -> Result<(), Refused> {
        bound(digest.iter().len(), self.config.max_peers, "replicas")?;
        let size = digest
            .iter()
            .map(|(_, line)| line.seen.interval_count() + line.unwanted.interval_count());
        bound(size.sum(), MAX_INTERVALS, "intervals")
    }

    fn check_muted(&self, from: &ReplicaId) -> Result<(), Refused> {
        let muted = self
            .peers
            .get(from)
            .is_some_and(|peer| peer.muted_until > self.now);
        if muted { Err(Refused::Muted) } else { Ok(()) }
    }

    /// Keeps account of what came of a message.
    pub(crate) fn note(&mut self, from: &ReplicaId, result: &Result<(), Refused>) {
        let (now, patience) = (self.now, self.config.patience);
        let refused = match result {
            Ok(()) => {
                if let Some(peer) = self.peers.get_mut(from) {
                    peer.refused_in_a_row = 0;
                }
                return;
            }
            Err(refused) => refused,
        };
        self.counters.refused += 1;
        self.report_conflict(from, refused);
        if matches!(refused, Refused::Unasked) {
            self.answered_late(from);
        }
        if let Refused::Stranger(reason) = refused {
            self.tell_stranger(from, reason);
        }
        match self.peers.get_mut(from) {
            Some(peer) => {
                peer.refused.count(refused);
                if !refused.is_innocent() {
                    peer.refused_in_a_row = peer.refused_in_a_row.saturating_add(1);
                }
                if peer.refused_in_a_row >= MUTED_AFTER {
                    peer.refused_in_a_row = 0;
                    peer.muted_until = now + patience;
                }
            }
            None if from != self.state.replica() => {
                let stranger = self.stranger(from);
                stranger.refused.count(refused);
                stranger.last = Some(refused.clone());
            }
            None => {}
        }
    }

    /// The record of a sender that is no peer. The longest silent makes room.
    pub(crate) fn stranger(&mut self, from: &ReplicaId) -> &mut Stranger {
        let now = self.now;
        if !self.strangers.contains_key(from) && self.strangers.len() >= MAX_STRANGERS {
            let silent = self
                .strangers
                .iter()
                .min_by_key(|(_, stranger)| stranger.last_heard)
                .map(|(id, _)| id.clone());
            if let Some(silent) = silent {
                self.strangers.remove(&silent);
            }
        }
        let stranger = self
            .strangers
            .entry(from.clone())
            .or_insert_with(|| Stranger::new(now));
        stranger.last_heard = now;
        stranger
    }

    /// Says aloud that a stranger is refused, now and then.
    fn tell_stranger(&mut self, from: &ReplicaId, reason: &Refusal) {
        let (now, patience) = (self.now, self.config.patience);
        let stranger = self.stranger(from);
        let is_due = stranger.told_at.is_none_or(|told| now >= told + patience);
        if is_due && self.mail.len() < self.config.max_peers {
            self.stranger(from).told_at = Some(now);
            let (to, reason) = (from.clone(), reason.clone());
            self.post(Mail::Refusal { to, reason });
        }
    }

    fn report_conflict(&mut self, from: &ReplicaId, refused: &Refused) {
        let replica = self.state.replica().clone();
        let error = match refused {
            Refused::SameName => MergeError::SameReplica { replica },
            Refused::Merge(error) if !matches!(error, MergeError::NotOwned { .. }) => error.clone(),
            _ => return,
        };
        let (now, patience) = (self.now, self.config.patience);
        let told = match self.peers.get_mut(from) {
            Some(peer) => &mut peer.conflict_told,
            None => &mut self.same_name_told,
        };
        let is_due = |told: Duration| now >= told + patience;
        if told.is_none_or(is_due) {
            *told = Some(now);
            let peer = from.clone();
            self.events.push_back(Event::Conflict { peer, error });
        }
    }
}

fn within(number: u64, least: u64) -> Result<(), Refused> {
    if (least..=MAX_CLOCK).contains(&number) {
        Ok(())
    } else {
        Err(Refused::BadNumber)
    }
}

fn bound(size: usize, most: usize, what: &'static str) -> Result<(), Refused> {
    if size <= most {
        Ok(())
    } else {
        Err(Refused::TooLarge { what })
    }
}
