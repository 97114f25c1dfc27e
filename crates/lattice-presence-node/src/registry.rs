//! Who subscribes to what.

use alloc::sync::Arc;
use alloc::vec::Vec;
use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};

use lattice_presence::Diff;
use lattice_presence_sync::Cause;

use crate::Change;
use crate::queue::Queue;

/// The subscribers of each topic.
pub(crate) struct Registry<M> {
    inner: RwLock<Inner<M>>,
}

struct Inner<M> {
    topics: HashMap<Arc<str>, Vec<Arc<Queue<M>>>>,
    /// Those of every topic.
    all: Vec<Arc<Queue<M>>>,
    closed: bool,
}

impl<M> Registry<M> {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            topics: HashMap::new(),
            all: Vec::new(),
            closed: false,
        };
        Self {
            inner: RwLock::new(inner),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<M>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<M>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, topic: &Arc<str>, queue: &Arc<Queue<M>>) {
        let mut inner = self.write();
        let queues = inner.topics.entry(Arc::clone(topic)).or_default();
        queues.push(Arc::clone(queue));
        if inner.closed {
            queue.close();
        }
    }

    pub(crate) fn remove(&self, topic: &Arc<str>, queue: &Arc<Queue<M>>) {
        let mut inner = self.write();
        if let Some(queues) = inner.topics.get_mut(topic) {
            queues.retain(|other| !Arc::ptr_eq(other, queue));
            if queues.is_empty() {
                inner.topics.remove(topic);
            }
        }
    }

    pub(crate) fn add_to_all(&self, queue: &Arc<Queue<M>>) {
        let mut inner = self.write();
        inner.all.push(Arc::clone(queue));
        if inner.closed {
            queue.close();
        }
    }

    pub(crate) fn remove_from_all(&self, queue: &Arc<Queue<M>>) {
        let mut inner = self.write();
        inner.all.retain(|other| !Arc::ptr_eq(other, queue));
    }

    /// Tells the subscribers of each topic what changed in it. How many were too slow and
    /// get a snapshot. O(changes) where somebody subscribes to one of the topics.
    pub(crate) fn tell(&self, number: u64, diff: &Diff<M>, cause: &Cause) -> u64 {
        let inner = self.read();
        let is_followed = |topic: &str| inner.topics.contains_key(topic);
        let mut entries = diff.joins().chain(diff.leaves());
        if inner.all.is_empty() && !entries.any(|entry| is_followed(entry.topic())) {
            return 0;
        }
        let mut given_up = 0;
        for of_topic in diff.topics() {
            let queues = inner.topics.get(of_topic.topic());
            if queues.is_none() && inner.all.is_empty() {
                continue;
            }
            let change = Arc::new(Change::new(&of_topic, cause));
            for queue in queues.into_iter().flatten().chain(&inner.all) {
                given_up += u64::from(queue.push(number, &change));
            }
        }
        given_up
    }

    /// A snapshot for everybody. How many there are.
    pub(crate) fn reset(&self) -> u64 {
        let mut count = 0;
        let inner = self.read();
        for queue in inner.topics.values().flatten().chain(&inner.all) {
            queue.reset();
            count += 1;
        }
        count
    }

    pub(crate) fn close(&self) {
        let mut inner = self.write();
        inner.closed = true;
        for queue in inner.topics.values().flatten().chain(&inner.all) {
            queue.close();
        }
    }

    pub(crate) fn subscribers(&self) -> usize {
        let inner = self.read();
        inner.topics.values().map(Vec::len).sum::<usize>() + inner.all.len()
    }
}
