//! Hiding the entries of a replica, and showing them again.

use alloc::vec::Vec;

use super::Index;
use super::groups::Found;
use super::replicas::Replicas;
use super::slab::Id;
use super::topics::{Member, Topic, change};
use crate::{Presence, ReplicaId, steps};

/// A search for one entry costs as much as a look at so many members in a row.
const SEARCH: usize = 32;

/// The replica that is hidden, or shown again.
#[derive(Clone, Copy)]
struct Turn {
    replica: Id,
    hide: bool,
}

/// Entries in keyed topics, with the hashes of the topics.
type Keyed<M> = Vec<(Presence<M>, u32)>;

impl<M> Index<M> {
    /// Hides the entries of `replica`, or shows them; `owned` are all of them. Finds
    /// those of which the key neither arrives nor departs: others are visible under
    /// it, too. O(entries of the replica, and of their topics if these have few).
    pub(crate) fn set_hidden<'a>(
        &mut self,
        replica: &ReplicaId,
        hide: bool,
        owned: impl ExactSizeIterator<Item = &'a Presence<M>>,
        mut found: impl FnMut(&Presence<M>),
    ) where
        M: 'a,
    {
        let Some(number) = self.replicas.number(replica) else {
            return;
        };
        if self.replicas.hides(number) == hide {
            return;
        }
        self.replicas.set_hidden(number, hide);
        let turn = Turn {
            replica: number,
            hide,
        };
        let keyed = if self.len / SEARCH < owned.len() {
            self.turn_all(turn, &mut found)
        } else {
            self.turn_each(turn, owned, &mut found)
        };
        self.turn_keys(&keyed, hide, found);
    }

    /// What the replica has in any topic.
    fn turn_all(&mut self, turn: Turn, found: &mut impl FnMut(&Presence<M>)) -> Keyed<M> {
        let mut keyed = Keyed::new();
        let replicas = &self.replicas;
        self.topics.for_each(|topic| {
            steps::count(topic.members.len() / 4 + 1);
            let is_own = |member: &&Member<M>| member.replica == turn.replica;
            let own = topic.members.iter().filter(is_own).count();
            topic.turn(own, turn.hide);
            let visible = if turn.hide { 0 } else { own };
            let has_others = topic.visible_len() > visible;
            for member in topic.members.iter().filter(is_own) {
                if topic.is_keyed() {
                    keyed.push((member.entry.clone(), topic.hash));
                } else if has_others
                    && topic.shows_other(&member.entry, member.hint, turn, replicas)
                {
                    found(&member.entry);
                }
            }
        });
        keyed
    }

    /// Those entries of the replica, which are few.
    fn turn_each<'a>(
        &mut self,
        turn: Turn,
        owned: impl Iterator<Item = &'a Presence<M>>,
        found: &mut impl FnMut(&Presence<M>),
    ) -> Keyed<M>
    where
        M: 'a,
    {
        let mut keyed = Keyed::new();
        for entry in owned {
            let Some(number) = self.topic_of(entry) else {
                continue;
            };
            let topic = self.topics.at_mut(number);
            topic.turn(1, turn.hide);
            if topic.is_keyed() {
                keyed.push((entry.clone(), topic.hash));
                continue;
            }
            let hint = self.hashing.text(entry.slot().key);
            if topic.shows_other(entry, hint, turn, &self.replicas) {
                found(entry);
            }
        }
        keyed
    }

    /// The number of the topic of an entry.
    pub(super) fn topic_of(&self, entry: &Presence<M>) -> Option<Id> {
        let pid = entry.slot().pid;
        let group = self.group_of_pid(pid, self.hash(pid))?;
        group.topic_of(entry, &self.replicas)
    }

    /// Entries in keyed topics: their keys know how many are hidden. Whoever arrives
    /// looks at what was there before; whoever departs, at what is left.
    fn turn_keys(&mut self, keyed: &Keyed<M>, hide: bool, mut found: impl FnMut(&Presence<M>)) {
        let mut shared = Vec::new();
        for (entry, topic) in keyed {
            let slot = entry.slot();
            let hash = self.hashing.key(*topic, slot.key);
            let same_key = |other: &Presence<M>| other.slot().same_key(&slot);
            if let Some(Found::Several(group, _)) = self.by_key.find(hash, same_key) {
                shared.push((entry, group));
            }
        }
        for apply in [hide, !hide] {
            for &(entry, group) in &shared {
                let group = self.by_key.several_mut(group);
                if apply {
                    change(&mut group.hidden, 1, hide);
                } else if group.visible_len() > 0 {
                    found(entry);
                }
            }
        }
    }
}

impl<M> Topic<M> {
    /// Whether another replica shows the key of an entry, if all members are looked at.
    fn shows_other(&self, entry: &Presence<M>, hint: u32, turn: Turn, replicas: &Replicas) -> bool {
        let others = self.members.few().unwrap_or_default();
        steps::count(others.len() / 16 + 1);
        others.iter().any(|other| {
            other.replica != turn.replica
                && other.hint == hint
                && replicas.is_shown(other.replica)
                && other.entry.slot().key == entry.slot().key
        })
    }
}
