//! Subscribers of a topic. They get a snapshot, then every change once, or a snapshot
//! again.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::Stream;
use lattice_presence::Presence;

use crate::shared::Shared;
use crate::{Change, Meta};

/// The most changes that wait for a subscriber.
const MAX_CHANGES: usize = 256;

/// The most entries in the changes that wait for a subscriber.
const MAX_ENTRIES: usize = 4_096;

/// What a subscriber gets.
///
/// See [`Change`] for an example.
#[non_exhaustive]
pub enum Update<M> {
    /// Every member of the topic, at this moment. It comes at the start. It also comes if
    /// changes were faster than the reader. It replaces everything that came before.
    Snapshot(Vec<Presence<M>>),
    /// What changed since the last update.
    Change(Arc<Change<M>>),
}

impl<M: fmt::Debug> fmt::Debug for Update<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(members) => f.debug_tuple("Snapshot").field(members).finish(),
            Self::Change(change) => f.debug_tuple("Change").field(change).finish(),
        }
    }
}

/// What a subscriber has not read yet.
pub(crate) struct Queue<M> {
    inner: Mutex<Inner<M>>,
}

struct Inner<M> {
    changes: VecDeque<Arc<Change<M>>>,
    entries: usize,
    /// The subscriber knows the view up to this number, and the changes that wait.
    known: u64,
    /// A snapshot is due. No changes wait, and none are added.
    reset: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl<M> Queue<M> {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            changes: VecDeque::new(),
            entries: 0,
            known: 0,
            reset: true,
            closed: false,
            waker: None,
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the change with this number. It returns whether the queue was replaced by a
    /// snapshot.
    pub(crate) fn push(&self, number: u64, change: &Arc<Change<M>>) -> bool {
        let mut inner = self.lock();
        if inner.reset || number <= inner.known {
            return false;
        }
        inner.entries += change.len();
        let is_full = inner.changes.len() >= MAX_CHANGES || inner.entries > MAX_ENTRIES;
        // A single change may have any size, because it exists already.
        if is_full && !inner.changes.is_empty() {
            inner.give_up();
        } else {
            inner.changes.push_back(Arc::clone(change));
        }
        let (waker, was_given_up) = (inner.waker.take(), inner.reset);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        was_given_up
    }

    /// The next change that waits. If a snapshot is due, the result of `catch_up`, which
    /// must [start](Self::start) the queue again.
    pub(crate) fn poll<S>(
        &self,
        context: &Context<'_>,
        catch_up: impl FnOnce() -> S,
    ) -> Poll<Option<Result<Arc<Change<M>>, S>>> {
        let mut inner = self.lock();
        if inner.closed {
            return Poll::Ready(None);
        }
        if let Some(change) = inner.changes.pop_front() {
            inner.entries -= change.len();
            return Poll::Ready(Some(Ok(change)));
        }
        if inner.reset {
            drop(inner);
            return Poll::Ready(Some(Err(catch_up())));
        }
        let waker = inner.waker.as_ref();
        if !waker.is_some_and(|waker| waker.will_wake(context.waker())) {
            inner.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// From now on the queue takes every change with a higher number. It is called under
    /// the lock of the view. So later changes have higher numbers, and find the queue open.
    pub(crate) fn start(&self, number: u64) {
        let mut inner = self.lock();
        inner.reset = false;
        inner.known = number;
    }

    /// Drops what waits. A snapshot is due.
    pub(crate) fn reset(&self) {
        let mut inner = self.lock();
        inner.give_up();
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// No more changes will come.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<M> Inner<M> {
    fn give_up(&mut self) {
        self.changes = VecDeque::new();
        self.entries = 0;
        self.reset = true;
    }
}

/// Follows one topic. It gives a [`Snapshot`](Update::Snapshot), and then every
/// [`Change`](Update::Change) exactly once, in order. At most 256 changes with 4,096
/// entries wait for a slow subscriber. If there are more, one snapshot replaces them.
///
/// It is also a [`Stream`]. It ends when the node has stopped.
///
/// ```
/// use lattice_presence_node::{Node, Update};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let connection = node.connect();
/// connection.track("room", "alice", &1)?;
/// let mut updates = node.topic("room").subscribe();
/// let Some(Update::Snapshot(members)) = updates.next().await else { panic!("no snapshot") };
/// assert_eq!(members[0].key(), "alice");
///
/// drop(connection);
/// let Some(Update::Change(change)) = updates.next().await else { panic!("no change") };
/// assert_eq!(change.departed(), ["alice"]);
///
/// node.shutdown().await;
/// assert!(updates.next().await.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Subscription<M: Meta> {
    shared: Arc<Shared<M>>,
    topic: Arc<str>,
    queue: Arc<Queue<M>>,
}

impl<M: Meta> Subscription<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>, topic: Arc<str>) -> Self {
        let queue = Arc::new(Queue::new());
        shared.registry.add(&topic, &queue);
        if shared.has_stopped() {
            queue.close();
        }
        Self {
            shared,
            topic,
            queue,
        }
    }

    /// The topic that it follows. See [`Subscription`] for an example.
    #[must_use]
    pub const fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The next update, or `None` after the node has stopped. It is safe to cancel. O(1),
    /// and O(members) for a snapshot. See [`Subscription`] for an example.
    pub async fn next(&mut self) -> Option<Update<M>> {
        core::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next update, if one waits.
    ///
    /// ```
    /// # use lattice_presence_node::{Node, Update};
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let mut updates = node.topic("room").subscribe();
    /// assert!(matches!(updates.try_next(), Some(Update::Snapshot(_))));
    /// assert!(updates.try_next().is_none());
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn try_next(&mut self) -> Option<Update<M>> {
        match self.poll(&Context::from_waker(Waker::noop())) {
            Poll::Ready(update) => update,
            Poll::Pending => None,
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Update<M>>> {
        let polled = self
            .queue
            .poll(context, || Update::Snapshot(self.snapshot()));
        polled.map(|next| next.map(|next| next.map_or_else(|snapshot| snapshot, Update::Change)))
    }

    /// The members now, and from now on every change.
    fn snapshot(&self) -> Vec<Presence<M>> {
        self.shared.read(|core| {
            let members = core.sync.state().get_by_topic(&self.topic);
            let members = members.cloned().collect();
            self.queue.start(core.number);
            members
        })
    }
}

impl<M: Meta> Stream for Subscription<M> {
    type Item = Update<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update<M>>> {
        self.poll(context)
    }
}

impl<M: Meta> Drop for Subscription<M> {
    fn drop(&mut self) {
        self.shared.registry.remove(&self.topic, &self.queue);
    }
}

impl<M: Meta> fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
