//! One simulated process: the machine, and everything that its caller would see of it.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_presence::{Dot, Presence, PresenceState, ReplicaId};
use lattice_presence_sync::{Cause, Config, Event, Sync};

/// The content of an entry. It is enough to distinguish two entries.
pub(crate) type Meta = u32;

/// A process that runs a machine, with a clock of its own.
pub(crate) struct Host {
    pub(crate) id: ReplicaId,
    pub(crate) sync: Sync<Meta>,
    /// What the diffs of all events add up to (rule R10).
    pub(crate) seen: BTreeMap<Dot<ReplicaId>, Presence<Meta>>,
    /// What its clock shows at the start of the world.
    clock: i64,
    started: Duration,
    /// It stands still until then: it was stopped, or its machine sleeps.
    pub(crate) frozen_until: Duration,
    /// Its transport takes nothing until then.
    pub(crate) busy_until: Duration,
    /// When it is to be woken next.
    pub(crate) wake_at: Option<Duration>,
    /// Keys that departed here, and when.
    pub(crate) departed: Vec<(String, Duration)>,
    pub(crate) superseded: usize,
    pub(crate) calls: u64,
}

/// What the clock of a process shows at its start, in nanoseconds: one that is set back must not
/// stand still at zero.
const CLOCK: i64 = 3_600_000_000_000;

impl Host {
    pub(crate) fn start(id: ReplicaId, config: &Config, seed: u64, now: Duration) -> Self {
        let state = PresenceState::new(id.clone());
        Self {
            sync: Sync::new(state, config.clone(), seed).expect("a configuration that works"),
            id,
            seen: BTreeMap::new(),
            clock: CLOCK,
            started: now,
            frozen_until: Duration::ZERO,
            busy_until: Duration::ZERO,
            wake_at: None,
            departed: Vec::new(),
            superseded: 0,
            calls: 0,
        }
    }

    /// What its clock shows at `now`.
    pub(crate) fn time(&self, now: Duration) -> Duration {
        let nanos = (now - self.started).as_nanos() as i64 + self.clock;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// When its clock will show `time`, not before `now`.
    pub(crate) fn world_time(&self, time: Duration, now: Duration) -> Duration {
        now + time.saturating_sub(self.time(now))
    }

    /// Its clock jumps.
    pub(crate) fn step_clock(&mut self, by: i64) {
        self.clock += by;
    }

    /// Takes the events of the last call, and checks that they are the whole truth.
    pub(crate) fn take_events(&mut self, now: Duration) {
        self.calls += 1;
        while let Some(event) = self.sync.poll_event() {
            match event {
                Event::Changed { diff, cause } => {
                    assert!(!diff.is_empty(), "an empty diff was reported");
                    for entry in diff.leaves() {
                        let gone = self.seen.remove(entry.dot());
                        assert!(gone.is_some(), "{}: {:?} left twice", self.id, entry.dot());
                    }
                    for entry in diff.joins() {
                        let before = self.seen.insert(entry.dot().clone(), entry.clone());
                        assert!(
                            before.is_none(),
                            "{}: {:?} joined twice",
                            self.id,
                            entry.dot()
                        );
                    }
                    if !matches!(cause, Cause::Local) {
                        for topic in diff.topics() {
                            let keys = topic.departed().iter();
                            self.departed
                                .extend(keys.map(|key| ((*key).to_owned(), now)));
                        }
                    }
                }
                Event::Superseded { .. } => self.superseded += 1,
                _ => {}
            }
        }
        assert!(self.superseded <= 1, "{}: superseded twice", self.id);
        // The full comparison costs O(visible entries). It is made at every call if there are
        // few, and otherwise from time to time. The count is compared at every call.
        let state = self.sync.state();
        assert_eq!(self.seen.len(), state.len(), "{}: R10, the count", self.id);
        if self.seen.len() <= 64 || self.calls.is_multiple_of(512) {
            let shown = state.online_list().map(Presence::dot);
            assert!(self.seen.keys().eq(shown), "{}: R10, the entries", self.id);
        }
    }

    /// The entries that this process holds itself.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Presence<Meta>> {
        let list = self.sync.state().online_list();
        list.filter(|entry| entry.dot().replica == self.id)
    }
}
