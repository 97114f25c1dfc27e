//! Application code that acts on changes, outside of the node's task.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;

use lattice_presence::Presence;
use tokio::task::JoinHandle;

use crate::{Change, Followed, Meta, Node};

/// What a hook gets: one change, and the entries of its keys.
///
/// ```
/// use lattice_presence_node::{Node, Event};
/// use tokio::sync::mpsc;
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let (seen, mut events) = mpsc::unbounded_channel();
/// let hook = node.on_change(move |event| {
///     let seen = seen.clone();
///     async move {
///         if let Event::Change { change, remaining } = event {
///             let _ = seen.send((change.joins().len(), remaining.len()));
///         }
///     }
/// });
/// let (laptop, phone) = (node.connect(), node.connect());
/// laptop.track("room", "alice", &1)?;
/// assert_eq!(events.recv().await, Some((1, 1)));
/// phone.track("room", "alice", &2)?;
/// assert_eq!(events.recv().await, Some((1, 2)));
/// drop(laptop);
/// assert_eq!(events.recv().await, Some((0, 1)));
/// hook.abort();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<M> {
    /// A topic changed.
    Change {
        /// The joins and the leaves.
        change: Arc<Change<M>>,
        /// The entries of the keys in the change, at the time of the call. They are at
        /// least as new as the change.
        remaining: Vec<Presence<M>>,
    },
    /// The hook was too slow, and missed some changes.
    Missed,
}

impl<M: Meta> Node<M> {
    /// Calls `hook` for every change of every topic, one after another, in a task of its
    /// own. Use it for webhooks, audit logs and counters. A slow hook delays nobody. If
    /// more than 256 changes wait, it gets [`Missed`](Event::Missed). It ends with the
    /// node, or if you abort the handle. If you only drop the handle, it continues.
    ///
    /// To enrich entries for readers, see [`Fetch`](crate::Fetch).
    ///
    /// See [`Event`] for an example.
    pub fn on_change<F>(
        &self,
        mut hook: impl FnMut(Event<M>) -> F + Send + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send,
    {
        let mut changes = self.changes();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            while let Some(followed) = changes.next().await {
                let event = match followed {
                    Followed::Missed => Event::Missed,
                    Followed::Change(change) => {
                        let remaining = shared.read(|core| {
                            let state = core.sync.state();
                            let keys = change.keys().into_iter();
                            keys.flat_map(|key| state.get_by_key(change.topic(), key))
                                .cloned()
                                .collect()
                        });
                        Event::Change { change, remaining }
                    }
                };
                hook(event).await;
            }
        })
    }
}
