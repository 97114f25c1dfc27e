//! What changed in one topic.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use lattice_presence::{Presence, TopicDiff};
use lattice_presence_sync::Cause;

/// What changed in one topic, at one moment.
///
/// ```
/// use lattice_presence_node::{Node, Update};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let mut updates = node.topic("room").subscribe();
/// assert!(matches!(updates.next().await, Some(Update::Snapshot(members)) if members.is_empty()));
/// let connection = node.connect();
/// connection.track("room", "alice", &1)?;
/// let Some(Update::Change(change)) = updates.next().await else { panic!("no change") };
/// assert_eq!((change.joins().len(), change.arrived()), (1, &["alice".to_string()][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Change<M> {
    topic: Arc<str>,
    joins: Vec<Presence<M>>,
    leaves: Vec<Presence<M>>,
    arrived: Vec<String>,
    departed: Vec<String>,
    cause: Cause,
}

impl<M> Change<M> {
    pub(crate) fn new(diff: &TopicDiff<'_, M>, cause: &Cause) -> Self {
        let entries = |of: &[&Presence<M>]| of.iter().map(|entry| (*entry).clone()).collect();
        let names = |of: &[&str]| of.iter().map(|&name| name.into()).collect();
        let first = diff.joins().first().or_else(|| diff.leaves().first());
        Self {
            topic: first.map_or_else(
                || diff.topic().into(),
                |entry| Arc::clone(entry.shared_topic()),
            ),
            joins: entries(diff.joins()),
            leaves: entries(diff.leaves()),
            arrived: names(diff.arrived()),
            departed: names(diff.departed()),
            cause: cause.clone(),
        }
    }

    /// The topic. See [`Change`] for an example.
    #[must_use]
    pub const fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The entries that appeared, in dot order. An update is a leave and a join of one
    /// slot. See [`Change`] for an example.
    #[must_use]
    pub fn joins(&self) -> &[Presence<M>] {
        &self.joins
    }

    /// The entries that disappeared, in dot order. See [`Change`] for an example.
    #[must_use]
    pub fn leaves(&self) -> &[Presence<M>] {
        &self.leaves
    }

    /// The keys that had no entry before, and have one now. These users have just arrived.
    /// Ascending. See [`Change`] for an example.
    #[must_use]
    pub fn arrived(&self) -> &[String] {
        &self.arrived
    }

    /// The keys whose last entry left. Ascending. See [`Change`] for an example.
    #[must_use]
    pub fn departed(&self) -> &[String] {
        &self.departed
    }

    /// Why it changed. See [`Change`] for an example.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The keys that it names, each once.
    pub(crate) fn keys(&self) -> BTreeSet<&str> {
        let entries = self.joins.iter().chain(&self.leaves);
        entries.map(Presence::key).collect()
    }

    /// How many entries it names. O(1).
    pub(crate) fn len(&self) -> usize {
        self.joins.len() + self.leaves.len()
    }
}

impl<M: fmt::Debug> fmt::Debug for Change<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("topic", &self.topic)
            .field("joins", &self.joins)
            .field("leaves", &self.leaves)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
