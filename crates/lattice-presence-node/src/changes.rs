//! Who follows every topic.

use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::Stream;

use crate::queue::Queue;
use crate::shared::Shared;
use crate::{Change, Meta};

/// What a follower of every topic gets. See [`Changes`] for an example.
#[non_exhaustive]
pub enum Followed<M> {
    /// What changed in one topic.
    Change(Arc<Change<M>>),
    /// The reader was too slow, and missed some changes: whatever it keeps is to be read
    /// anew.
    Missed,
}

impl<M: fmt::Debug> fmt::Debug for Followed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => f.debug_tuple("Change").field(change).finish(),
            Self::Missed => f.write_str("Missed"),
        }
    }
}

/// Follows every topic: every [`Change`] exactly once, in order, from the moment when it
/// was made. A reader that does not keep up gets [`Missed`](Followed::Missed) in place of
/// what waited for it.
///
/// For watch-lists, logs, and hooks that act on joins and leaves anywhere. Each change costs
/// some work even where nobody subscribes to its topic: one follower for a whole
/// application is enough.
///
/// ```
/// use lattice_presence_node::{Followed, Node};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let mut changes = node.changes();
/// let connection = node.connect();
/// connection.track("room", "alice", &1)?;
/// let Some(Followed::Change(change)) = changes.next().await else { panic!("no change") };
/// assert_eq!(&**change.topic(), "room");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Changes<M: Meta> {
    shared: Arc<Shared<M>>,
    queue: Arc<Queue<M>>,
}

impl<M: Meta> Changes<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>) -> Self {
        let queue = Arc::new(Queue::new());
        shared.registry.add_to_all(&queue);
        // Nothing was missed: it starts here.
        shared.read(|core| queue.start(core.number));
        Self { shared, queue }
    }

    /// The next change; `None` once the node has stopped. Safe to cancel. O(1). See
    /// [`Changes`] for an example.
    pub async fn next(&mut self) -> Option<Followed<M>> {
        core::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Followed<M>>> {
        let polled = self.queue.poll(context, || {
            self.shared.read(|core| self.queue.start(core.number));
            Followed::Missed
        });
        polled.map(|next| next.map(|next| next.map_or_else(|missed| missed, Followed::Change)))
    }
}

impl<M: Meta> Stream for Changes<M> {
    type Item = Followed<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Followed<M>>> {
        self.poll(context)
    }
}

impl<M: Meta> Drop for Changes<M> {
    fn drop(&mut self) {
        self.shared.registry.remove_from_all(&self.queue);
    }
}

impl<M: Meta> fmt::Debug for Changes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
