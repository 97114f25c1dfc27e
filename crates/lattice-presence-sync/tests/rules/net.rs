//! A few machines and a network that does what a test tells it: no randomness of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lattice_presence::{Dot, PresenceDelta, PresenceState, ReplicaId};
use lattice_presence_sync::{
    Body, Cause, Config, Event, Liveness, Message, Piece, Refused, Shard, Sync, To, Transmit, Trust,
};

pub(crate) type Node = Sync<&'static str>;

/// Machines that hear each other at once, unless a link is cut.
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Duration,
    /// Links from one to another that carry nothing.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// Kinds of messages that are lost on every link.
    pub(crate) lost: BTreeSet<&'static str>,
    /// Every message that was sent: by whom, to whom.
    pub(crate) sent: Vec<(usize, To, Message<&'static str>)>,
    /// The events of each node, so far.
    pub(crate) events: Vec<Vec<Seen>>,
    /// What the diffs add up to, and what was refused.
    views: Vec<BTreeMap<Dot<ReplicaId>, String>>,
    pub(crate) refused: Vec<Refused>,
}

/// An event in short.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Joined(String, Cause),
    Left(String, Cause),
    Departed(String),
    Up(ReplicaId),
    Down(ReplicaId),
    Forgotten(ReplicaId),
    Superseded(ReplicaId),
    Conflict(ReplicaId),
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config(trust: Trust) -> Config {
    let mut config = Config::new("test");
    config.trust = trust;
    config
}

/// The incarnation of a base that started in that millisecond.
pub(crate) fn life(base: &str, ms: u8) -> ReplicaId {
    let mut uuid = [0; 16];
    (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80);
    ReplicaId::incarnation(base, uuid)
}

pub(crate) fn say(from: &ReplicaId, body: Body<&'static str>) -> Message<&'static str> {
    Message::new("test", Shard::WHOLE, from.clone(), body)
}

/// A push that is not cut.
pub(crate) const fn push(number: u64, delta: PresenceDelta<&'static str>) -> Body<&'static str> {
    let piece = Piece::WHOLE;
    Body::Push {
        number,
        piece,
        delta,
    }
}

impl Net {
    pub(crate) fn new(names: &[&str], config: &Config) -> Self {
        let mut net = Self {
            nodes: Vec::new(),
            now: secs(100),
            cut: BTreeSet::new(),
            lost: BTreeSet::new(),
            sent: Vec::new(),
            events: Vec::new(),
            views: Vec::new(),
            refused: Vec::new(),
        };
        for name in names {
            net.start(*name, config);
        }
        net
    }

    /// Nodes that have met each other.
    pub(crate) fn settled(names: &[&str], config: &Config) -> Self {
        let mut net = Self::new(names, config);
        net.run(secs(6));
        assert!(net.nodes.iter().all(Sync::is_settled));
        net.sent.clear();
        for events in &mut net.events {
            events.clear();
        }
        net
    }

    pub(crate) fn start(&mut self, id: impl Into<ReplicaId>, config: &Config) -> usize {
        let seed = self.nodes.len() as u64 + 1;
        let state = PresenceState::new(id);
        let mut node = Sync::new(state, config.clone(), seed).unwrap();
        node.advance(self.now);
        self.nodes.push(node);
        self.events.push(Vec::new());
        self.views.push(BTreeMap::new());
        self.nodes.len() - 1
    }

    pub(crate) fn id(&self, node: usize) -> ReplicaId {
        self.nodes[node].state().replica().clone()
    }

    /// Cuts a node off, or connects it again.
    pub(crate) fn isolate(&mut self, node: usize, is_cut: bool) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            for link in [(node, other), (other, node)] {
                if is_cut {
                    self.cut.insert(link);
                } else {
                    self.cut.remove(&link);
                }
            }
        }
    }

    pub(crate) fn join(&mut self, node: usize, key: &str) {
        let pid = format!("pid-{key}");
        self.nodes[node]
            .join(self.now, &pid, "room", key, "")
            .unwrap();
        self.flush();
    }

    pub(crate) fn leave(&mut self, node: usize, key: &str) {
        let pid = format!("pid-{key}");
        self.nodes[node].leave_by_pid(self.now, &pid);
        self.flush();
    }

    /// Sends what there is to send, until there is nothing.
    pub(crate) fn flush(&mut self) {
        loop {
            let mut quiet = true;
            for from in 0..self.nodes.len() {
                self.take_events(from);
                while let Some(transmit) = self.nodes[from].poll_transmit(self.now) {
                    quiet = false;
                    self.carry(from, transmit);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, transmit: Transmit<&'static str>) {
        let Transmit { to, message } = transmit;
        let is_lost = self.lost.contains(message.body.kind());
        for other in 0..self.nodes.len() {
            let is_meant = match &to {
                To::All => other != from,
                To::One(id) => self.id(other) == *id,
            };
            if is_meant && !is_lost && !self.cut.contains(&(from, other)) {
                let id = self.id(from);
                self.receive(other, &id, message.clone());
            }
        }
        self.sent.push((from, to, message));
    }

    pub(crate) fn receive(&mut self, to: usize, from: &ReplicaId, message: Message<&'static str>) {
        if let Err(refused) = self.nodes[to].receive(self.now, from, message) {
            self.refused.push(refused);
        }
        self.take_events(to);
    }

    fn take_events(&mut self, node: usize) {
        while let Some(event) = self.nodes[node].poll_event() {
            let events = &mut self.events[node];
            match event {
                Event::Changed { diff, cause } => {
                    let view = &mut self.views[node];
                    for entry in diff.leaves() {
                        assert!(view.remove(entry.dot()).is_some(), "left twice");
                        events.push(Seen::Left(entry.key().into(), cause.clone()));
                    }
                    for entry in diff.joins() {
                        let before = view.insert(entry.dot().clone(), entry.key().into());
                        assert!(before.is_none(), "joined twice");
                        events.push(Seen::Joined(entry.key().into(), cause.clone()));
                    }
                    for topic in diff.topics() {
                        let departed = topic.departed().iter();
                        events.extend(departed.map(|key| Seen::Departed((*key).into())));
                    }
                }
                Event::PeerUp { peer } => events.push(Seen::Up(peer)),
                Event::PeerDown { peer } => events.push(Seen::Down(peer)),
                Event::PeerForgotten { peer } => events.push(Seen::Forgotten(peer)),
                Event::Superseded { by } => events.push(Seen::Superseded(by)),
                Event::Conflict { peer, .. } => events.push(Seen::Conflict(peer)),
                _ => unreachable!("no such event yet"),
            }
        }
        let shown = self.nodes[node].state().online_list();
        let shown = shown.map(|entry| (entry.dot(), entry.key()));
        let replayed = self.views[node]
            .iter()
            .map(|(dot, key)| (dot, key.as_str()));
        assert!(
            replayed.eq(shown),
            "R10: the events are not what is visible"
        );
    }

    /// Lets time pass, as far as the machines have timers.
    pub(crate) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        self.flush();
        loop {
            let next = self.nodes.iter().filter_map(Sync::next_timeout).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            for node in 0..self.nodes.len() {
                self.nodes[node].advance(self.now);
                self.take_events(node);
            }
            self.flush();
        }
        self.now = end;
        for node in 0..self.nodes.len() {
            self.nodes[node].advance(self.now);
        }
        self.flush();
    }

    pub(crate) fn keys(&self, node: usize) -> Vec<&str> {
        let state = self.nodes[node].state();
        let mut keys: Vec<_> = state.online_list().map(|entry| entry.key()).collect();
        keys.sort_unstable();
        keys
    }

    pub(crate) fn liveness(&self, node: usize, of: &ReplicaId) -> Option<Liveness> {
        self.nodes[node].peer(of).map(|peer| peer.liveness)
    }

    /// How many messages of a kind were sent since the log was cleared.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let kinds = self.sent.iter().map(|(_, _, message)| message.body.kind());
        kinds.filter(|sent| *sent == kind).count()
    }

    pub(crate) fn departed(&self, node: usize, key: &str) -> bool {
        self.events[node].contains(&Seen::Departed(key.into()))
    }
}
