//! What goes out, when the transport has room.

use core::time::Duration;

use lattice_presence::{Body, ClockSet, Message, Piece, Question, ReplicaDigest, ReplicaId};

use crate::admission::LINE_INTERVALS;
use crate::config::Trust;
use crate::event::{Cause, To, Transmit};
use crate::machine::Sync;
use crate::mail::Mail;

impl<M> Sync<M> {
    /// Puts a message into the queue. It takes the place of one like it that waits there: a
    /// transport that carries nothing for long must not make the queue longer (rule R13).
    /// O(what waits).
    pub(crate) fn post(&mut self, mail: Mail) {
        match self.mail.iter_mut().find(|waiting| waiting.is_like(&mail)) {
            Some(waiting) => *waiting = mail,
            None => self.mail.push_back(mail),
        }
    }

    /// The next message to send. Call it when the transport has room, until there is
    /// nothing: what waits meanwhile becomes one message, not many. Every other call may
    /// make that there is something again. O(what the message carries), and O(peers) for a
    /// comparison.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Body, Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let now = Duration::ZERO;
    /// node.join(now, "pid-1", "room", "alice", "online")?;
    /// node.update(now, "pid-1", "room", "alice", "away")?;
    /// let Some(transmit) = node.poll_transmit(now) else { panic!("there are changes") };
    /// assert!(matches!(transmit.message.body, Body::Push { number: 1, .. }));
    /// assert!(node.poll_transmit(now).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit<M>> {
        self.tick(now);
        // In turn, so that neither a flood of own changes nor one of questions silences
        // the other.
        let transmit = if self.all_was_last {
            self.next_to_one().or_else(|| self.next_to_all())
        } else {
            self.next_to_all().or_else(|| self.next_to_one())
        };
        self.all_was_last = transmit.as_ref().is_some_and(|sent| sent.to == To::All);
        self.check();
        transmit
    }

    /// Gives a message back that [`poll_transmit`](Self::poll_transmit) has just returned
    /// and the transport cannot carry: it is cut. Pushes and answers carry at most half as
    /// many entries from then on, for as long as the machine lives. Whether there is
    /// something to cut; a message that has no two entries is dropped.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Body, Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let now = Duration::ZERO;
    /// node.join(now, "pid-1", "room", "alice", "a long text")?;
    /// node.join(now, "pid-2", "room", "bob", "another one")?;
    /// let too_large = node.poll_transmit(now).unwrap();
    /// assert!(node.shrink(now, too_large));
    /// let cut = node.poll_transmit(now).unwrap().message.body;
    /// assert!(matches!(cut, Body::Push { delta, .. } if delta.len() == 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shrink(&mut self, now: Duration, too_large: Transmit<M>) -> bool {
        self.tick(now);
        match too_large.message.body {
            Body::Push { number, delta, .. } if delta.len() > 1 => {
                self.config.max_entries = self.config.max_entries.min(delta.len() / 2);
                self.take_back_push(number)
            }
            Body::Answer { delta, .. } if delta.len() > 1 => {
                self.config.max_entries = self.config.max_entries.min(delta.len() / 2);
                // The asker asks again.
                true
            }
            _ => false,
        }
    }

    fn next_to_all(&mut self) -> Option<Transmit<M>> {
        let has_unsent = self.has_unsent();
        // While very much waits to be pushed, heartbeats go in between.
        let heartbeat_first = self.heartbeat_due && (!has_unsent || self.pushed_last);
        self.pushed_last = false;
        if heartbeat_first {
            self.heartbeat_due = false;
            let body = self.heartbeat(has_unsent);
            return Some(self.to(To::All, body));
        }
        let (number, delta) = self.next_push()?;
        self.pushed_last = true;
        self.counters.pushes += 1;
        let piece = Piece::WHOLE;
        let push = Body::Push {
            number,
            piece,
            delta,
        };
        Some(self.to(To::All, push))
    }

    /// "I live", or, in its place, "I leave".
    fn heartbeat(&mut self, has_unsent: bool) -> Body<M> {
        if !self.is_running() {
            return Body::Goodbye;
        }
        self.counters.heartbeats += 1;
        let pushes = self.pushes.log.last();
        // The line is about what was pushed.
        let line = if has_unsent {
            ReplicaDigest::default()
        } else {
            let line = self.state.line(self.state.replica());
            line.map_or_else(ReplicaDigest::default, short)
        };
        Body::Heartbeat { line, pushes }
    }

    /// Says goodbye at the next occasion, and with every heartbeat from then on.
    pub(crate) fn say_goodbye(&mut self) {
        self.heartbeat_due = true;
        self.mail.clear();
        for peer in self.peers.values_mut() {
            peer.asking = None;
            peer.comparison = None;
        }
    }

    fn next_to_one(&mut self) -> Option<Transmit<M>> {
        loop {
            let sent = match self.mail.pop_front()? {
                Mail::Question { to, id } => self.question_to(to, id),
                Mail::Answer { to } => self.answer_to(to),
                Mail::Comparison { to } => self.comparison_to(to),
                Mail::Refusal { to, reason } => {
                    self.counters.refusals += 1;
                    Some(self.to(To::One(to), Body::Refusal { reason }))
                }
            };
            if sent.is_some() {
                return sent;
            }
        }
    }

    fn question_to(&mut self, to: ReplicaId, id: u64) -> Option<Transmit<M>> {
        let (missed, question) = self.word_question(&to, id)?;
        self.counters.questions += 1;
        let body = Body::Question {
            id,
            missed,
            question,
        };
        Some(self.to(To::One(to), body))
    }

    fn comparison_to(&mut self, to: ReplicaId) -> Option<Transmit<M>> {
        let (fingerprint, digest, reply) = self.word_comparison(&to)?;
        self.counters.comparisons += 1;
        let body = Body::Compare {
            fingerprint,
            digest,
            reply,
        };
        Some(self.to(To::One(to), body))
    }

    /// Answers what `to` asked, in at most `max_entries`.
    fn answer_to(&mut self, to: ReplicaId) -> Option<Transmit<M>> {
        let asking = self.peers.get_mut(&to)?.asking.take()?;
        let most = self.config.max_entries;
        let own = self.state.replica().clone();
        self.counters.answers += 1;
        let body = if asking.missed.is_empty() {
            let question = self.answerable(asking.question);
            self.defend(&to, &question);
            let answer = self.state.answer(&question, most);
            Body::Answer {
                id: asking.id,
                delta: answer.delta,
                differs: answer.differs,
                resent: ClockSet::new(),
                more: answer.more,
            }
        } else {
            let (resent, clocks, more) = self.pushes.log.of(&asking.missed, most as u64);
            Body::Answer {
                id: asking.id,
                delta: self.told_again(&resent, &clocks),
                differs: core::iter::empty::<(ReplicaId, ClockSet)>().collect(),
                resent,
                more,
            }
        };
        debug_assert!(matches!(&body, Body::Answer { delta, .. } if *delta.replica() == own));
        Some(self.to(To::One(to), body))
    }

    /// The part of a question that this node may answer.
    fn answerable(&self, question: Question<ReplicaId>) -> Question<ReplicaId> {
        if self.config.trust == Trust::Relays {
            return question;
        }
        let own = self.state.replica();
        let mut answerable = Question::new();
        if let Some(asked) = question.get(own) {
            answerable.insert(own.clone(), asked.clone());
        }
        answerable
    }

    /// If the asker has heard of the death of entries that live, they are issued anew
    /// (rule S5). Under [`Trust::Owners`] only a lie gets it there, and it is not heeded.
    fn defend(&mut self, to: &ReplicaId, question: &Question<ReplicaId>) {
        if self.config.trust == Trust::Relays && self.is_running() {
            let diff = self.state.defend(question, self.config.max_entries);
            self.changed(diff, Cause::Merged(to.clone()));
        }
    }

    fn to(&self, to: To, body: Body<M>) -> Transmit<M> {
        let (cluster, shard) = (self.config.cluster.clone(), self.config.shard);
        let from = self.state.replica().clone();
        Transmit {
            to,
            message: Message::new(cluster, shard, from, body),
        }
    }
}

/// The end of a line that has very many gaps: a heartbeat is of constant size.
fn short(mut line: ReplicaDigest) -> ReplicaDigest {
    let beyond = line.seen.interval_count().saturating_sub(LINE_INTERVALS);
    if beyond > 0 {
        let last = line.seen.intervals().skip(beyond);
        line.seen = last.fold(ClockSet::new(), |mut seen, range| {
            seen.insert_range(range);
            seen
        });
    }
    line.unwanted = ClockSet::new();
    line
}

#[cfg(test)]
mod tests {
    use lattice_presence::PresenceState;

    use super::*;
    use crate::{Config, Shard};

    /// Questions that were given up unsent stayed in line, and new ones came on top.
    #[test]
    fn r13_what_waits_does_not_grow_while_the_transport_carries_nothing() {
        let mut node = Sync::<()>::new(PresenceState::new("a"), Config::new("c"), 1).unwrap();
        for second in 1..=600 {
            let now = Duration::from_secs(second);
            for peer in ["b", "c"] {
                let line = ReplicaDigest::new((1..=100).into(), 1);
                let body = Body::Heartbeat { line, pushes: 9 };
                let heartbeat = Message::new("c", Shard::WHOLE, peer, body);
                node.receive(now, &peer.into(), heartbeat).unwrap();
            }
            node.advance(now);
        }
        assert!(node.counters.unanswered > 20, "it asked, and gave up");
        assert!(node.mail.len() <= 2, "{} messages wait", node.mail.len());
    }
}
