//! Entries together with what the application knows of their keys: names, pictures, rights.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;

use lattice_presence::Presence;

use crate::{Change, Meta, Subscription, Topic, Update};

/// What an application knows of keys. A key without data is not in it.
pub type Fetched<E> = BTreeMap<String, E>;

/// Looks up what the application knows of the keys in a topic.
///
/// It is called once for each read and each update, with all their keys, each key once. So
/// a whole room needs one query of a database. It runs in the task of the reader, and never
/// in a task of the node. If it is slow or panics, only its own reader is affected.
///
/// It is a value, so it can cache what it has looked up:
///
/// ```
/// use std::collections::HashMap;
/// use lattice_presence_node::{Fetch, Fetched};
///
/// #[derive(Default)]
/// struct Names(HashMap<String, String>);
///
/// impl Fetch for Names {
///     type Extra = String;
///
///     async fn fetch(&mut self, _topic: &str, keys: Vec<String>) -> Fetched<String> {
///         let mut name_of = |key: String| {
///             let name = self.0.entry(key).or_insert_with_key(|key| key.to_uppercase());
///             name.clone()
///         };
///         keys.into_iter().map(|key| (key.clone(), name_of(key))).collect()
///     }
/// }
/// ```
pub trait Fetch: Send {
    /// What the application adds to a key.
    type Extra: Clone + Send;

    /// Looks up these keys. They are ascending, and each comes once.
    fn fetch(
        &mut self,
        topic: &str,
        keys: Vec<String>,
    ) -> impl Future<Output = Fetched<Self::Extra>> + Send;
}

/// An entry, and what was fetched for its key. See [`Topic::members_with`] for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Enriched<M, E> {
    /// The entry.
    pub entry: Presence<M>,
    /// What was fetched. `None` if the application knows nothing.
    pub extra: Option<E>,
}

/// What a subscriber gets, together with what was fetched. See [`Subscription::next_with`]
/// for an example.
#[non_exhaustive]
pub enum EnrichedUpdate<M, E> {
    /// Every member of the topic.
    Snapshot(Vec<Enriched<M, E>>),
    /// What changed, and what was fetched for the keys that joined.
    Change {
        /// The change.
        change: Arc<Change<M>>,
        /// What was fetched. There is nothing for keys that only left.
        extra: Fetched<E>,
    },
}

impl<M: fmt::Debug, E: fmt::Debug> fmt::Debug for EnrichedUpdate<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(members) => f.debug_tuple("Snapshot").field(members).finish(),
            Self::Change { change, extra } => f
                .debug_struct("Change")
                .field("change", change)
                .field("extra", extra)
                .finish(),
        }
    }
}

/// The keys of entries, each once. If there are none, `fetch` is not called.
async fn extras<M, F: Fetch>(
    fetch: &mut F,
    topic: &str,
    entries: &[Presence<M>],
) -> Fetched<F::Extra> {
    let keys: BTreeSet<&str> = entries.iter().map(Presence::key).collect();
    if keys.is_empty() {
        return Fetched::new();
    }
    let keys = keys.into_iter().map(ToString::to_string).collect();
    fetch.fetch(topic, keys).await
}

async fn enrich<M: Meta, F: Fetch>(
    fetch: &mut F,
    topic: &str,
    entries: Vec<Presence<M>>,
) -> Vec<Enriched<M, F::Extra>> {
    let extras = extras(fetch, topic, &entries).await;
    let with_extra = |entry: Presence<M>| {
        let extra = extras.get(entry.key()).cloned();
        Enriched { entry, extra }
    };
    entries.into_iter().map(with_extra).collect()
}

impl<M: Meta> Topic<M> {
    /// Its [`members`](Self::members), together with what the application knows of their
    /// keys. The members are read before `fetch` is called, and no lock is held while
    /// `fetch` runs. O(members · log keys), and the cost of `fetch`.
    ///
    /// ```
    /// use lattice_presence_node::{Fetch, Fetched, Node};
    ///
    /// struct Names;
    ///
    /// impl Fetch for Names {
    ///     type Extra = &'static str;
    ///
    ///     async fn fetch(&mut self, _: &str, keys: Vec<String>) -> Fetched<&'static str> {
    ///         assert_eq!(keys, ["u1", "u2"]); // once, though there are three entries
    ///         Fetched::from([("u1".to_string(), "Alice")])
    ///     }
    /// }
    ///
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let (laptop, phone) = (node.connect(), node.connect());
    /// laptop.track("room", "u1", &1)?;
    /// phone.track("room", "u1", &2)?;
    /// phone.track("room", "u2", &3)?;
    /// let members = node.topic("room").members_with(&mut Names).await;
    /// let names: Vec<_> = members.iter().map(|member| member.extra).collect();
    /// assert_eq!(names, [Some("Alice"), Some("Alice"), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn members_with<F: Fetch>(&self, fetch: &mut F) -> Vec<Enriched<M, F::Extra>> {
        enrich(fetch, self.name(), self.members()).await
    }
}

impl<M: Meta> Subscription<M> {
    /// The [`next`](Self::next) update, together with what the application knows of the
    /// keys in it. `None` after the node has stopped. While `fetch` runs, changes wait as
    /// for any slow subscriber. If they are too many, the next update is a snapshot.
    ///
    /// It is **not** safe to cancel: if `fetch` does not run to its end, the update is
    /// lost.
    ///
    /// ```
    /// use lattice_presence_node::{EnrichedUpdate, Fetch, Fetched, Node};
    ///
    /// struct Lengths;
    ///
    /// impl Fetch for Lengths {
    ///     type Extra = usize;
    ///
    ///     async fn fetch(&mut self, _: &str, keys: Vec<String>) -> Fetched<usize> {
    ///         keys.into_iter().map(|key| (key.clone(), key.len())).collect()
    ///     }
    /// }
    ///
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let mut updates = node.topic("room").subscribe();
    /// assert!(matches!(
    ///     updates.next_with(&mut Lengths).await,
    ///     Some(EnrichedUpdate::Snapshot(members)) if members.is_empty()
    /// ));
    /// let connection = node.connect();
    /// connection.track("room", "alice", &1)?;
    /// let Some(EnrichedUpdate::Change { change, extra }) = updates.next_with(&mut Lengths).await
    /// else { panic!("no change") };
    /// assert_eq!((change.arrived(), extra["alice"]), (&["alice".to_string()][..], 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn next_with<F: Fetch>(
        &mut self,
        fetch: &mut F,
    ) -> Option<EnrichedUpdate<M, F::Extra>> {
        let update = self.next().await?;
        let topic = Arc::clone(self.topic());
        Some(match update {
            Update::Snapshot(members) => {
                EnrichedUpdate::Snapshot(enrich(fetch, &topic, members).await)
            }
            Update::Change(change) => {
                let extra = extras(fetch, &topic, change.joins()).await;
                EnrichedUpdate::Change { change, extra }
            }
        })
    }
}
