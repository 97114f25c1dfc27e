//! Who follows a topic: a snapshot, then every change once, or a snapshot again.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_util::Stream;
use lattice_presence::Presence;

use crate::queue::Queue;
use crate::shared::Shared;
use crate::{Change, Meta};

/// What a subscriber gets.
///
/// See [`Change`] for an example.
#[non_exhaustive]
pub enum Update<M> {
    /// Every member of the topic, at this moment: at the start, and where changes came
    /// faster than they were read. It stands in place of all that came before.
    Snapshot(Vec<Presence<M>>),
    /// What changed since the update before.
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

/// Follows one topic: a [`Snapshot`](Update::Snapshot), then every
/// [`Change`](Update::Change) exactly once, in order. A subscriber that does not keep up
/// costs at most 256 changes of 4,096 entries in all; what waits for it is then replaced by
/// one snapshot.
///
/// It is a [`Stream`], too. It ends when the node has stopped.
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

    /// The next update; `None` once the node has stopped. Safe to cancel. O(1), and
    /// O(members) for a snapshot. See [`Subscription`] for an example.
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
