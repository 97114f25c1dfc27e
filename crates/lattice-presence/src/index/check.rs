//! Whether an index holds what it should.

use super::Index;
use super::PidHash;
use super::entries::{DotRank, Placed, rank_of};
use super::groups::{Found, Group};
use super::order::Order;
use super::replicas::Replicas;
use super::topics::Topic;
use crate::Presence;

impl<M> Index<M> {
    /// Whether `entry` is where look-ups will find it. O(log).
    pub(crate) fn holds(&self, entry: &Presence<M>) -> bool {
        let slot = entry.slot();
        let pid = self.pid_hash(entry);
        let Some(number) = self.topic_of(entry) else {
            return false;
        };
        let topic = self.topics.at(number);
        *topic.name == *entry.topic()
            && is_in(&topic.members, entry, &self.replicas)
            && (!topic.is_keyed() || self.is_keyed(entry, topic))
            && match self.group_of_pid(slot.pid, pid) {
                Some(Found::Several(_, group)) if group.is_by_slot() => self.is_by_slot(entry, pid),
                _ => true,
            }
    }

    fn is_keyed(&self, entry: &Presence<M>, topic: &Topic<M>) -> bool {
        let slot = entry.slot();
        let same_key = |other: &Presence<M>| other.slot().same_key(&slot);
        let hash = self.hashing.key(topic.hash, slot.key);
        let group = self.by_key.find(hash, same_key);
        group.is_some_and(|group| group.has(entry, &self.replicas))
    }

    fn is_by_slot(&self, entry: &Presence<M>, pid: PidHash) -> bool {
        let slot = entry.slot();
        let group = self.group_of_slot(slot, pid);
        group.is_some_and(|group| group.has(entry, &self.replicas))
    }

    /// Whether all of it agrees. O(entries).
    pub(crate) fn check_invariants(&self) -> bool {
        let members = self.topics.iter().map(|topic| topic.members.len());
        let keyed = self.topics.iter().filter(|topic| topic.is_keyed());
        let keyed = keyed.map(|topic| topic.members.len());
        let by_slot = self.by_pid.groups().filter(|group| group.is_by_slot());
        let by_slot = by_slot.map(|group| group.order.len());
        self.topics.check_invariants(&self.hashing, &self.replicas)
            && members.sum::<usize>() == self.len
            && self.by_pid.checked_len(&self.replicas) == Some(self.len)
            && self.by_key.checked_len(&self.replicas) == Some(keyed.sum())
            && self.by_slot.checked_len(&self.replicas) == Some(by_slot.sum())
            && self.topics.iter().all(|topic| {
                let mut members = topic.members.iter();
                members.all(|member| self.holds(&member.entry))
            })
    }
}

impl<M> Found<'_, M> {
    fn has(&self, entry: &Presence<M>, replicas: &Replicas) -> bool {
        match self {
            Self::One(only, _) => only.is(entry),
            Self::Several(_, Group { order, .. }) => is_in(order, entry, replicas),
        }
    }
}

fn is_in<P: Placed>(
    order: &Order<P, DotRank>,
    entry: &Presence<P::Meta>,
    replicas: &Replicas,
) -> bool {
    let rank = rank_of(entry, replicas);
    let before = |other: &DotRank| replicas.cmp_ranks(other, &rank).is_lt();
    let next = order.starting(before, replicas).next();
    next.is_some_and(|placed| placed.entry().is(entry))
}
