//! A cluster under weather, crashes and impatient peers, that ends quiescent.

use super::host::{Process, Seen, Slot, seen};
use super::network::{Envelope, Message, Network, Weather};
use super::rng::Rng;
use lattice_presence::{Dot, ReplicaId};
use std::collections::{BTreeMap, BTreeSet};

/// How long and how wild a run is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub hosts: usize,
    pub steps: usize,
}

pub struct Cluster {
    rng: Rng,
    now: usize,
    network: Network,
    /// The process of each machine; none while it has crashed.
    hosts: Vec<Option<Process>>,
    /// Former processes of a machine whose successor runs already.
    zombies: Vec<(usize, Process)>,
    /// Whether time orders the incarnations of this run.
    ordered: bool,
    incarnations: u64,
    metas: u64,
    ever: BTreeSet<ReplicaId>,
    /// What trouble there was, and how often.
    pub tally: Tally,
}

pub type Tally = BTreeMap<&'static str, usize>;

impl Cluster {
    pub fn new(seed: u64, plan: Plan) -> Self {
        let mut rng = Rng::new(seed);
        let weather = Weather {
            loss: rng.below(40),
            duplication: rng.below(30),
            max_delay: 1 + rng.below(20),
        };
        let mut cluster = Self {
            network: Network::new(plan.hosts, weather),
            ordered: rng.chance(75),
            rng,
            now: 0,
            hosts: Vec::new(),
            zombies: Vec::new(),
            incarnations: 0,
            metas: 0,
            ever: BTreeSet::new(),
            tally: Tally::new(),
        };
        for host in 0..plan.hosts {
            let process = cluster.start(host);
            cluster.hosts.push(Some(process));
        }
        cluster
    }

    fn note(&mut self, trouble: &'static str, count: usize) {
        *self.tally.entry(trouble).or_default() += count;
    }

    fn start(&mut self, host: usize) -> Process {
        self.incarnations += 1;
        let mut uuid = [0; 16];
        uuid[8..].copy_from_slice(&self.rng.next().to_be_bytes());
        // The time of a version 7 token; a version 4 one says nothing with it.
        uuid[..6].copy_from_slice(&self.incarnations.to_be_bytes()[2..]);
        uuid[6] = if self.ordered { 0x70 } else { 0x40 };
        uuid[8] = 0x80 | (uuid[8] & 0x3F);
        let id = ReplicaId::incarnation(&format!("host-{host}"), uuid);
        self.ever.insert(id.clone());
        Process::start(id)
    }

    // ---- the turbulent part ---------------------------------------------------------

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += 1;
            self.act();
            while let Some(envelope) = self.network.receive(self.now) {
                self.deliver(&envelope);
            }
        }
        for process in self.hosts.iter().flatten() {
            process.check_view();
        }
    }

    fn act(&mut self) {
        let host = self.rng.below(self.hosts.len());
        match self.rng.below(100) {
            0..33 => self.change_sessions(host),
            33..48 => self.broadcast_delta(host),
            48..62 => self.gossip(host),
            62..69 => self.lose_patience(host),
            69..74 => self.regain_trust(host),
            74..77 => self.network.partition(&mut self.rng),
            77..81 => self.network.heal(),
            81..84 => self.crash(host),
            84..89 => self.come_back(host),
            89..91 => self.replace(host),
            91..95 => self.run_zombie(),
            _ => self.prune_as_gleam_does(host),
        }
    }

    fn slot(&mut self) -> Slot {
        let rng = &mut self.rng;
        let topic = format!("room:{}", rng.below(3));
        (
            topic,
            format!("user{}", rng.below(3)),
            format!("pid-{}", rng.below(4)),
        )
    }

    fn change_sessions(&mut self, host: usize) {
        let slot = self.slot();
        self.metas += 1;
        let (meta, choice) = (self.metas, self.rng.below(10));
        let Some(process) = &mut self.hosts[host] else {
            return;
        };
        match choice {
            0..6 => process.join(slot, meta),
            6..9 => process.leave(&slot),
            _ => process.leave_by_pid(&slot.2),
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let Some(process) = &self.hosts[from] else {
            return;
        };
        let sender = process.id().clone();
        let envelope = Envelope {
            from,
            sender,
            to,
            message,
        };
        self.network.send(self.now, &mut self.rng, &envelope);
    }

    fn broadcast_delta(&mut self, host: usize) {
        let Some(delta) = self.hosts[host]
            .as_mut()
            .and_then(|process| process.state.take_delta())
        else {
            return;
        };
        for to in 0..self.hosts.len() {
            if to != host {
                self.send(host, to, Message::Gossip(delta.clone()));
            }
        }
    }

    fn gossip(&mut self, host: usize) {
        let to = self.rng.below(self.hosts.len());
        let Some(process) = self.hosts[host].as_ref().filter(|_| to != host) else {
            return;
        };
        let message = match self.rng.below(4) {
            0 => Message::Gossip(process.state.snapshot()),
            1 => Message::Owned(process.state.owned_snapshot()),
            _ => Message::Ask(process.state.digest()),
        };
        self.send(host, to, message);
    }

    fn deliver(&mut self, envelope: &Envelope) {
        let Some(process) = &mut self.hosts[envelope.to] else {
            return;
        };
        let issued = process.state.context().max(process.id());
        match &envelope.message {
            Message::Gossip(delta) => {
                process.merge(delta);
                let again = process.state.context().max(process.id()) - issued;
                self.note("re-issued", again as usize);
            }
            Message::Owned(delta) => process.merge_owned(&envelope.sender, delta),
            Message::Ask(digest) => {
                let answer = process.state.delta_since(digest);
                self.send(envelope.to, envelope.from, Message::Gossip(answer));
            }
        }
    }

    /// A peer that is not heard from is marked down, and sometimes pruned though it lives.
    fn lose_patience(&mut self, host: usize) {
        let peer = self.rng.below(self.hosts.len());
        let prune = self.rng.chance(60);
        let Some(id) = self.known_at(peer) else {
            return;
        };
        let Some(process) = self.hosts[host].as_mut().filter(|_| peer != host) else {
            return;
        };
        if prune {
            process.prune(&id);
        } else {
            process.down(&id);
        }
        self.note(if prune { "pruned" } else { "marked down" }, 1);
    }

    fn regain_trust(&mut self, host: usize) {
        let Some(process) = &mut self.hosts[host] else {
            return;
        };
        let down: Vec<_> = self
            .ever
            .iter()
            .filter(|id| process.state.is_down(id))
            .collect();
        if let Some(id) = down.get(self.rng.below(down.len().max(1))) {
            process.up(id);
            self.note("trusted again", 1);
        }
    }

    /// One of the incarnations that a machine has had.
    fn known_at(&mut self, host: usize) -> Option<ReplicaId> {
        let base = format!("host-{host}");
        let ids: Vec<_> = self
            .ever
            .iter()
            .filter(|id| id.base() == base)
            .cloned()
            .collect();
        ids.get(self.rng.below(ids.len().max(1))).cloned()
    }

    fn crash(&mut self, host: usize) {
        let running = self.hosts[host].take().is_some();
        self.note("crashed", usize::from(running));
    }

    /// A crashed machine mostly; a running one now and then, between two messages.
    fn come_back(&mut self, host: usize) {
        if self.hosts[host].is_none() || self.rng.chance(15) {
            self.restart(host);
        }
    }

    fn restart(&mut self, host: usize) {
        self.note("restarted", 1);
        let process = self.start(host);
        self.hosts[host] = Some(process);
    }

    /// A successor starts while the old process still runs, cut off from whoever started it.
    fn replace(&mut self, host: usize) {
        let successor = self.start(host);
        if let Some(former) = self.hosts[host].replace(successor) {
            self.zombies.push((host, former));
            self.note("replaced while running", 1);
        }
    }

    /// A former process still serves users and talks, until it learns of its successor.
    fn run_zombie(&mut self) {
        if self.zombies.is_empty() {
            return;
        }
        let chosen = self.rng.below(self.zombies.len());
        let peer = self.rng.below(self.hosts.len());
        let slot = self.slot();
        self.metas += 1;
        let (host, zombie) = &mut self.zombies[chosen];
        if let Some(process) = self.hosts[peer].as_mut().filter(|_| peer != *host) {
            zombie.join(slot, self.metas);
            process.merge(&zombie.state.snapshot());
            let answer = process.state.delta_since(&zombie.state.digest());
            zombie.merge(&answer);
            zombie.check_view();
        }
        if zombie.state.superseded_by().is_some() {
            self.zombies.swap_remove(chosen);
            self.note("learnt of its successor", 1);
        }
    }

    /// A peer that claims a live dot it has pruned, as `lattice_presence` 2.0 does.
    fn prune_as_gleam_does(&mut self, host: usize) {
        let to = self.rng.below(self.hosts.len());
        let Some(process) = &self.hosts[host] else {
            return;
        };
        let own: Vec<_> = process
            .state
            .owned_snapshot()
            .entries()
            .map(|e| e.dot().clone())
            .collect();
        let Some(dot) = own.get(self.rng.below(own.len().max(1))) else {
            return;
        };
        let message = Message::Gossip(claim(dot));
        for from in 0..self.hosts.len() {
            if from != to && self.hosts[from].is_some() {
                self.send(from, to, message);
                return;
            }
        }
    }

    // ---- the quiet end ---------------------------------------------------------------

    /// Heals everything, lets every pair talk, and checks what all must now agree on.
    pub fn converge(&mut self) {
        self.network.heal();
        self.now += 1_000;
        while let Some(envelope) = self.network.receive(self.now) {
            self.deliver(&envelope);
        }
        self.zombies.clear();
        self.count_trouble();
        if self.hosts.iter().flatten().count() < 2 {
            self.restart(0);
            self.restart(1);
        }
        self.agree_on_liveness();
        for _ in 0..4 {
            self.synchronize_all();
        }
        self.check_convergence();
    }

    fn count_trouble(&mut self) {
        let network = &self.network;
        let counts = [
            ("lost", network.lost),
            ("repeated", network.repeated),
            ("overtaken", network.overtaken),
            ("cut off", network.cut_off),
        ];
        for (trouble, count) in counts {
            self.note(trouble, count);
        }
        let running = self.hosts.iter().flatten();
        let hidden = running.map(|process| process.state.entries().count() - process.state.len());
        self.note("hidden at the end", hidden.sum());
    }

    /// Everybody trusts who lives, and prunes who does not and has no successor to clear it.
    fn agree_on_liveness(&mut self) {
        let live: BTreeSet<_> = self.live().collect();
        for process in self.hosts.iter_mut().flatten() {
            for id in &live {
                process.up(id);
                if !self.ordered && (id == process.id() || !id.same_base(process.id())) {
                    process.supersede(id);
                }
            }
            for id in self.ever.difference(&live) {
                let cleared = self.ordered && live.iter().any(|other| other.same_base(id));
                if !cleared {
                    process.prune(id);
                }
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = ReplicaId> {
        self.hosts
            .iter()
            .flatten()
            .map(|process| process.id().clone())
    }

    fn synchronize_all(&mut self) {
        let count = self.hosts.len();
        for (from, to) in (0..count * count).map(|i| (i / count, i % count)) {
            if from == to {
                continue;
            }
            let [Some(a), Some(b)] = self.hosts.get_disjoint_mut([from, to]).expect("two hosts")
            else {
                continue;
            };
            match self.rng.below(3) {
                0 => b.merge(&a.state.snapshot()),
                _ => b.merge(&a.state.delta_since(&b.state.digest())),
            }
        }
    }

    fn check_convergence(&self) {
        let truth = self.truth();
        let mut shared: Option<(ReplicaId, BTreeSet<Dot<ReplicaId>>)> = None;
        for process in self.hosts.iter().flatten() {
            process.check_view();
            let name = process.id();
            let online: BTreeSet<_> = process
                .state
                .online_list()
                .map(|entry| (entry.dot().replica.clone(), seen(entry)))
                .collect();
            assert_eq!(
                process.state.len(),
                online.len(),
                "an entry is listed twice at {name}"
            );
            let ghosts: Vec<_> = online.difference(&truth).collect();
            assert!(ghosts.is_empty(), "ghosts at {name}: {ghosts:?}");
            let losses: Vec<_> = truth.difference(&online).collect();
            assert!(losses.is_empty(), "lost at {name}: {losses:?}");
            let dots: BTreeSet<_> = process
                .state
                .online_list()
                .map(|e| e.dot().clone())
                .collect();
            let (first, expected) = shared.get_or_insert_with(|| (name.clone(), dots.clone()));
            assert_eq!(dots, *expected, "{name} and {first} differ");
            assert!(
                process.state.superseded_by().is_none(),
                "{name} runs and nothing replaced it"
            );
        }
        self.check_contexts();
    }

    /// What the live processes' users hold.
    fn truth(&self) -> BTreeSet<(ReplicaId, Seen)> {
        let each = self.hosts.iter().flatten().flat_map(|process| {
            let held = process.sessions.clone().into_iter();
            held.map(|session| (process.id().clone(), session))
        });
        each.collect()
    }

    /// All have seen the same of everybody who lives.
    fn check_contexts(&self) {
        for id in self.live() {
            let mut seen_of = self
                .hosts
                .iter()
                .flatten()
                .map(|process| process.state.context().get(&id));
            let first = seen_of.next().expect("somebody lives");
            assert!(
                seen_of.all(|seen| seen == first),
                "the contexts of {id} differ"
            );
        }
    }
}

fn claim(dot: &Dot<ReplicaId>) -> lattice_presence::PresenceDelta<u64> {
    let context = [dot.clone()].into_iter().collect();
    lattice_presence::PresenceDelta::from_parts(ReplicaId::new("old-peer"), context, Vec::new())
        .expect("no entry is uncovered")
}
