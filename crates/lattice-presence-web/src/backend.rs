//! What this crate asks of presence: the seam between sockets and a node.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use lattice_presence::Presence;
use lattice_presence_json::JsonMeta;

/// An entry, shared.
pub(crate) type Entry = Presence<JsonMeta>;

/// What a reader of one topic, or of all, learns.
#[derive(Debug)]
pub(crate) enum Change {
    /// Everybody who is there, in place of what was known.
    Snapshot(Vec<Entry>),
    /// Who came and who went since.
    Diff {
        joins: Vec<Entry>,
        leaves: Vec<Entry>,
    },
}

/// A node, as sockets need it. No call waits.
pub(crate) trait Backend: Send + Sync + 'static {
    /// One pid. What it has leaves when it is dropped.
    fn connect(&self) -> Box<dyn Connection>;

    /// A snapshot and then diffs, without a gap: of one topic, or of all.
    fn watch(&self, topic: Option<&str>) -> BoxStream<'static, Change>;

    /// To the sockets of `topic` on the other nodes.
    fn publish(&self, topic: &str, message: Bytes);

    /// What other nodes published.
    fn messages(&self) -> BoxStream<'static, (Arc<str>, Bytes)>;
}

/// The entries of one pid.
pub(crate) trait Connection: Send + Sync {
    /// Joins, or replaces what stands in the slot.
    ///
    /// # Errors
    ///
    /// What peers would refuse, in words for the client. Nothing changed.
    fn track(&self, topic: &str, key: &str, meta: &JsonMeta) -> Result<(), String>;

    fn untrack(&self, topic: &str, key: &str);
}
