//! Three machines driven by bytes: calls, time, a network that loses, doubles and
//! reorders, restarts, nonsense. After every call the events are the whole truth; at the
//! end, once the network is whole, all come to one view.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_presence::{
    Asked, CausalContext, ClockSet, Dot, Presence, PresenceDelta, PresenceState, Question,
    ReplicaDigest, ReplicaId,
};
use lattice_presence_sync::{
    Body, Config, Event, Hint, Liveness, Message, PeerStatus, Piece, Refusal, Shard, Sync, To,
    Transmit, Trust,
};

const NODES: usize = 3;

/// Messages that may be on their way at once; the oldest is lost.
const IN_FLIGHT: usize = 32;

/// Panics where a machine breaks a promise.
pub fn check(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let Some(mut world) = World::new(&mut bytes) else {
        return;
    };
    while let Some(code) = bytes.next() {
        world.step(code, &mut bytes);
    }
    world.converge();
}

struct Node {
    sync: Sync<u8>,
    view: BTreeMap<Dot<ReplicaId>, u8>,
    superseded: usize,
    is_leaving: bool,
}

struct World {
    config: Config,
    nodes: Vec<Node>,
    now: Duration,
    in_flight: Vec<(usize, Transmit<u8>)>,
    lives: u8,
    /// Whether somebody lied where liars are believed.
    is_poisoned: bool,
}

type Bytes<'a> = std::iter::Copied<std::slice::Iter<'a, u8>>;

/// The incarnation of a base that started in that millisecond.
fn life(node: usize, number: u8) -> ReplicaId {
    let mut uuid = [0; 16];
    (uuid[5], uuid[6], uuid[8]) = (number, 0x70, 0x80);
    ReplicaId::incarnation(["a", "b", "c"][node], uuid)
}

impl World {
    fn new(bytes: &mut Bytes<'_>) -> Option<Self> {
        let first = bytes.next()?;
        let mut config = Config::new("fuzz");
        if first & 1 != 0 {
            config.trust = Trust::Relays;
        }
        if first & 2 != 0 {
            config.handover = Duration::ZERO;
        }
        if first & 4 != 0 {
            config.max_entries = 2;
        }
        if first & 8 != 0 {
            config.forget_after = Duration::from_secs(15);
        }
        config.max_peers = 16;
        let mut world = Self {
            config,
            nodes: Vec::new(),
            now: Duration::from_secs(1),
            in_flight: Vec::new(),
            lives: 1,
            is_poisoned: false,
        };
        for node in 0..NODES {
            let node = world.start(node);
            world.nodes.push(node);
        }
        Some(world)
    }

    fn start(&mut self, node: usize) -> Node {
        let state = PresenceState::new(life(node, self.lives));
        let sync = Sync::new(state, self.config.clone(), u64::from(self.lives));
        Node {
            sync: sync.expect("a configuration that works"),
            view: BTreeMap::new(),
            superseded: 0,
            is_leaving: false,
        }
    }

    fn step(&mut self, code: u8, bytes: &mut Bytes<'_>) {
        let (at, what) = (usize::from(code >> 6) % NODES, code & 15);
        let detail = bytes.next().unwrap_or_default();
        let now = self.now;
        let (pid, key) = (format!("p{}", detail & 7), format!("k{}", detail >> 4 & 3));
        let sync = &mut self.nodes[at].sync;
        match what {
            0 | 1 => drop(sync.join(now, &pid, "t", &key, detail)),
            2 => drop(sync.update(now, &pid, "t", &key, detail)),
            3 => drop(sync.leave_by_pid(now, &pid)),
            4 => {
                self.now += Duration::from_millis(u64::from(detail) * u64::from(detail));
                self.nodes[at].sync.advance(self.now);
            }
            5 => self.send(at),
            6 | 7 => self.arrive(detail, usize::MAX, what == 7),
            8 => self.arrive(detail, at, true),
            9 => drop(self.take(detail)),
            10 => {
                let peer = self.nodes[usize::from(detail) % NODES]
                    .sync
                    .state()
                    .replica()
                    .clone();
                let hint = if detail & 128 == 0 {
                    Hint::Lost
                } else {
                    Hint::Up
                };
                self.nodes[at].sync.hint(now, &peer, hint);
            }
            11 => self.upheaval(at, detail),
            12 | 13 => self.nonsense(at, detail, bytes),
            14 => self.flow(),
            _ => {
                let back = self
                    .now
                    .saturating_sub(Duration::from_secs(u64::from(detail)));
                self.nodes[at].sync.advance(back);
            }
        }
        self.check(at);
    }

    /// Ends, restarts and renames.
    fn upheaval(&mut self, at: usize, detail: u8) {
        if self.lives > 250 {
            return;
        }
        self.lives += 1;
        let now = self.now;
        match detail % 4 {
            0 => {
                self.nodes[at].sync.leave_cluster(now);
                self.nodes[at].is_leaving = true;
            }
            1 => {
                let id = life(at, self.lives);
                if self.nodes[at].sync.reincarnate(now, id).is_ok() {
                    self.nodes[at].is_leaving = false;
                    self.nodes[at].superseded = 0;
                }
            }
            _ => self.nodes[at] = self.start(at),
        }
    }

    fn send(&mut self, at: usize) {
        if let Some(transmit) = self.nodes[at].sync.poll_transmit(self.now) {
            let body = &transmit.message.body;
            if let Body::Push { delta, .. } | Body::Answer { delta, .. } = body {
                assert!(
                    delta.len() <= self.config.max_entries,
                    "a message beyond its bound"
                );
            }
            if self.in_flight.len() == IN_FLIGHT {
                self.in_flight.remove(0);
            }
            self.in_flight.push((at, transmit));
        }
    }

    fn take(&mut self, detail: u8) -> Option<(usize, Transmit<u8>)> {
        let count = self.in_flight.len();
        (count > 0).then(|| self.in_flight.remove(usize::from(detail) % count))
    }

    /// A message arrives: at all whom it is for, or at one of them; again later, or not.
    fn arrive(&mut self, detail: u8, only: usize, again: bool) {
        let Some((from, transmit)) = self.take(detail) else {
            return;
        };
        for to in 0..NODES {
            if to != from && (only == usize::MAX || to == only) {
                self.deliver(to, &transmit);
            }
        }
        if again {
            self.in_flight.push((from, transmit));
        }
    }

    fn deliver(&mut self, to: usize, transmit: &Transmit<u8>) {
        let id = self.nodes[to].sync.state().replica();
        if transmit.to == To::All || transmit.to == To::One(id.clone()) {
            let message = transmit.message.clone();
            let from = message.from.clone();
            // Whatever comes of it is counted there.
            let _ = self.nodes[to].sync.receive(self.now, &from, message);
            self.check(to);
        }
    }

    /// Everything that is to be said arrives, at once and in order.
    fn flow(&mut self) {
        for _ in 0..64 {
            let mut is_quiet = true;
            for at in 0..NODES {
                while let Some(transmit) = self.nodes[at].sync.poll_transmit(self.now) {
                    is_quiet = false;
                    self.check(at);
                    for to in (0..NODES).filter(|to| *to != at) {
                        self.deliver(to, &transmit);
                    }
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// A peer says what it likes, under its own name or another one.
    fn nonsense(&mut self, at: usize, detail: u8, bytes: &mut Bytes<'_>) {
        let mut next = || bytes.next().unwrap_or_default();
        let ids: Vec<_> = (0..NODES)
            .map(|n| self.nodes[n].sync.state().replica().clone())
            .collect();
        let mallory = ReplicaId::new("mallory");
        let about = match detail >> 6 {
            3 => mallory.clone(),
            n => ids[usize::from(n)].clone(),
        };
        let number = u64::from(next()).pow(u32::from(next() % 9));
        let body = match detail % 8 {
            0 => Body::Heartbeat {
                line: ReplicaDigest::new((1..=u64::from(next())).into(), number),
                pushes: number,
            },
            1 => Body::Push {
                number,
                piece: Piece {
                    index: u16::from(detail >> 4 & 1),
                    count: u16::from(detail >> 3 & 1) + 1,
                },
                delta: words(&mallory, &about, next(), next()),
            },
            2 => Body::Question {
                id: number,
                missed: (1..=number.min(1 << 50)).into(),
                question: Question::new(),
            },
            3 => {
                let mut question = Question::new();
                let mut asked = Asked::default();
                asked.seen = (1..=u64::from(next())).into();
                question.insert(about, asked);
                let missed = ClockSet::new();
                Body::Question {
                    id: number,
                    missed,
                    question,
                }
            }
            4 => Body::Answer {
                id: number % 8,
                delta: words(&mallory, &about, next(), next()),
                differs: CausalContext::from_iter([(about, (1..=9).into())]),
                resent: (1..=9).into(),
                more: number % 2 == 0,
            },
            5 => Body::Compare {
                fingerprint: number,
                digest: [(about, ReplicaDigest::new((1..=9).into(), 1))]
                    .into_iter()
                    .collect(),
                reply: number % 2 == 0,
            },
            6 => Body::Goodbye,
            _ => Body::Refusal {
                reason: Refusal::Cluster,
            },
        };
        // Under `Relays` a liar is believed: then only promises about itself are left.
        self.is_poisoned |= self.config.trust == Trust::Relays;
        let mut message = Message::new("fuzz", Shard::WHOLE, mallory.clone(), body);
        if number == 7 {
            message.version = 7;
        }
        let _ = self.nodes[at].sync.receive(self.now, &mallory, message);
    }

    /// What holds after every call.
    fn check(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        while let Some(event) = node.sync.poll_event() {
            match event {
                Event::Changed { diff, .. } => {
                    for entry in diff.leaves() {
                        assert!(node.view.remove(entry.dot()).is_some(), "left twice");
                    }
                    for entry in diff.joins() {
                        let before = node.view.insert(entry.dot().clone(), *entry.meta());
                        assert!(before.is_none(), "joined twice");
                    }
                }
                Event::Superseded { .. } => node.superseded += 1,
                _ => {}
            }
        }
        assert!(node.superseded <= 1, "superseded twice");
        let shown = node.sync.state().online_list().map(Presence::dot);
        assert!(
            node.view.keys().eq(shown),
            "the events are not what is visible"
        );
        assert!(node.sync.peers().count() <= self.config.max_peers + 1);
        assert!(node.sync.strangers().count() <= 64);
    }

    /// The network is whole, nobody writes, time passes: one view, and everybody knows.
    fn converge(&mut self) {
        self.in_flight.clear();
        // Patience with nonsense, isolation and silence all come to an end.
        let end = self.now + Duration::from_secs(150);
        for round in 1.. {
            let next = self
                .nodes
                .iter()
                .filter_map(|node| node.sync.next_timeout())
                .min();
            self.now = self.now.max(next.unwrap_or(end)) + Duration::from_millis(20);
            for at in 0..NODES {
                self.nodes[at].sync.advance(self.now);
                self.check(at);
            }
            self.flow();
            if round % 8 != 0 {
                continue;
            }
            let truth = self.truth();
            let mut running = self.running();
            let Some(wrong) = running.find(|node| !node.agrees(&truth)) else {
                return;
            };
            if self.is_poisoned {
                return;
            }
            // What it costs to write all of it down is paid on failure alone.
            let (sync, view) = (&wrong.sync, &wrong.view);
            assert!(
                self.now < end,
                "{sync:#?}\nshows {view:?}, not {truth:?}, or is not settled"
            );
        }
    }

    /// The nodes that are to agree in the end.
    fn running(&self) -> impl Iterator<Item = &Node> {
        let runs = |node: &&Node| node.superseded == 0 && !node.is_leaving;
        self.nodes.iter().filter(runs)
    }

    /// What all of them are to show.
    fn truth(&self) -> View<'_> {
        let own = |node: &Node, dot: &Dot<ReplicaId>| dot.replica == *node.sync.state().replica();
        let of = self.running().map(|node| {
            let held = node.view.iter().filter(move |(dot, _)| own(node, dot));
            held.map(|(dot, meta)| (dot, *meta))
        });
        of.flatten().collect()
    }
}

type View<'v> = BTreeMap<&'v Dot<ReplicaId>, u8>;

impl Node {
    /// Whether it shows the truth, and knows that it does.
    fn agrees(&self, truth: &View<'_>) -> bool {
        let is_ours = |id: &ReplicaId| id.as_str() != "mallory";
        let shown = self.view.iter().filter(|(dot, _)| is_ours(&dot.replica));
        let lacks = |peer: PeerStatus<'_>| {
            let is_up = peer.liveness == Liveness::Up;
            is_up && peer.agrees_since.is_none() && is_ours(peer.id)
        };
        shown.eq(truth.iter().map(|(dot, meta)| (*dot, meta))) && !self.sync.peers().any(lacks)
    }
}

/// Words of `from` about `about`: seen so many, a few of them alive.
fn words(from: &ReplicaId, about: &ReplicaId, seen: u8, live: u8) -> PresenceDelta<u8> {
    let mut context = CausalContext::new();
    let seen = u64::from(seen) & 63;
    if seen > 0 {
        context.insert_range(about.clone(), 1..=seen);
    }
    let alive = (1..=seen).filter(|clock| live >> (clock % 8) & 1 != 0);
    let entries = alive.map(|clock| {
        let dot = Dot::new(about.clone(), clock);
        Presence::new(dot, "t", "k0", "p0", 0)
    });
    let entries = entries.collect();
    PresenceDelta::from_parts(from.clone(), context, entries).expect("well-formed words")
}
