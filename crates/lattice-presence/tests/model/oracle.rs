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
    NewerKnown,
    NotFresh,
    Absent,
}

/// What the crate has made of a merge or a restart, where the rules leave it a choice.
pub struct Choice {
    pub context: BTreeSet<Dot>,
    pub live: BTreeSet<Dot>,
}

/// One replica.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub me: String,
    pub context: BTreeSet<Dot>,
    pub entries: BTreeMap<Dot, Entry>,
    pub down: BTreeSet<String>,
    pub refused: BTreeSet<Dot>,
    successor: Option<String>,
    confirmed: Option<String>,
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
            confirmed: None,
            joined: BTreeSet::new(),
            left: BTreeSet::new(),
        }
    }

    /// The replica that a snapshot describes: no liveness, nothing to send (S8, S13).
    pub fn restore(packet: &Packet, choice: &Choice) -> Self {
        let mut restored = Self::new(&packet.replica);
        restored.context = packet.context.clone();
        restored.entries = packet.entries.clone();
        restored
            .entries
            .retain(|dot, _| !is_newer(&packet.replica, &dot.0));
        restored.hear_of(packet);
        restored.adopt_name(choice);
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

    /// What a full state is refused for, beside its content.
    pub fn refuse_state(&self, other: &Self) -> Result<(), Refusal> {
        let packet = other.snapshot();
        let identical = packet.context == self.context && self.same_live(&packet);
        if packet.replica == self.me && !identical {
            return Err(Refusal::SameReplica);
        }
        Ok(())
    }

    pub fn merge_owned(
        &mut self,
        peer: &str,
        packet: &Packet,
        choice: &Choice,
    ) -> Result<Change, Refusal> {
        let lives = |name: &str| packet.entries.keys().any(|dot| dot.0 == name);
        let over = |name: &str| is_newer(peer, name) && !lives(name);
        let mut named = packet.context.iter().map(|dot| &dot.0);
        if packet.replica != peer || named.any(|name| name != peer && !over(name)) {
            return Err(Refusal::NotOwned);
        }
        let change = self.merge(packet, choice)?;
        if is_newer(peer, self.confirmed.as_deref().unwrap_or(&self.me)) {
            self.confirmed = Some(peer.to_owned());
        }
        Ok(change)
    }

    /// The join, under S5, S6, S7 and S9. Where hearsay may be taken or not, `choice`
    /// says what the crate did, and the model takes the same.
    pub fn merge(&mut self, packet: &Packet, choice: &Choice) -> Result<Change, Refusal> {
        self.refuse(packet)?;
        let before = self.clone();
        self.hear_of(packet);
        let packet = &self.admitted(packet, choice);
        self.remove_what_died(packet);
        for (dot, entry) in &packet.entries {
            let older_self = is_newer(&self.me, &dot.0);
            if !before.context.contains(dot) && !older_self {
                self.entries.insert(dot.clone(), entry.clone());
            }
        }
        self.context.extend(packet.context.iter().cloned());
        self.adopt_name(choice);
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

    /// S9 keeps out what was pruned. Beside it one thing only may be kept out: deaths of
    /// which others tell, of a replica of which a newer life was pruned here.
    fn admitted(&self, packet: &Packet, choice: &Choice) -> Packet {
        let hearsay = |dot: &Dot| {
            let newer = |pruned: &Dot| is_newer(&pruned.0, &dot.0);
            dot.0 != packet.replica
                && !packet.entries.contains_key(dot)
                && self.refused.iter().any(newer)
        };
        let taken = |dot: &Dot| choice.context.contains(dot) && !choice.live.contains(dot);
        let mut admitted = packet.clone();
        admitted.context.retain(|dot| {
            let own = dot.0 == self.me || is_newer(&self.me, &dot.0);
            own || !self.refused.contains(dot) && (!hearsay(dot) || taken(dot))
        });
        admitted
            .entries
            .retain(|dot, _| admitted.context.contains(dot));
        admitted
    }

    /// S7: whoever has seen dots of a former life has dots of its own, dead ones if need
    /// be. Which ones is for the crate to choose.
    fn adopt_name(&mut self, choice: &Choice) {
        let own = |dot: &&Dot| dot.0 == self.me;
        let former = |dot: &Dot| is_newer(&self.me, &dot.0);
        if self.context.iter().any(|dot| own(&dot)) || !self.context.iter().any(former) {
            return;
        }
        let name: Vec<Dot> = choice.context.iter().filter(own).cloned().collect();
        assert!(!name.is_empty(), "S7: a claim on a former life has no name");
        assert!(
            name.iter().all(|dot| !choice.live.contains(dot)),
            "S7: nothing lives under a dot that was minted for its name"
        );
        self.context.extend(name);
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

    /// S14: the newest one that spoke for itself.
    pub fn confirmed_successor(&self) -> Option<String> {
        self.confirmed.clone()
    }

    /// S7: a running state moves to another id.
    pub fn reincarnate(&mut self, name: &str, choice: &Choice) -> Result<Change, Refusal> {
        let mut known = self.known();
        known.extend(self.refused.iter().map(|dot| dot.0.clone()));
        known.extend(self.successor.clone());
        known.insert(self.me.clone());
        if known.contains(name) {
            return Err(Refusal::NotFresh);
        }
        // A mark alone is no knowledge of a life.
        known.retain(|other| self.speaks_of(other));
        if known.iter().any(|other| is_newer(other, name)) {
            return Err(Refusal::NewerKnown);
        }
        let before = self.clone();
        let former = std::mem::replace(&mut self.me, name.to_owned());
        self.joined.clear();
        self.left.retain(|dot| dot.0 != former);
        (self.successor, self.confirmed) = (None, None);
        let over = |life: &str| life == former || is_newer(name, life);
        self.refused.retain(|dot| !over(&dot.0));
        self.entries.retain(|dot, _| !over(&dot.0));
        for life in known.iter().filter(|life| over(life)) {
            if *life == former || before.entries.keys().any(|dot| dot.0 == *life) {
                let dots = before.context.iter().filter(|dot| dot.0 == *life);
                self.left.extend(dots.cloned());
            }
        }
        for (dot, entry) in &before.entries {
            if dot.0 == former {
                self.mint(entry.clone());
            }
        }
        if self.joined.is_empty() {
            let named = |dot: &&Dot| dot.0 == name;
            let dots: Vec<Dot> = choice.context.iter().filter(named).cloned().collect();
            assert!(!dots.is_empty(), "S7: the new id is in no context");
            self.context.extend(dots.iter().cloned());
            self.left.extend(dots);
        }
        self.hear_of(&self.snapshot());
        Ok(self.change_since(&before))
    }

    fn speaks_of(&self, name: &str) -> bool {
        let mut dots = self.context.iter().chain(&self.refused);
        dots.any(|dot| dot.0 == name) || name == self.me || self.successor.as_deref() == Some(name)
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
            self.left.remove(dot);
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
        let dots = self.context.iter().chain(&self.refused);
        let mut heard = dots.map(|dot| &dot.0).chain(&self.successor);
        if heard.any(|name| is_newer(name, current)) || is_newer(&self.me, current) {
            return Err(Refusal::NewerKnown);
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

    /// What `take_delta` must at least speak of, or nothing; from now on no more.
    pub fn take(&mut self) -> Option<BTreeSet<Dot>> {
        let mutated: BTreeSet<Dot> = self.joined.union(&self.left).cloned().collect();
        self.joined.clear();
        self.left.clear();
        (!mutated.is_empty()).then_some(mutated)
    }

    /// S13: whether a packet says nothing but what this state has seen and holds.
    pub fn check_slice(&self, packet: &Packet) {
        assert_eq!(packet.replica, self.me, "the author of a packet");
        let unseen: Vec<_> = packet.context.difference(&self.context).collect();
        assert!(
            unseen.is_empty(),
            "a packet claims what was not seen: {unseen:?}"
        );
        let mut told = self.entries.clone();
        told.retain(|dot, _| packet.context.contains(dot));
        assert_eq!(packet.entries, told, "the entries of a packet");
    }

    /// S13: whether `packet` tells the peer all that it has not seen, and nothing where
    /// both agree or that the peer has pruned. And whether an owner tells of what has died
    /// of its own, to a peer that has not seen more of it than the owner.
    pub fn check_since(&self, packet: &Packet, peer: &Self) {
        self.check_slice(packet);
        let theirs = peer.snapshot();
        for name in self.known() {
            let of = |dots: &BTreeSet<Dot>| -> BTreeSet<Dot> {
                dots.iter().filter(|dot| dot.0 == name).cloned().collect()
            };
            let told = of(&packet.context);
            let unwanted: Vec<_> = told.intersection(&peer.refused).collect();
            assert!(unwanted.is_empty(), "told though unwanted: {unwanted:?}");
            if self.snapshot().identity_of(&name) == theirs.identity_of(&name) {
                assert!(told.is_empty(), "{name}: told where both agree: {told:?}");
            }
            for dot in of(&self.context) {
                let is_news = !peer.context.contains(&dot) && !peer.refused.contains(&dot);
                assert!(
                    !is_news || told.contains(&dot),
                    "{dot:?} is news, and not told"
                );
                let is_ghost = peer.entries.contains_key(&dot) && !self.entries.contains_key(&dot);
                let is_ahead = !of(&peer.context).is_subset(&of(&self.context));
                let owns = name == self.me && name != peer.me;
                assert!(
                    !is_ghost || is_ahead || !owns || told.contains(&dot),
                    "{dot:?} has died, and its owner does not tell"
                );
            }
        }
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

    fn identity_of(&self, name: &str) -> Identity {
        let (mut seen, mut live) = self.identity();
        seen.retain(|dot| dot.0 == name);
        live.retain(|dot, _| dot.0 == name);
        (seen, live)
    }
}
