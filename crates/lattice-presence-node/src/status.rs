//! What a node knows of itself, its peers and its engine.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use lattice_presence_sync::{Liveness, PeerStatus, RefusedCounts};
use serde::Serialize;

use crate::Meta;
use crate::lock::lock;
use crate::shared::Shared;
use crate::stats::get;

/// What a node knows at one moment; see [`Node::status`](crate::Node::status). It
/// serializes as the body of a health endpoint.
///
/// ```
/// use lattice_presence_node::{Node, View};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<()>::builder("berlin-1").start().await?;
/// let status = node.status();
/// // Nobody is seen. Is nobody there, or do we not know yet?
/// assert_eq!((status.entries, status.view), (0, View::Starting));
/// assert!(!status.is_ready());
///
/// tokio::time::sleep(std::time::Duration::from_secs(6)).await;
/// assert_eq!(node.status().view, View::Settled); // nobody is there
/// let json = serde_json::to_string(&node.status()).unwrap();
/// assert!(json.contains(r#""view":"settled""#));
/// # Ok::<(), lattice_presence_node::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The name of the node.
    pub node: String,
    /// This life of it.
    pub id: String,
    /// The cluster.
    pub cluster: String,
    /// Whether it runs.
    pub phase: Phase,
    /// How much of the cluster it knows.
    pub view: View,
    /// How many entries are seen, over all topics and nodes.
    pub entries: usize,
    /// How long it runs, in milliseconds.
    pub running_ms: u64,
    /// Whether the engine has a connection.
    pub engine: EngineStatus,
    /// Every other life of a node that is known, those that are down included.
    pub peers: Vec<Peer>,
    /// Senders that are no peers: of other clusters or versions, or liars.
    pub strangers: Vec<StrangerStatus>,
    /// Messages that found no room here, by sender, of at most 256 of them: one that is
    /// alone in it sends more than its share, several say that this node does not keep up.
    pub lagged: BTreeMap<String, u64>,
    /// What was counted since the start.
    pub counts: Counts,
}

/// Whether a node runs. See [`Status`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
#[non_exhaustive]
pub enum Phase {
    /// It runs.
    Running,
    /// It has said goodbye.
    Leaving,
    /// A newer process has its name: drain it, and stop.
    Superseded {
        /// The newer one.
        by: String,
    },
    /// It has stopped.
    Stopped,
}

/// How much of the cluster a node knows. See [`Status`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum View {
    /// It has not heard enough yet: that nobody is seen means nothing.
    Starting,
    /// Of everybody who is up it holds what they say that they hold.
    Settled,
    /// Something of a peer is missing, and is being asked for.
    Behind,
    /// Nobody is heard any more, though somebody was: what is seen may be old.
    Isolated,
}

/// Whether an engine has a connection. See [`Status`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EngineStatus {
    /// Whether it says that it reaches others.
    pub connected: bool,
    /// For how long that is so, in milliseconds.
    pub for_ms: u64,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// The longest payload that it carries.
    pub max_payload: usize,
}

/// What is known of one peer. See [`Status`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Peer {
    /// The name of the node.
    pub node: String,
    /// This life of it.
    pub id: String,
    /// `up`, `stale`, `leaving` or `down`.
    pub status: &'static str,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// How long ago it was heard, in milliseconds; none where others only spoke of it.
    pub heard_ms_ago: Option<u64>,
    /// Whether this node holds of it what it says that it holds.
    pub agrees: bool,
    /// Whether something of it is being asked for.
    pub repairing: bool,
    /// Whether its memory is freed.
    pub forgotten: bool,
    /// What was refused of it, by kind.
    pub refused: BTreeMap<&'static str, u64>,
    /// Why it does not take what this node says.
    pub refuses_us: Option<String>,
}

/// A sender that is no peer. See [`Status`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StrangerStatus {
    /// Its name, as the engine says it.
    pub id: String,
    /// How long ago it was heard, in milliseconds.
    pub heard_ms_ago: u64,
    /// Why it is not taken.
    pub reason: Option<String>,
    /// What was refused of it, by kind.
    pub refused: BTreeMap<&'static str, u64>,
    /// Why it does not take what this node says.
    pub refuses_us: Option<String>,
}

/// What a node counted since its start. See [`Status`] for an example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that came in.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages that went out.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Messages that came in and wait, as of the last second.
    pub inbox: u64,
    /// Messages that could not be read.
    pub unreadable: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// Messages that were lost on their way here, as far as it is known.
    pub lagged: u64,
    /// Messages that were not sent: the engine was away, or slow.
    pub unsent: u64,
    /// Questions asked of peers.
    pub questions: u64,
    /// Answers given to peers.
    pub answers: u64,
    /// Answers that brought what was missing.
    pub repairs: u64,
    /// Questions that nobody answered in time.
    pub unanswered: u64,
    /// Subscribers that were too slow, and got a snapshot.
    pub queue_resets: u64,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn counted(refused: &RefusedCounts) -> BTreeMap<&'static str, u64> {
    refused.iter().filter(|(_, count)| *count > 0).collect()
}

impl Peer {
    fn new(peer: &PeerStatus<'_>, now: Duration) -> Self {
        let ago = |time: Duration| ms(now.saturating_sub(time));
        Self {
            node: peer.id.base().to_string(),
            id: peer.id.as_str().to_string(),
            status: match peer.liveness {
                Liveness::Up => "up",
                Liveness::Stale => "stale",
                Liveness::Leaving => "leaving",
                _ => "down",
            },
            for_ms: ago(peer.since),
            heard_ms_ago: peer.last_heard.map(ago),
            agrees: peer.agrees_since.is_some(),
            repairing: peer.repairing,
            forgotten: peer.forgotten,
            refused: counted(peer.refused),
            refuses_us: peer.refuses_us.map(ToString::to_string),
        }
    }
}

impl Status {
    pub(crate) fn new<M: Meta>(shared: &Shared<M>) -> Self {
        let connected = lock(&shared.connected).clone();
        let stats = &shared.stats;
        shared.read(|core| {
            // Under the lock: nothing that is reported is later than now.
            let now = shared.now();
            let (sync, ago) = (&core.sync, |time| ms(now.saturating_sub(time)));
            let counters = sync.counters();
            let is_starting = !core.has_settled && !sync.is_settled();
            Self {
                node: shared.id.base().to_string(),
                id: shared.id.as_str().to_string(),
                cluster: shared.cluster.to_string(),
                phase: match sync.superseded_by() {
                    _ if shared.has_stopped() => Phase::Stopped,
                    Some(by) => Phase::Superseded {
                        by: by.as_str().to_string(),
                    },
                    None if shared.is_leaving() => Phase::Leaving,
                    None => Phase::Running,
                },
                view: match sync.is_settled() {
                    _ if sync.is_isolated() => View::Isolated,
                    _ if is_starting => View::Starting,
                    true => View::Settled,
                    false => View::Behind,
                },
                entries: sync.state().len(),
                running_ms: ms(now),
                engine: EngineStatus {
                    connected: connected.is_connected,
                    for_ms: ago(connected.since),
                    reason: connected.reason,
                    max_payload: shared.max_payload(),
                },
                peers: sync.peers().map(|peer| Peer::new(&peer, now)).collect(),
                strangers: sync
                    .strangers()
                    .map(|(id, stranger)| StrangerStatus {
                        id: id.as_str().to_string(),
                        heard_ms_ago: ago(stranger.last_heard),
                        reason: stranger.last.as_ref().map(ToString::to_string),
                        refused: counted(&stranger.refused),
                        refuses_us: stranger.refuses_us.as_ref().map(ToString::to_string),
                    })
                    .collect(),
                lagged: stats.lagged_by_sender(),
                counts: Counts {
                    messages_in: get(&stats.messages_in),
                    bytes_in: get(&stats.bytes_in),
                    messages_out: get(&stats.messages_out),
                    bytes_out: get(&stats.bytes_out),
                    inbox: get(&stats.inbox),
                    unreadable: get(&stats.unreadable),
                    refused: counters.refused,
                    lagged: get(&stats.lagged),
                    unsent: get(&stats.unsent),
                    questions: counters.questions,
                    answers: counters.answers,
                    repairs: counters.repairs,
                    unanswered: counters.unanswered,
                    queue_resets: get(&stats.resets),
                },
            }
        })
    }

    /// Whether the node should get traffic: it runs, and has known the cluster at least
    /// once. It stays ready while something is missing, and when nobody is heard any more:
    /// its users are on it all the same.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    /// assert!(node.status().is_ready());
    /// node.drain();
    /// assert!(!node.status().is_ready());
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.view != View::Starting
    }
}
