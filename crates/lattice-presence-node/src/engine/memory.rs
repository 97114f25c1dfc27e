//! Several nodes in one process, with faults to inject.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lattice_presence::ReplicaId;

use super::{Engine, Events, Link, Local, SendError, StartError, To};

mod faults;

pub use faults::Faults;
use faults::Rng;

/// Connects the nodes of one process by memory. It is for tests of programs that use a
/// node.
///
/// Each clone is an engine for another node of the same network. Faults come from a seed.
/// Some calls take the name of a node. This is the name with which the node was started, or
/// the name of one incarnation.
///
/// ```
/// use lattice_presence_node::engine::{Event, Engine, Link, Local, Memory, To, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let memory = Memory::new();
/// let (events_a, _a) = events();
/// let (events_b, mut b) = events();
/// let mut link = memory.clone().start(Local::new("chat", "a"), events_a).await?;
/// let _other = memory.clone().start(Local::new("chat", "b"), events_b).await?;
///
/// link.send(To::All, "one".into()).await.unwrap();
/// memory.cut("a", "b");
/// link.send(To::All, "two".into()).await.unwrap();
/// memory.mend();
/// link.send(To::One("b"), "three".into()).await.unwrap();
///
/// assert_eq!(b.next().await, Some(Event::Connected));
/// for said in ["one", "three"] {
///     let payload = said.into();
///     assert_eq!(b.next().await, Some(Event::Message { from: "a".into(), payload }));
/// }
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Memory {
    hub: Arc<Mutex<Hub>>,
}

struct Hub {
    rng: Rng,
    faults: Faults,
    max_payload: usize,
    /// By cluster and name.
    nodes: BTreeMap<(Arc<str>, Arc<str>), Events>,
    /// Pairs of sender and receiver between whom nothing passes.
    cuts: BTreeSet<(String, String)>,
    /// Nodes without a connection.
    off: BTreeSet<String>,
}

/// The default of the longest payload.
const MAX_PAYLOAD: usize = 64 * 1024;

impl Memory {
    /// A network without faults.
    ///
    /// ```
    /// let _memory = lattice_presence_node::engine::Memory::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(0)
    }

    /// A network whose faults come from that seed.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Faults, Memory};
    ///
    /// let memory = Memory::seeded(7);
    /// memory.set_faults(Faults::none().with_loss(0.1));
    /// ```
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let hub = Hub {
            rng: Rng::new(seed),
            faults: Faults::none(),
            max_payload: MAX_PAYLOAD,
            nodes: BTreeMap::new(),
            cuts: BTreeSet::new(),
            off: BTreeSet::new(),
        };
        Self {
            hub: Arc::new(Mutex::new(hub)),
        }
    }

    /// Sets the longest payload. By default it is 64 KiB.
    ///
    /// ```
    /// let memory = lattice_presence_node::engine::Memory::new();
    /// memory.set_max_payload(1024);
    /// ```
    pub fn set_max_payload(&self, bytes: usize) {
        self.lock().max_payload = bytes;
    }

    /// Sets what goes wrong with each message from now on.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Faults, Memory};
    ///
    /// Memory::new().set_faults(Faults::none().with_duplicates(0.5));
    /// ```
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Lets nothing pass between two nodes, in either direction.
    ///
    /// ```
    /// lattice_presence_node::engine::Memory::new().cut("berlin-1", "tokyo-1");
    /// ```
    pub fn cut(&self, one: &str, other: &str) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Lets nothing pass from one node to another. The other direction still works.
    ///
    /// ```
    /// lattice_presence_node::engine::Memory::new().cut_one_way("berlin-1", "tokyo-1");
    /// ```
    pub fn cut_one_way(&self, from: &str, to: &str) {
        let cut = (from.to_string(), to.to_string());
        self.lock().cuts.insert(cut);
    }

    /// Undoes every cut.
    ///
    /// ```
    /// lattice_presence_node::engine::Memory::new().mend();
    /// ```
    pub fn mend(&self) {
        self.lock().cuts.clear();
    }

    /// Takes a node off the network, as if its broker failed. The node is told.
    ///
    /// ```
    /// lattice_presence_node::engine::Memory::new().disconnect("berlin-1");
    /// ```
    pub fn disconnect(&self, node: &str) {
        let mut hub = self.lock();
        if hub.off.insert(node.to_string()) {
            hub.each(node, |events| {
                events.disconnected("disconnected by the test");
            });
        }
    }

    /// Brings a node back that was [disconnected](Self::disconnect).
    ///
    /// ```
    /// lattice_presence_node::engine::Memory::new().reconnect("berlin-1");
    /// ```
    pub fn reconnect(&self, node: &str) {
        let mut hub = self.lock();
        if hub.off.remove(node) {
            hub.each(node, |events| {
                events.connected();
                events.lagged(None);
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        // A call never leaves the hub half changed.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hub = self.lock();
        let names = hub.nodes.keys().map(|(_, name)| name);
        f.debug_struct("Memory")
            .field("nodes", &names.collect::<Vec<_>>())
            .field("faults", &hub.faults)
            .finish_non_exhaustive()
    }
}

/// The name with which a node was started, if `name` is one of its incarnations.
fn base_of(name: &str) -> String {
    ReplicaId::new(name).base().to_string()
}

impl Hub {
    fn each(&self, node: &str, tell: impl Fn(&Events)) {
        for ((_, name), events) in &self.nodes {
            if **name == *node || base_of(name) == node {
                tell(events);
            }
        }
    }

    fn is_off(&self, name: &str) -> bool {
        !self.off.is_empty() && (self.off.contains(name) || self.off.contains(&base_of(name)))
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let (from_base, to_base) = (base_of(from), base_of(to));
        let is = |a: &str, b: &str| self.cuts.iter().any(|(from, to)| from == a && to == b);
        is(from, to) || is(&from_base, &to_base) || is(from, &to_base) || is(&from_base, to)
    }

    fn send(&mut self, local: &Local, to: To<'_>, payload: &Bytes) -> Result<(), SendError> {
        SendError::check(payload.len(), self.max_payload)?;
        if self.is_off(&local.name) {
            return Err(SendError::Disconnected);
        }
        let mut receivers = Vec::new();
        let first = (Arc::clone(&local.cluster), Arc::from(""));
        for ((cluster, name), events) in self.nodes.range(first..) {
            if *cluster != local.cluster {
                break;
            }
            let is_meant = match to {
                To::All => *name != local.name,
                To::One(one) => **name == *one && *name != local.name,
            };
            if is_meant && !self.is_off(name) && !self.is_cut(&local.name, name) {
                receivers.push(events.clone());
            }
        }
        for events in receivers {
            for delay in self.faults.draw(&mut self.rng) {
                deliver(
                    events.clone(),
                    Arc::clone(&local.name),
                    payload.clone(),
                    delay,
                );
            }
        }
        Ok(())
    }
}

fn deliver(events: Events, from: Arc<str>, payload: Bytes, delay: core::time::Duration) {
    if delay.is_zero() {
        events.offer(from, payload);
        return;
    }
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        events.offer(from, payload);
    });
}

impl Engine for Memory {
    type Link = MemoryLink;

    async fn start(self, local: Local, events: Events) -> Result<MemoryLink, StartError> {
        let key = (Arc::clone(&local.cluster), Arc::clone(&local.name));
        {
            let mut hub = self.lock();
            if hub.nodes.contains_key(&key) {
                let what = alloc::format!("`{}` is there already", local.name);
                return Err(StartError::settings(what));
            }
            if hub.is_off(&local.name) {
                return Err(StartError::connect(
                    "the memory",
                    "disconnected by the test",
                ));
            }
            events.connected();
            hub.nodes.insert(key, events);
        }
        Ok(MemoryLink {
            memory: self,
            local,
        })
    }
}

/// The link of a [`Memory`].
///
/// ```
/// use lattice_presence_node::engine::{Engine, Link, Local, Memory, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let link = Memory::new().start(Local::new("chat", "berlin-1"), events().0).await?;
/// link.close().await;
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryLink {
    memory: Memory,
    local: Local,
}

impl Link for MemoryLink {
    fn max_payload(&self) -> usize {
        self.memory.lock().max_payload
    }

    async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
        self.memory.lock().send(&self.local, to, &payload)
    }

    async fn close(self) {}
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        let key = (
            Arc::clone(&self.local.cluster),
            Arc::clone(&self.local.name),
        );
        self.memory.lock().nodes.remove(&key);
    }
}
