//! A cluster in virtual time: hosts, users, the network, and one queue of what happens.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::time::Duration;

use lattice_presence::{Body, ClockSet, Dot, ReplicaId};
use lattice_presence_sync::{Config, Hint, Liveness, Message, Refused, To, Transmit};

use super::host::{Host, Meta};
use super::network::Network;
use super::rng::Rng;
use super::sizes;

/// What happens at a moment.
enum Happening {
    /// A message arrives at the host in that place.
    Arrives {
        at: usize,
        from: ReplicaId,
        message: Rc<Message<Meta>>,
    },
    /// A host's machine has something to do, or its transport has room again.
    Wakes { at: usize },
    /// The scenario goes on.
    Acts { number: u64 },
}

/// Bytes and messages, by kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: BTreeMap<&'static str, u64>,
    pub(crate) bytes: BTreeMap<&'static str, u64>,
}

impl Traffic {
    fn count(&mut self, kind: &'static str, bytes: usize) {
        *self.messages.entry(kind).or_default() += 1;
        *self.bytes.entry(kind).or_default() += bytes as u64;
    }

    pub(crate) fn messages_of(&self, kind: &str) -> u64 {
        self.messages.get(kind).copied().unwrap_or_default()
    }

    pub(crate) fn bytes_of(&self, kinds: &[&str]) -> u64 {
        let bytes = kinds.iter().filter_map(|kind| self.bytes.get(kind));
        bytes.sum()
    }

    pub(crate) fn total(&self) -> u64 {
        self.bytes.values().sum()
    }
}

/// A push that did not arrive at a host that was up.
struct Lost {
    owner: ReplicaId,
    at: Duration,
    clocks: ClockSet,
}

/// What a run counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Calls of machines.
    pub(crate) steps: u64,
    /// Local changes.
    pub(crate) changes: u64,
    /// Bytes as sent: once for each receiver.
    pub(crate) sent: Traffic,
    /// Bytes of pushes that were lost on the way.
    pub(crate) lost_bytes: u64,
    /// How long what was lost stayed missing.
    pub(crate) mended: Vec<Duration>,
    /// What was refused, by kind.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Faults, by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Bytes that an idle node sends in a second.
    pub(crate) idle: Option<f64>,
    /// Messages that no payload had room for, and that were cut.
    pub(crate) cut: u64,
}

impl Tally {
    /// That share of the repairs took at most so long.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        let mut mended = self.mended.clone();
        mended.sort_unstable();
        let last = mended.len().checked_sub(1)?;
        Some(mended[(last as f64 * share).round() as usize])
    }

    pub(crate) fn median(&self) -> Option<Duration> {
        self.percentile(0.5)
    }
}

/// A cluster.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) now: Duration,
    pub(crate) network: Network,
    /// By place. Each base name has two places, `n` and `n + names`: for lives that
    /// overlap.
    pub(crate) hosts: Vec<Option<Host>>,
    /// How many base names there are.
    pub(crate) names: usize,
    pub(crate) tally: Tally,
    /// When each incarnation stopped.
    pub(crate) ended: BTreeMap<ReplicaId, Duration>,
    lost: Vec<Vec<Lost>>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next_number: u64,
    lives: u64,
    /// Whether the transport tells when a process is gone.
    pub(crate) hints: bool,
    /// How long a payload of the transport may be.
    pub(crate) max_bytes: usize,
}

impl World {
    pub(crate) fn new(names: usize, config: Config, network: Network, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            now: Duration::from_secs(1),
            network,
            hosts: (0..2 * names).map(|_| None).collect(),
            names,
            tally: Tally::default(),
            ended: BTreeMap::new(),
            lost: (0..2 * names).map(|_| Vec::new()).collect(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next_number: 0,
            lives: 0,
            hints: false,
            max_bytes: usize::MAX,
        }
    }

    /// Makes room for another base name behind the others. The second places of the others
    /// become its first.
    pub(crate) fn grow(&mut self) {
        self.hosts.resize_with(2 * self.names, || None);
        self.lost.resize_with(2 * self.names, Vec::new);
    }

    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.tally.faults.entry(kind).or_default() += 1;
    }

    fn schedule(&mut self, at: Duration, happening: Happening) {
        let number = self.next_number;
        self.next_number += 1;
        self.queue.push(Reverse((at, number)));
        self.happenings.insert(number, happening);
    }

    /// The scenario is to be called with `number` at `at`.
    pub(crate) fn act_at(&mut self, at: Duration, number: u64) {
        self.schedule(at, Happening::Acts { number });
    }

    /// The next incarnation of a place: version 7, so that lives are ordered.
    fn next_life(&mut self, place: usize) -> ReplicaId {
        self.lives += 1;
        let mut uuid = [0; 16];
        uuid[..6].copy_from_slice(&self.lives.to_be_bytes()[2..]);
        (uuid[6], uuid[8]) = (0x70, 0x80);
        ReplicaId::incarnation(&format!("n{}", place % self.names), uuid)
    }

    /// Starts a process in a free place.
    pub(crate) fn start(&mut self, place: usize) {
        assert!(self.hosts[place].is_none(), "somebody runs there");
        let id = self.next_life(place);
        let seed = self.rng.next();
        let mut host = Host::start(id, &self.config, seed, self.now);
        host.sync.advance(host.time(self.now));
        host.take_events(self.now);
        self.hosts[place] = Some(host);
        self.lost[place].clear();
        self.after_call(place);
    }

    /// A process ends without a word.
    pub(crate) fn kill(&mut self, place: usize) {
        if let Some(host) = self.hosts[place].take() {
            self.note_end(&host.id);
        }
        self.lost[place].clear();
    }

    fn note_end(&mut self, id: &ReplicaId) {
        self.ended.insert(id.clone(), self.now);
        if self.hints {
            for place in 0..self.hosts.len() {
                self.hint(place, &id.clone(), Hint::Lost);
            }
        }
    }

    pub(crate) fn hint(&mut self, place: usize, peer: &ReplicaId, hint: Hint) {
        let now = self.now;
        self.call(place, |host| {
            let time = host.time(now);
            host.sync.hint(time, peer, hint);
        });
    }

    /// Calls the machine in a place, if it runs, and does what its caller would.
    pub(crate) fn call<T>(&mut self, place: usize, call: impl FnOnce(&mut Host) -> T) -> Option<T> {
        let now = self.now;
        let host = self.hosts[place].as_mut()?;
        if host.frozen_until > now {
            return None;
        }
        let result = call(host);
        host.take_events(now);
        self.tally.steps += 1;
        self.after_call(place);
        Some(result)
    }

    /// Sends what a host has to say, and sees to it that it is woken.
    fn after_call(&mut self, place: usize) {
        let now = self.now;
        let Some(host) = self.hosts[place].as_mut() else {
            return;
        };
        let mut transmits = Vec::new();
        if host.busy_until <= now {
            let time = host.time(now);
            while let Some(transmit) = host.sync.poll_transmit(time) {
                host.take_events(now);
                transmits.push(transmit);
            }
        }
        let wake = host.sync.next_timeout().map(|at| host.world_time(at, now));
        let wake = match host.busy_until > now {
            true => wake.map_or(host.busy_until, |wake| wake.min(host.busy_until)),
            false => wake.expect("a running machine has timers"),
        };
        let wake = wake.max(now + Duration::from_micros(1));
        if host.wake_at.is_none_or(|at| at > wake || at <= now) {
            host.wake_at = Some(wake);
            let from = host.id.clone();
            self.schedule(wake, Happening::Wakes { at: place });
            return self.send_all(place, &from, transmits);
        }
        let from = host.id.clone();
        self.send_all(place, &from, transmits);
    }

    fn send_all(&mut self, place: usize, from: &ReplicaId, transmits: Vec<Transmit<Meta>>) {
        for transmit in transmits {
            self.send(place, from, transmit);
        }
    }

    fn send(&mut self, place: usize, from: &ReplicaId, transmit: Transmit<Meta>) {
        let parts = sizes::cut(transmit.message, self.max_bytes);
        self.tally.cut += u64::from(parts.len() > 1);
        for (message, bytes) in parts {
            self.send_part(place, from, &transmit.to, (message, bytes));
        }
    }

    fn send_part(
        &mut self,
        place: usize,
        from: &ReplicaId,
        to: &To,
        (message, bytes): (Message<Meta>, usize),
    ) {
        let kind = message.body.kind();
        let message = Rc::new(message);
        match to {
            To::All => {
                for to in 0..self.hosts.len() {
                    if to != place && self.hosts[to].is_some() {
                        self.tally.sent.count(kind, bytes);
                        self.carry(place, to, from, &message, bytes);
                    }
                }
            }
            To::One(id) => {
                self.tally.sent.count(kind, bytes);
                let is_it = |host: &Option<Host>| host.as_ref().is_some_and(|host| host.id == *id);
                if let Some(to) = self.hosts.iter().position(is_it) {
                    self.carry(place, to, from, &message, bytes);
                }
            }
        }
    }

    fn carry(
        &mut self,
        place: usize,
        to: usize,
        from: &ReplicaId,
        message: &Rc<Message<Meta>>,
        bytes: usize,
    ) {
        let arrivals = self.network.carry(place, to, self.now, &mut self.rng);
        if arrivals.is_empty() && !self.network.is_cut(place, to) {
            self.note_loss(to, from, message, bytes);
        }
        for at in arrivals {
            self.deliver(at, to, from, message);
        }
    }

    /// A message arrives at a place.
    pub(crate) fn deliver(
        &mut self,
        at: Duration,
        to: usize,
        from: &ReplicaId,
        message: &Rc<Message<Meta>>,
    ) {
        let arrives = Happening::Arrives {
            at: to,
            from: from.clone(),
            message: Rc::clone(message),
        };
        self.schedule(at, arrives);
    }

    /// Notes what a host lost, to see how long it stays missing.
    fn note_loss(&mut self, to: usize, from: &ReplicaId, message: &Message<Meta>, bytes: usize) {
        let Body::Push { delta, .. } = &message.body else {
            return;
        };
        self.tally.lost_bytes += bytes as u64;
        let is_up = self.hosts[to]
            .as_ref()
            .and_then(|host| host.sync.peer(from));
        if let Some(clocks) = delta.context().get(from)
            && is_up.is_some_and(|peer| peer.liveness == Liveness::Up)
        {
            self.lost[to].push(Lost {
                owner: from.clone(),
                at: self.now,
                clocks: clocks.clone(),
            });
        }
    }

    /// Notes what is no longer missing after a word of `from`.
    fn note_mended(&mut self, place: usize, from: &ReplicaId) {
        if !self.lost[place].iter().any(|lost| lost.owner == *from) {
            return;
        }
        let owner = self.hosts.iter().flatten().find(|host| host.id == *from);
        let (Some(host), Some(owner)) = (self.hosts[place].as_ref(), owner) else {
            return;
        };
        let now = self.now;
        let mended = &mut self.tally.mended;
        self.lost[place].retain(|lost| {
            if lost.owner != *from {
                return true;
            }
            let seen = host.sync.state().context().get(from);
            let is_seen = seen.is_some_and(|seen| lost.clocks.is_subset(seen));
            let lives = |host: &Host, clock| host.seen.contains_key(&Dot::new(from.clone(), clock));
            let is_ghost = |clock| lives(host, clock) && !lives(owner, clock);
            let is_mended = is_seen && !lost.clocks.clocks().any(is_ghost);
            if is_mended {
                mended.push(now - lost.at);
            }
            !is_mended
        });
    }

    /// Runs until `end`, or until the scenario is to act: its number comes back.
    pub(crate) fn run(&mut self, end: Duration) -> Option<u64> {
        while let Some(Reverse((at, number))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            let happening = self.happenings.remove(&number).expect("it was scheduled");
            match happening {
                Happening::Acts { number } => return Some(number),
                Happening::Arrives { at, from, message } => self.arrive(at, &from, &message),
                Happening::Wakes { at } => self.wake(at),
            }
        }
        self.now = self.now.max(end);
        None
    }

    fn arrive(&mut self, place: usize, from: &ReplicaId, message: &Rc<Message<Meta>>) {
        let now = self.now;
        if let Some(host) = &self.hosts[place]
            && host.frozen_until > now
        {
            // Buffers of the kernel keep it.
            let until = host.frozen_until;
            self.deliver(until, place, from, message);
            return;
        }
        let message = Message::clone(message);
        let result = self.call(place, |host| {
            let time = host.time(now);
            host.sync.receive(time, from, message)
        });
        if let Some(Err(refused)) = result {
            self.note_refused(&refused);
        }
        self.note_mended(place, from);
    }

    fn note_refused(&mut self, refused: &Refused) {
        *self.tally.refused.entry(refused.kind()).or_default() += 1;
    }

    fn wake(&mut self, place: usize) {
        let now = self.now;
        let Some(host) = self.hosts[place].as_mut() else {
            return;
        };
        if host.frozen_until > now {
            let until = host.frozen_until;
            host.wake_at = Some(until);
            self.schedule(until, Happening::Wakes { at: place });
            return;
        }
        if host.wake_at.is_some_and(|at| at <= now) {
            host.wake_at = None;
        }
        self.call(place, |host| {
            let time = host.time(now);
            host.sync.advance(time);
        });
    }

    /// Places in which a process runs.
    pub(crate) fn running(&self) -> Vec<usize> {
        let places = 0..self.hosts.len();
        places
            .filter(|place| self.hosts[*place].is_some())
            .collect()
    }
}
