//! The state of the naive presence, one method per operation.

use super::identity::{is_newer, same_base};
use std::collections::{BTreeMap, BTreeSet};

/// A replica's name and a clock.
pub type Dot = (String, u64);

/// What a dot carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub topic: String,
    pub key: String,
    pub pid: String,
    pub meta: u64,
}

impl Entry {
    fn fills(&self, pid: &str, topic: &str, key: &str) -> bool {
        self.pid == pid && self.topic == topic && self.key == key
    }

    fn same_slot(&self, other: &Self) -> bool {
        self.fills(&other.pid, &other.topic, &other.key)
    }
}

/// What travels: a state or a delta, the same to whoever merges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub replica: String,
    pub context: BTreeSet<Dot>,
    pub entries: BTreeMap<Dot, Entry>,
}

/// What became visible and what stopped being visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub joins: BTreeMap<Dot, Entry>,
    pub leaves: BTreeMap<Dot, Entry>,
}

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    SameReplica,
    ConflictingDot,
    NotOwned,
    NotDown,
    LocalReplica,
    Absent,
}

/// One replica.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub me: String,
    pub context: BTreeSet<Dot>,
    pub entries: BTreeMap<Dot, Entry>,
    pub down: BTreeSet<String>,
    refused: BTreeSet<Dot>,
    successor: Option<String>,
    joined: BTreeSet<Dot>,
    left: BTreeSet<Dot>,
}

impl Oracle {
    pub fn new(me: &str) -> Self {
        Self {
            me: me.to_owned(),
            context: BTreeSet::new(),
            entries: BTreeMap::new(),
            down: BTreeSet::new(),
            refused: BTreeSet::new(),
            successor: None,
            joined: BTreeSet::new(),
            left: BTreeSet::new(),
        }
    }

    /// The replica that a snapshot describes: no liveness, nothing to send (S8, S13).
    pub fn restore(packet: &Packet) -> Self {
        let mut restored = Self::new(&packet.replica);
        restored.context = packet.context.clone();
        restored.entries = packet.entries.clone();
        restored
            .entries
            .retain(|dot, _| !is_newer(&packet.replica, &dot.0));
        restored.hear_of(packet);
        restored
    }

    // ---- S2–S4: local mutations -------------------------------------------------

    pub fn join(&mut self, pid: &str, topic: &str, key: &str, meta: u64) -> Change {
        let before = self.clone();
        self.remove_own(|entry| entry.fills(pid, topic, key));
        let entry = Entry {
            topic: topic.to_owned(),
            key: key.to_owned(),
            pid: pid.to_owned(),
            meta,
        };
        self.mint(entry);
        self.change_since(&before)
    }

    pub fn update(
        &mut self,
        pid: &str,
        topic: &str,
        key: &str,
        meta: u64,
    ) -> Result<Change, Refusal> {
        let present =
            |(dot, entry): (&Dot, &Entry)| dot.0 == self.me && entry.fills(pid, topic, key);
        if !self.entries.iter().any(present) {
            return Err(Refusal::Absent);
        }
        Ok(self.join(pid, topic, key, meta))
    }

    pub fn leave(&mut self, pid: &str, topic: &str, key: &str) -> Change {
        let before = self.clone();
        self.remove_own(|entry| entry.fills(pid, topic, key));
        self.change_since(&before)
    }

    pub fn leave_by_pid(&mut self, pid: &str) -> Change {
        let before = self.clone();
        self.remove_own(|entry| entry.pid == pid);
        self.change_since(&before)
    }

    fn mint(&mut self, entry: Entry) {
        let highest = self
            .context
            .iter()
            .filter(|dot| dot.0 == self.me)
            .map(|dot| dot.1)
            .max();
        let dot = (self.me.clone(), highest.unwrap_or(0) + 1);
        self.context.insert(dot.clone());
        self.joined.insert(dot.clone());
        self.entries.insert(dot, entry);
    }

    fn remove_own(&mut self, gone: impl Fn(&Entry) -> bool) {
        for (dot, entry) in self.entries.clone() {
            if dot.0 == self.me && gone(&entry) {
                self.entries.remove(&dot);
                self.left.insert(dot);
            }
        }
    }

    /// S4: the difference between two visible worlds.
    fn change_since(&self, before: &Self) -> Change {
        let (old, new) = (before.visible(), self.visible());
        let only = |here: &BTreeMap<Dot, Entry>, there: &BTreeMap<Dot, Entry>| {
            let mut here = here.clone();
            here.retain(|dot, _| !there.contains_key(dot));
            here
        };
        Change {
            joins: only(&new, &old),
            leaves: only(&old, &new),
        }
    }

    // ---- S5–S7: merge ------------------------------------------------------------

    pub fn merge_state(&mut self, other: &Self) -> Result<Change, Refusal> {
        let packet = other.snapshot();
        let identical = packet.context == self.context && self.same_live(&packet);
        if packet.replica == self.me && !identical {
            return Err(Refusal::SameReplica);
        }
        self.merge(&packet)
    }

    pub fn merge_owned(&mut self, peer: &str, packet: &Packet) -> Result<Change, Refusal> {
        let foreign = packet.context.iter().any(|dot| dot.0 != peer);
        if packet.replica != peer || foreign {
            return Err(Refusal::NotOwned);
        }
        self.merge(packet)
    }

    pub fn merge(&mut self, packet: &Packet) -> Result<Change, Refusal> {
        self.refuse(packet)?;
        let before = self.clone();
        self.hear_of(packet);
        let packet = &self.admitted(packet);
        self.remove_what_died(packet);
        for (dot, entry) in &packet.entries {
            let older_self = is_newer(&self.me, &dot.0);
            if !before.context.contains(dot) && !older_self {
                self.entries.insert(dot.clone(), entry.clone());
            }
        }
        self.context.extend(packet.context.iter().cloned());
        self.sign_claims();
        Ok(self.change_since(&before))
    }

    /// S7: every name in a packet, its sender's too, is heard.
    fn hear_of(&mut self, packet: &Packet) {
        let names = packet.context.iter().map(|dot| &dot.0);
        for name in names.chain([&packet.replica]) {
            if is_newer(name, self.successor.as_deref().unwrap_or(&self.me)) {
                self.successor = Some(name.clone());
            }
        }
    }

    /// S9 keeps out what was pruned; S7 and S9 together keep out the claims of
    /// claimants that are all pruned: of what they claim, the living stay news.
    fn admitted(&self, packet: &Packet) -> Packet {
        let pruned = |dot: &Dot| self.refused.contains(dot);
        let orphaned = |name: &str| {
            let newer = |dot: &&Dot| is_newer(&dot.0, name);
            let claimants: Vec<&Dot> = packet.context.iter().filter(newer).collect();
            !claimants.is_empty()
                && claimants.into_iter().all(pruned)
                && !self.context.iter().any(|dot| is_newer(&dot.0, name))
        };
        let mut admitted = packet.clone();
        admitted.context.retain(|dot| {
            let own = dot.0 == self.me || is_newer(&self.me, &dot.0);
            own || !pruned(dot) && (!orphaned(&dot.0) || packet.entries.contains_key(dot))
        });
        admitted
            .entries
            .retain(|dot, _| admitted.context.contains(dot));
        admitted
    }

    /// S7: a claim on former lives travels with the claimant's name.
    fn sign_claims(&mut self) {
        let own = |dot: &Dot| dot.0 == self.me;
        let former = |dot: &Dot| is_newer(&self.me, &dot.0);
        if !self.context.iter().any(own) && self.context.iter().any(former) {
            self.context.insert((self.me.clone(), 1));
        }
    }

    /// S6.
    fn refuse(&self, packet: &Packet) -> Result<(), Refusal> {
        let claimed = packet.context.iter().chain(packet.entries.keys());
        if claimed
            .filter(|dot| dot.0 == self.me)
            .any(|dot| !self.context.contains(dot))
        {
            return Err(Refusal::SameReplica);
        }
        for (dot, entry) in &packet.entries {
            if self
                .entries
                .get(dot)
                .is_some_and(|mine| !mine.same_slot(entry))
            {
                return Err(Refusal::ConflictingDot);
            }
        }
        Ok(())
    }

    fn same_live(&self, packet: &Packet) -> bool {
        self.entries.len() == packet.entries.len()
            && self.entries.iter().all(|(dot, entry)| {
                packet
                    .entries
                    .get(dot)
                    .is_some_and(|theirs| theirs.same_slot(entry))
            })
    }

    /// The join's removals, and S5: own entries stay, under a fresh dot unless S7 yields.
    fn remove_what_died(&mut self, packet: &Packet) {
        let yields = self.successor.is_some();
        for (dot, entry) in self.entries.clone() {
            if packet.entries.contains_key(&dot) || !packet.context.contains(&dot) {
                continue;
            }
            if dot.0 != self.me {
                self.entries.remove(&dot);
            } else if !yields {
                self.entries.remove(&dot);
                self.left.insert(dot);
                self.mint(entry);
            }
        }
    }

    /// S7: the newest incarnation of the local base that was ever heard of.
    pub fn superseded_by(&self) -> Option<String> {
        self.successor.clone()
    }

    /// Whether the filter of S9 keeps any of the packet's dots out.
    pub fn filters(&self, packet: &Packet) -> bool {
        packet.context.iter().any(|dot| self.refused.contains(dot))
    }

    // ---- S8–S10: liveness ----------------------------------------------------------

    pub fn replica_down(&mut self, name: &str) -> Change {
        let before = self.clone();
        self.down.insert(name.to_owned());
        self.change_since(&before)
    }

    pub fn replica_up(&mut self, name: &str) -> Change {
        let before = self.clone();
        self.down.remove(name);
        self.refused.retain(|dot| dot.0 != name);
        self.change_since(&before)
    }

    pub fn remove_down_replica(&mut self, name: &str) -> Result<Change, Refusal> {
        if name == self.me {
            return Err(Refusal::LocalReplica);
        }
        if !self.down.contains(name) {
            return Err(Refusal::NotDown);
        }
        let before = self.clone();
        self.entries.retain(|dot, _| dot.0 != name);
        for dot in before.context.iter().filter(|dot| dot.0 == name) {
            self.context.remove(dot);
            // S7 keeps former lives out already, and their context is to be merged.
            if !is_newer(&self.me, name) {
                self.refused.insert(dot.clone());
            }
        }
        Ok(self.change_since(&before))
    }

    pub fn forget_replica(&mut self, name: &str) -> Change {
        self.replica_up(name)
    }

    pub fn supersede(&mut self, current: &str) -> Result<Change, Refusal> {
        if self.me != current && same_base(&self.me, current) {
            return Err(Refusal::LocalReplica);
        }
        let before = self.clone();
        for name in self.known() {
            if name != current && same_base(&name, current) {
                self.replica_down(&name);
                self.remove_down_replica(&name)?;
            }
        }
        Ok(self.change_since(&before))
    }

    /// The replicas that anything here speaks of.
    fn known(&self) -> BTreeSet<String> {
        let dots = self.context.iter().map(|dot| dot.0.clone());
        dots.chain(self.down.iter().cloned()).collect()
    }

    // ---- S12: reads --------------------------------------------------------------

    pub fn visible(&self) -> BTreeMap<Dot, Entry> {
        let mut visible = self.entries.clone();
        visible.retain(|dot, _| !self.down.contains(&dot.0));
        visible
    }

    // ---- S13, S14: what is sent -----------------------------------------------------

    pub fn snapshot(&self) -> Packet {
        Packet {
            replica: self.me.clone(),
            context: self.context.clone(),
            entries: self.entries.clone(),
        }
    }

    pub fn owned_snapshot(&self) -> Packet {
        let mut packet = self.snapshot();
        packet.context.retain(|dot| dot.0 == self.me);
        packet.entries.retain(|dot, _| dot.0 == self.me);
        packet
    }

    pub fn take_delta(&mut self) -> Option<Packet> {
        let mut packet = self.snapshot();
        packet.context = self.joined.union(&self.left).cloned().collect();
        packet.entries.retain(|dot, _| self.joined.contains(dot));
        self.joined.clear();
        self.left.clear();
        (!packet.context.is_empty()).then_some(packet)
    }

    /// Whether the dot was pruned here, and is not to come back.
    pub fn refuses(&self, dot: &Dot) -> bool {
        self.refused.contains(dot)
    }

    /// What this node knows of `dots`.
    pub fn part(&self, dots: &BTreeSet<Dot>) -> Packet {
        let mut packet = self.snapshot();
        packet.context.retain(|dot| dots.contains(dot));
        packet.entries.retain(|dot, _| dots.contains(dot));
        packet
    }
}

/// What a digest must tell apart: the dots seen, and the live ones with their slots.
pub type Identity = (BTreeSet<Dot>, BTreeMap<Dot, [String; 3]>);

impl Packet {
    pub fn identity(&self) -> Identity {
        let slot = |entry: &Entry| [entry.topic.clone(), entry.key.clone(), entry.pid.clone()];
        let live = self
            .entries
            .iter()
            .map(|(dot, entry)| (dot.clone(), slot(entry)));
        (self.context.clone(), live.collect())
    }
}
