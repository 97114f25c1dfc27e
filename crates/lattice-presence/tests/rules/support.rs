//! Short ways to build states and to say what is in them.

use lattice_presence::{
    CausalContext, Diff, Digest, Dot, Presence, PresenceDelta, PresenceState, ReplicaId,
};

pub type State = PresenceState<&'static str>;
pub type Delta = PresenceDelta<&'static str>;

pub fn id(name: &str) -> ReplicaId {
    ReplicaId::new(name)
}

/// The version 7 incarnation of `base` born at `time`.
pub fn v7(base: &str, time: u8) -> ReplicaId {
    let mut uuid = [0; 16];
    (uuid[0], uuid[6], uuid[8]) = (time, 0x70, 0x80);
    ReplicaId::incarnation(base, uuid)
}

/// A version 4 incarnation of `base`: nothing orders it.
pub fn v4(base: &str, number: u8) -> ReplicaId {
    let mut uuid = [0; 16];
    (uuid[0], uuid[6], uuid[8]) = (number, 0x40, 0x80);
    ReplicaId::incarnation(base, uuid)
}

pub fn state(replica: impl Into<ReplicaId>) -> State {
    State::new(replica)
}

/// A state whose user `pid` is in topic `t` under the key `k`, once per pid.
pub fn with(replica: impl Into<ReplicaId>, pids: &[&str]) -> State {
    let mut state = state(replica);
    for pid in pids {
        join(&mut state, pid);
    }
    state
}

pub fn join(state: &mut State, pid: &str) -> Diff<&'static str> {
    state.join(pid, "t", "k", "m").unwrap()
}

/// Both ways, until both know what the other knew.
pub fn exchange(a: &mut State, b: &mut State) {
    a.merge(b).unwrap();
    b.merge(a).unwrap();
}

/// A copy with the same name and content, as from a saved snapshot.
pub fn copy(state: &State) -> State {
    State::from_snapshot(state.snapshot())
}

pub fn dot(replica: &ReplicaId, clock: u64) -> Dot<ReplicaId> {
    Dot {
        replica: replica.clone(),
        clock,
    }
}

pub fn entry(replica: &ReplicaId, clock: u64, pid: &str) -> Presence<&'static str> {
    Presence::new(dot(replica, clock), "t", "k", pid, "m")
}

/// A packet by `author` that has seen `seen` and holds `entries`.
pub fn packet(
    author: &str,
    seen: &[(&ReplicaId, u64)],
    entries: Vec<Presence<&'static str>>,
) -> Delta {
    let context: CausalContext<ReplicaId> =
        seen.iter().map(|(id, clock)| dot(id, *clock)).collect();
    Delta::from_parts(id(author), context, entries).unwrap()
}

/// `replica@clock pid/topic/key=meta`.
pub fn line(presence: &Presence<&'static str>) -> String {
    let dot = presence.dot();
    format!(
        "{}@{} {}/{}/{}={}",
        dot.replica,
        dot.clock,
        presence.pid(),
        presence.topic(),
        presence.key(),
        presence.meta()
    )
}

pub fn lines<'a>(entries: impl Iterator<Item = &'a Presence<&'static str>>) -> Vec<String> {
    entries.map(line).collect()
}

pub fn pids<'a>(entries: impl Iterator<Item = &'a Presence<&'static str>>) -> Vec<&'a str> {
    entries.map(Presence::pid).collect()
}

pub fn online(state: &State) -> Vec<&str> {
    pids(state.online_list())
}

/// The pids of the joins and of the leaves, sorted.
pub fn joins_and_leaves(diff: &Diff<&'static str>) -> (Vec<String>, Vec<String>) {
    let sorted = |mut pids: Vec<&str>| {
        pids.sort_unstable();
        pids.into_iter().map(str::to_owned).collect()
    };
    (sorted(pids(diff.joins())), sorted(pids(diff.leaves())))
}

#[track_caller]
pub fn assert_diff(diff: &Diff<&'static str>, joins: &[&str], leaves: &[&str]) {
    let (joined, left) = joins_and_leaves(diff);
    assert_eq!(joined, joins, "the joins");
    assert_eq!(left, leaves, "the leaves");
    assert_eq!(diff.is_empty(), joins.is_empty() && leaves.is_empty());
}

/// All that can be observed of a state without changing it.
#[derive(Debug, PartialEq)]
pub struct Frozen {
    context: CausalContext<ReplicaId>,
    digest: Digest<ReplicaId>,
    entries: Vec<String>,
    online: Vec<String>,
    topics: Vec<(String, usize)>,
    superseded_by: Option<ReplicaId>,
    debug: String,
}

impl Frozen {
    pub fn of(state: &State) -> Self {
        let topics = state
            .topics()
            .map(|topic| (topic.to_owned(), state.topic_len(topic)));
        Self {
            context: state.context().clone(),
            digest: state.digest(),
            entries: lines(state.entries()),
            online: lines(state.online_list()),
            topics: topics.collect(),
            superseded_by: state.superseded_by().cloned(),
            debug: format!("{state:?}"),
        }
    }
}
