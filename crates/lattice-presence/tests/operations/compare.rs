//! Every observable of a replica, against the model's.

use super::model::{Change, Choice, Dot, Entry, Oracle, Packet};
use super::op::{KEYS, PIDS, TOPICS};
use super::world::{Node, key, pid, topic};
use lattice_presence::{CausalContext, Diff, Presence, PresenceDelta, PresenceState, ReplicaId};
use std::collections::{BTreeMap, BTreeSet};

/// A plain map that only diffs keep up to date.
#[derive(Debug, Default)]
pub struct View(BTreeMap<Dot, Entry>);

impl View {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn reset(&mut self, model: &Oracle) {
        self.0 = model.visible();
    }

    /// Strict: what leaves was there, what joins was not.
    pub fn replay(&mut self, diff: &Diff<u64>) {
        let before = self.keys();
        for gone in diff.leaves() {
            let (dot, entry) = plain(gone);
            assert_eq!(
                self.0.remove(&dot),
                Some(entry),
                "S4: a leave of what is visible"
            );
        }
        for new in diff.joins() {
            let (dot, entry) = plain(new);
            assert_eq!(
                self.0.insert(dot, entry),
                None,
                "S4: a join of what is not yet visible"
            );
        }
        check_topics(diff, &before, &self.keys());
    }

    /// The users that are online: topics and keys.
    fn keys(&self) -> BTreeSet<(String, String)> {
        self.0
            .values()
            .map(|entry| (entry.topic.clone(), entry.key.clone()))
            .collect()
    }
}

pub fn plain(presence: &Presence<u64>) -> (Dot, Entry) {
    let entry = Entry {
        topic: presence.topic().to_owned(),
        key: presence.key().to_owned(),
        pid: presence.pid().to_owned(),
        meta: *presence.meta(),
    };
    let dot = presence.dot();
    ((dot.replica.as_str().to_owned(), dot.clock), entry)
}

fn plain_list<'a>(entries: impl Iterator<Item = &'a Presence<u64>>) -> Vec<(Dot, Entry)> {
    entries.map(plain).collect()
}

fn plain_context(context: &CausalContext<ReplicaId>) -> BTreeSet<Dot> {
    let each = context.iter().flat_map(|(replica, clocks)| {
        let name = replica.as_str().to_owned();
        clocks.clocks().map(move |clock| (name.clone(), clock))
    });
    each.collect()
}

fn listed(entries: &BTreeMap<Dot, Entry>) -> Vec<(Dot, Entry)> {
    entries.clone().into_iter().collect()
}

pub fn check_diff(real: &Diff<u64>, change: &Change) {
    let sorted = |mut list: Vec<(Dot, Entry)>| {
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    };
    assert_eq!(
        sorted(plain_list(real.joins())),
        listed(&change.joins),
        "the joins of a diff"
    );
    assert_eq!(
        sorted(plain_list(real.leaves())),
        listed(&change.leaves),
        "the leaves of a diff"
    );
    let empty = change.joins.is_empty() && change.leaves.is_empty();
    assert_eq!(real.is_empty(), empty, "whether a diff is empty");
}

/// Each topic that changed, with the keys whose first entry came or whose last one went.
fn check_topics(
    diff: &Diff<u64>,
    before: &BTreeSet<(String, String)>,
    after: &BTreeSet<(String, String)>,
) {
    let topics: BTreeSet<&str> = diff
        .joins()
        .chain(diff.leaves())
        .map(Presence::topic)
        .collect();
    let groups = diff.topics();
    assert!(
        groups.iter().map(|group| group.topic()).eq(topics),
        "the topics of a diff"
    );
    let (mut arrived, mut departed) = (Vec::new(), Vec::new());
    for group in &groups {
        let named = |key: &&str| (group.topic().to_owned(), (*key).to_owned());
        arrived.extend(group.arrived().iter().map(named));
        departed.extend(group.departed().iter().map(named));
        let listed = group.joins().len() + group.leaves().len();
        let there = diff
            .joins()
            .chain(diff.leaves())
            .filter(|e| e.topic() == group.topic());
        assert_eq!(listed, there.count(), "the changes of a topic");
    }
    assert!(
        arrived.iter().eq(after.difference(before)),
        "the keys that arrived: {arrived:?}"
    );
    assert!(
        departed.iter().eq(before.difference(after)),
        "the keys that departed: {departed:?}"
    );
}

/// A packet of the crate as plain sets.
pub fn plain_packet(real: &PresenceDelta<u64>) -> Packet {
    Packet {
        replica: real.replica().as_str().to_owned(),
        context: plain_context(real.context()),
        entries: real.entries().map(plain).collect(),
    }
}

/// What the crate has seen and holds.
pub fn choice_of(real: &PresenceState<u64>) -> Choice {
    Choice {
        context: plain_context(real.context()),
        live: real.entries().map(|entry| plain(entry).0).collect(),
    }
}

pub fn check_packet(real: &PresenceDelta<u64>, model: &Packet) {
    assert_eq!(real.replica().as_str(), model.replica, "a packet's author");
    assert_eq!(
        plain_context(real.context()),
        model.context,
        "a packet's context"
    );
    assert_eq!(
        plain_list(real.entries()),
        listed(&model.entries),
        "a packet's entries"
    );
    assert_eq!(real.len(), model.entries.len(), "a packet's length");
}

pub fn check_node(node: &Node, names: &[String]) {
    let Node {
        real, model, view, ..
    } = node;
    let visible = model.visible();
    assert_eq!(real.replica().as_str(), model.me);
    assert_eq!(plain_context(real.context()), model.context, "the context");
    assert_eq!(
        plain_list(real.entries()),
        listed(&model.entries),
        "all entries"
    );
    assert_eq!(
        plain_list(real.online_list()),
        listed(&visible),
        "online_list"
    );
    assert_eq!(view.0, visible, "the replayed diffs");
    assert_eq!(real.len(), visible.len(), "len");
    assert_eq!(real.is_empty(), visible.is_empty(), "is_empty");
    assert_eq!(
        real.superseded_by().map(ReplicaId::as_str),
        model.superseded_by().as_deref(),
        "superseded_by"
    );
    assert_eq!(
        real.confirmed_successor().map(ReplicaId::as_str),
        model.confirmed_successor().as_deref(),
        "confirmed_successor"
    );
    for name in names {
        let id = ReplicaId::new(name.as_str());
        assert_eq!(
            real.is_down(&id),
            model.down.contains(name),
            "is_down({name})"
        );
    }
    check_packet(&real.snapshot(), &model.snapshot());
    check_packet(&real.owned_snapshot(), &model.owned_snapshot());
    check_lookups(node, &visible);
}

fn check_lookups(node: &Node, visible: &BTreeMap<Dot, Entry>) {
    let real = &node.real;
    let select = |wanted: &dyn Fn(&Entry) -> bool| {
        let mut chosen = listed(visible);
        chosen.retain(|(_, entry)| wanted(entry));
        chosen
    };
    let topics: BTreeSet<&str> = visible.values().map(|e| e.topic.as_str()).collect();
    assert!(real.topics().eq(topics), "the topics");
    let all = |pool: &mut dyn Iterator<Item = String>, field: fn(&Entry) -> &String| {
        pool.chain(visible.values().map(field).cloned())
            .collect::<BTreeSet<_>>()
    };
    let topics = all(&mut (0..TOPICS).map(topic), |entry| &entry.topic);
    let keys = all(&mut (0..KEYS).map(key), |entry| &entry.key);
    let pids = all(&mut (0..PIDS).map(pid), |entry| &entry.pid);
    for t in &topics {
        let members = select(&|entry| entry.topic == *t);
        assert_eq!(real.topic_len(t), members.len(), "topic_len({t})");
        assert_eq!(
            plain_list(real.get_by_topic(t)),
            members,
            "get_by_topic({t})"
        );
        for k in &keys {
            let sessions: Vec<_> = members
                .iter()
                .filter(|(_, e)| e.key == *k)
                .cloned()
                .collect();
            for p in &pids {
                let there = sessions.iter().any(|(_, entry)| entry.pid == *p);
                assert_eq!(real.contains(p, t, k), there, "contains({p}, {t}, {k})");
            }
            assert_eq!(
                plain_list(real.get_by_key(t, k)),
                sessions,
                "get_by_key({t}, {k})"
            );
        }
    }
    for p in &pids {
        let sessions = select(&|entry| entry.pid == *p);
        assert_eq!(plain_list(real.get_by_pid(p)), sessions, "get_by_pid({p})");
    }
}

/// Digests are equal exactly where contents are.
pub fn check_digests(nodes: &[Node]) {
    for a in nodes {
        for b in nodes {
            let same = a.model.snapshot().identity() == b.model.snapshot().identity();
            assert_eq!(a.real.digest() == b.real.digest(), same, "digest equality");
        }
    }
}
