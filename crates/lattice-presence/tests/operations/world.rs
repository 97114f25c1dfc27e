//! Each node twice, as the crate has it and as the model has it, and the packets between.

use super::compare::{self, View, choice_of};
use super::model::{self, Change, Choice, Dot, Oracle, Packet, Refusal};
use super::op::{Claim, Identity, Op, Slot};
use super::owner;
use lattice_presence::{
    CausalContext, Diff, LifecycleError, MergeError, Presence, PresenceDelta, PresenceState,
    ReincarnateError, ReplicaId, UpdateError,
};
use std::collections::BTreeMap;

pub struct Node {
    pub real: PresenceState<u64>,
    pub model: Oracle,
    pub view: View,
    /// What happened since the last look.
    outcomes: Vec<String>,
}

/// A packet as the crate made it and as the model made it.
struct Mail {
    real: PresenceDelta<u64>,
    model: Packet,
}

pub struct World {
    nodes: Vec<Node>,
    /// Every replica that ever lived here, and one that never did.
    names: Vec<String>,
    mail: Vec<Mail>,
    incarnations: u8,
    /// How often the nodes were compared.
    turn: usize,
    /// How often each outcome was met that a sequence may miss.
    pub tally: Tally,
}

pub type Tally = BTreeMap<String, usize>;

pub fn pid(index: usize) -> String {
    format!("pid-{index}")
}

pub fn topic(index: usize) -> String {
    format!("topic-{index}")
}

pub fn key(index: usize) -> String {
    format!("key-{index}")
}

impl World {
    pub fn new(identities: &[Identity]) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            names: vec!["nobody".to_owned()],
            mail: Vec::new(),
            incarnations: 0,
            turn: 0,
            tally: Tally::new(),
        };
        for identity in identities {
            let node = world.start(*identity);
            world.nodes.push(node);
        }
        world
    }

    /// A process with a name of its own.
    fn start(&mut self, identity: Identity) -> Node {
        let (name, id) = self.new_name(identity);
        Node {
            real: PresenceState::new(id),
            model: Oracle::new(&name),
            view: View::new(),
            outcomes: Vec::new(),
        }
    }

    fn new_name(&mut self, identity: Identity) -> (String, ReplicaId) {
        self.incarnations += 1;
        let mut uuid = [0xA5; 16];
        uuid[5] = self.incarnations;
        let (name, id) = match identity {
            Identity::Plain { base } => {
                let fresh = !self.names.contains(&format!("base-{base}"));
                let base = if fresh {
                    format!("base-{base}")
                } else {
                    format!("plain-{}", self.incarnations)
                };
                (base.clone(), ReplicaId::new(base))
            }
            Identity::Ordered { base } => {
                uuid[6] = 0x7A;
                incarnation(base, uuid)
            }
            Identity::Unordered { base } => {
                uuid[6] = 0x4A;
                incarnation(base, uuid)
            }
        };
        assert_eq!(id.as_str(), name, "S1: the id is spelled as stated");
        self.names.push(name.clone());
        (name, id)
    }

    /// Mostly a new id; one that is taken now and then.
    fn reincarnate(&mut self, node: usize, identity: Identity) {
        let (name, id) = match self.incarnations % 4 {
            0 => {
                let name = self.name(node + usize::from(self.incarnations));
                (name.clone(), ReplicaId::new(name))
            }
            _ => self.new_name(identity),
        };
        let node = self.node(node);
        let real = node.real.reincarnate(id);
        let real = real.map_err(|error| match error {
            ReincarnateError::NotFresh { .. } => Refusal::NotFresh,
            ReincarnateError::NewerKnown { .. } => Refusal::NewerKnown,
            other => panic!("unexpected {other}"),
        });
        let model = node.model.reincarnate(&name, &choice_of(&node.real));
        if real.is_ok() {
            node.outcomes.push("reincarnated".to_owned());
        }
        node.observe_either(real, model);
    }

    pub fn apply(&mut self, step: usize, op: &Op) {
        match op {
            Op::Join { .. } | Op::Update { .. } | Op::Leave { .. } | Op::LeaveByPid { .. } => {
                self.mutate(step, op);
            }
            Op::Merge { to, from } => self.merge(*to, *from, true),
            Op::MergeQuietly { to, from } => self.merge(*to, *from, false),
            Op::Sync { to, from } => {
                let mail = self.since(*from, *to);
                self.deliver(*to, &mail, true);
            }
            Op::Deliver { to, packet } => self.deliver_nth(*to, *packet, true),
            Op::DeliverQuietly { to, packet } => self.deliver_nth(*to, *packet, false),
            Op::DeliverOwned { to, packet, peer } => self.deliver_owned(*to, *packet, *peer),
            Op::Down { .. }
            | Op::Up { .. }
            | Op::Prune { .. }
            | Op::Expel { .. }
            | Op::Forget { .. }
            | Op::Supersede { .. } => {
                self.change_liveness(op);
            }
            Op::Restart { node, identity } => {
                let fresh = self.start(*identity);
                *self.node(*node) = fresh;
            }
            Op::Restore { node, from } => self.restore(*node, *from),
            Op::Reincarnate { node, identity } => self.reincarnate(*node, *identity),
            _ => self.send(op),
        }
    }

    /// Compares everything that can be observed.
    pub fn check(&mut self) {
        for node in &mut self.nodes {
            compare::check_node(node, &self.names);
            for outcome in node.outcomes.drain(..) {
                *self.tally.entry(outcome).or_default() += 1;
            }
        }
        compare::check_digests(&self.nodes);
        for _ in 0..3 {
            self.turn += 1;
            if let Some(outcome) = owner::check(&self.nodes, self.turn) {
                *self.tally.entry(outcome.to_owned()).or_default() += 1;
            }
        }
    }

    fn node(&mut self, index: usize) -> &mut Node {
        let count = self.nodes.len();
        &mut self.nodes[index % count]
    }

    fn name(&self, index: usize) -> String {
        self.names[index % self.names.len()].clone()
    }

    /// Every other time the name of a node that runs, which is what matters most.
    fn liveness_name(&mut self, index: usize) -> String {
        match index % 2 {
            0 => self.node(index / 2).model.me.clone(),
            _ => self.name(index / 2),
        }
    }

    // ---- local mutations -----------------------------------------------------------

    fn mutate(&mut self, step: usize, op: &Op) {
        let meta = step as u64;
        match *op {
            Op::Join { node, slot } => {
                let node = self.node(node);
                let Slot {
                    pid: p,
                    topic: t,
                    key: k,
                } = slot;
                let real = node
                    .real
                    .join(&pid(p), &topic(t), &key(k), meta)
                    .expect("clocks are left");
                let change = node.model.join(&pid(p), &topic(t), &key(k), meta);
                node.observe(&real, &change);
            }
            Op::Update { node, slot } => {
                let node = self.node(node);
                let Slot {
                    pid: p,
                    topic: t,
                    key: k,
                } = slot;
                let real = node.real.update(&pid(p), &topic(t), &key(k), meta);
                let model = node.model.update(&pid(p), &topic(t), &key(k), meta);
                let real = real.map_err(|error| match error {
                    UpdateError::Absent => Refusal::Absent,
                    other => panic!("unexpected {other}"),
                });
                node.observe_either(real, model);
            }
            Op::Leave { node, slot } => {
                let node = self.node(node);
                let Slot {
                    pid: p,
                    topic: t,
                    key: k,
                } = slot;
                let real = node.real.leave(&pid(p), &topic(t), &key(k));
                let change = node.model.leave(&pid(p), &topic(t), &key(k));
                node.observe(&real, &change);
            }
            Op::LeaveByPid { node, pid: p } => {
                let node = self.node(node);
                let real = node.real.leave_by_pid(&pid(p));
                let change = node.model.leave_by_pid(&pid(p));
                node.observe(&real, &change);
            }
            _ => unreachable!("only mutations come here"),
        }
    }

    // ---- exchanges -------------------------------------------------------------------

    fn merge(&mut self, to: usize, from: usize, observed: bool) {
        let (to, from) = (to % self.nodes.len(), from % self.nodes.len());
        if to == from {
            return;
        }
        let [to, from] = self.nodes.get_disjoint_mut([to, from]).expect("two nodes");
        let packet = from.model.snapshot();
        to.merge(
            &packet,
            observed,
            |state| {
                if observed {
                    state.merge_with_diff(&from.real)
                } else {
                    state.merge(&from.real).map(|()| Diff::new())
                }
            },
            |model, choice| {
                model.refuse_state(&from.model)?;
                model.merge(&packet, choice)
            },
        );
    }

    fn deliver_nth(&mut self, to: usize, packet: usize, observed: bool) {
        if let Some(mail) = self.nth_mail(packet) {
            self.deliver(to, &mail, observed);
        }
    }

    fn nth_mail(&self, packet: usize) -> Option<Mail> {
        let mail = self.mail.get(packet % self.mail.len().max(1))?;
        Some(Mail {
            real: mail.real.clone(),
            model: mail.model.clone(),
        })
    }

    fn deliver(&mut self, to: usize, mail: &Mail, observed: bool) {
        let merge = |state: &mut PresenceState<u64>| {
            if observed {
                state.merge_delta_with_diff(&mail.real)
            } else {
                state.merge_delta(&mail.real).map(|()| Diff::new())
            }
        };
        let node = self.node(to);
        node.merge(&mail.model, observed, merge, |model, choice| {
            model.merge(&mail.model, choice)
        });
    }

    fn deliver_owned(&mut self, to: usize, packet: usize, peer: usize) {
        let Some(mail) = self.nth_mail(packet) else {
            return;
        };
        // Mostly the packet's own author; now and then anybody.
        let peer = if peer.is_multiple_of(4) {
            self.name(peer)
        } else {
            mail.model.replica.clone()
        };
        let id = ReplicaId::new(peer.as_str());
        let node = self.node(to);
        node.merge(
            &mail.model,
            true,
            |state| state.merge_owned_with_diff(&id, &mail.real),
            |model, choice| model.merge_owned(&peer, &mail.model, choice),
        );
    }

    fn since(&mut self, from: usize, peer: usize) -> Mail {
        let count = self.nodes.len();
        let (from, peer) = (&self.nodes[from % count], &self.nodes[peer % count]);
        let real = from.real.delta_since(&peer.real.digest());
        let model = compare::plain_packet(&real);
        from.model.check_since(&model, &peer.model);
        Mail { real, model }
    }

    // ---- packets ---------------------------------------------------------------------

    fn send(&mut self, op: &Op) {
        let mail = match op {
            Op::SendDelta { node } => {
                let node = self.node(*node);
                match (node.real.take_delta(), node.model.take()) {
                    (None, None) => return,
                    (Some(real), Some(mutated)) => {
                        let model = compare::plain_packet(&real);
                        node.model.check_slice(&model);
                        let untold: Vec<_> = mutated.difference(&model.context).collect();
                        assert!(untold.is_empty(), "take_delta is silent on {untold:?}");
                        let own = |dot: &Dot| dot.0 == node.model.me || mutated.contains(dot);
                        assert!(model.context.iter().all(own), "take_delta is on its own");
                        Mail { real, model }
                    }
                    (real, model) => panic!("take_delta gave {real:?}, expected {model:?}"),
                }
            }
            Op::SendSnapshot { node } => {
                let node = self.node(*node);
                Mail {
                    real: node.real.snapshot(),
                    model: node.model.snapshot(),
                }
            }
            Op::SendOwned { node } => {
                let node = self.node(*node);
                Mail {
                    real: node.real.owned_snapshot(),
                    model: node.model.owned_snapshot(),
                }
            }
            Op::SendSince { node, peer } => self.since(*node, *peer),
            Op::SendForged { replica, claims } => self.forge(*replica, claims),
            Op::SendPruned { node, nth } => match self.forge_pruned(*node, *nth) {
                Some(mail) => mail,
                None => return,
            },
            _ => unreachable!("only packets come here"),
        };
        compare::check_packet(&mail.real, &mail.model);
        self.mail.push(mail);
    }

    /// A packet that nobody here made: any dots, live or dead.
    fn forge(&self, replica: usize, claims: &[Claim]) -> Mail {
        let mut packet = empty_packet(&self.name(replica));
        for claim in claims {
            let dot = (self.name(claim.replica), claim.clock);
            packet.context.insert(dot.clone());
            if let Some(slot) = claim.entry {
                let entry = model::Entry {
                    topic: topic(slot.topic),
                    key: key(slot.key),
                    pid: pid(slot.pid),
                    meta: 1_000_000 + claim.clock,
                };
                packet.entries.insert(dot, entry);
            }
        }
        mail_of(packet)
    }

    /// What a peer sends that has seen one of the node's live dots and pruned it.
    fn forge_pruned(&mut self, node: usize, nth: usize) -> Option<Mail> {
        let model = &self.node(node).model;
        let own: Vec<_> = model
            .entries
            .keys()
            .filter(|dot| dot.0 == model.me)
            .collect();
        let dot = (*own.get(nth % own.len().max(1))?).clone();
        let mut packet = empty_packet("nobody");
        packet.context.insert(dot);
        Some(mail_of(packet))
    }

    // ---- lifecycle ---------------------------------------------------------------------

    fn change_liveness(&mut self, op: &Op) {
        let (Op::Down { node, replica }
        | Op::Up { node, replica }
        | Op::Prune { node, replica }
        | Op::Expel { node, replica }
        | Op::Forget { node, replica }
        | Op::Supersede { node, replica }) = op
        else {
            unreachable!("only liveness comes here");
        };
        let name = self.liveness_name(*replica);
        let id = ReplicaId::new(name.clone());
        let node = self.node(*node);
        if matches!(op, Op::Expel { .. }) {
            let (real, change) = (node.real.replica_down(&id), node.model.replica_down(&name));
            node.observe(&real, &change);
        }
        let (real, model) = match op {
            Op::Down { .. } => (
                Ok(node.real.replica_down(&id)),
                Ok(node.model.replica_down(&name)),
            ),
            Op::Up { .. } => (
                Ok(node.real.replica_up(&id)),
                Ok(node.model.replica_up(&name)),
            ),
            Op::Prune { .. } | Op::Expel { .. } => (
                node.real.remove_down_replica(&id),
                node.model.remove_down_replica(&name),
            ),
            Op::Forget { .. } => (
                Ok(node.real.forget_replica(&id)),
                Ok(node.model.forget_replica(&name)),
            ),
            _ => (node.real.supersede(&id), node.model.supersede(&name)),
        };
        let real = real.map_err(|error| match error {
            LifecycleError::NotDown { .. } => Refusal::NotDown,
            LifecycleError::LocalReplica { .. } => Refusal::LocalReplica,
            LifecycleError::NewerKnown { .. } => Refusal::NewerKnown,
            other => panic!("unexpected {other}"),
        });
        node.observe_either(real, model);
    }

    /// The node becomes a copy of another one, name included, as from a saved snapshot;
    /// or whatever a packet says, forged ones too.
    fn restore(&mut self, node: usize, from: usize) {
        let source = match self.nth_mail(from / 2) {
            Some(mail) if from % 2 == 1 => mail,
            _ => {
                let source = self.node(from / 2);
                Mail {
                    real: source.real.snapshot(),
                    model: source.model.snapshot(),
                }
            }
        };
        let real = PresenceState::from_snapshot(source.real);
        let mut restored = Node {
            model: Oracle::restore(&source.model, &choice_of(&real)),
            real,
            view: View::new(),
            outcomes: Vec::new(),
        };
        restored.view.reset(&restored.model);
        *self.node(node) = restored;
    }
}

impl Node {
    /// Merges into both, and counts what a merge seldom does.
    fn merge(
        &mut self,
        packet: &Packet,
        observed: bool,
        real: impl FnOnce(&mut PresenceState<u64>) -> Result<Diff<u64>, MergeError>,
        model: impl FnOnce(&mut Oracle, &Choice) -> Result<Change, Refusal>,
    ) {
        if self.model.filters(packet) {
            self.outcomes.push("filtered".to_owned());
        }
        let issued = self.model.owned_snapshot().context;
        let real = real(&mut self.real).map_err(|error| refusal(&error));
        let model = model(&mut self.model, &choice_of(&self.real));
        if self.model.owned_snapshot().context != issued {
            self.outcomes.push("re-issued".to_owned());
        }
        if observed {
            self.observe_either(real, model);
        } else {
            self.follow(real.map(drop), model);
        }
    }

    /// The diff is the model's change, and replays onto the view.
    fn observe(&mut self, real: &Diff<u64>, change: &Change) {
        if self.model.superseded_by().is_some() {
            self.outcomes.push("superseded".to_owned());
        }
        compare::check_diff(real, change);
        self.view.replay(real);
    }

    fn observe_either(&mut self, real: Result<Diff<u64>, Refusal>, model: Result<Change, Refusal>) {
        match (real, model) {
            (Ok(real), Ok(change)) => self.observe(&real, &change),
            (Err(real), Err(model)) => {
                self.outcomes.push(format!("{real:?}"));
                assert_eq!(real, model, "the refusal");
            }
            (real, model) => panic!("gave {real:?}, expected {model:?}"),
        }
    }

    /// For operations that report no diff.
    fn follow(&mut self, real: Result<(), Refusal>, model: Result<Change, Refusal>) {
        assert_eq!(real, model.map(drop), "the outcome");
        self.view.reset(&self.model);
    }
}

fn incarnation(base: usize, uuid: [u8; 16]) -> (String, ReplicaId) {
    let base = format!("base-{base}");
    (
        model::encode_incarnation(&base, uuid),
        ReplicaId::incarnation(&base, uuid),
    )
}

fn refusal(error: &MergeError) -> Refusal {
    match error {
        MergeError::SameReplica { .. } => Refusal::SameReplica,
        MergeError::ConflictingDot { .. } => Refusal::ConflictingDot,
        MergeError::NotOwned { .. } => Refusal::NotOwned,
        other => panic!("unexpected {other}"),
    }
}

fn empty_packet(replica: &str) -> Packet {
    Packet {
        replica: replica.to_owned(),
        context: Default::default(),
        entries: BTreeMap::new(),
    }
}

fn mail_of(model: Packet) -> Mail {
    let id = |name: &str| ReplicaId::new(name);
    let context: CausalContext<ReplicaId> = model
        .context
        .iter()
        .map(|dot| lattice_presence::Dot {
            replica: id(&dot.0),
            clock: dot.1,
        })
        .collect();
    let entries = model.entries.iter().map(|(dot, entry)| {
        let dot = lattice_presence::Dot {
            replica: id(&dot.0),
            clock: dot.1,
        };
        Presence::new(
            dot,
            entry.topic.as_str(),
            &entry.key,
            &entry.pid,
            entry.meta,
        )
    });
    let real = PresenceDelta::from_parts(id(&model.replica), context, entries.collect());
    Mail {
        real: real.expect("forged packets are well formed"),
        model,
    }
}
