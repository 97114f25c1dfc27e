//! The engine of a node without peers.

use bytes::Bytes;

use super::{Engine, Events, Link, Local, SendError, StartError, To};

/// No peers: one process, and no network. A node without an engine uses it.
///
/// ```
/// use lattice_presence_node::engine::{Alone, BoxedEngine};
///
/// let _engine = BoxedEngine::new(Alone);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Engine for Alone {
    type Link = AloneLink;

    async fn start(self, _: Local, events: Events) -> Result<AloneLink, StartError> {
        events.connected();
        Ok(AloneLink { _events: events })
    }
}

/// The link of [`Alone`]. It accepts payloads, and nobody gets them.
///
/// ```
/// use lattice_presence_node::engine::{Alone, Engine, Link, Local, To, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let mut link = Alone.start(Local::new("chat", "berlin-1"), events().0).await?;
/// assert!(link.send(To::All, "anybody?".into()).await.is_ok());
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct AloneLink {
    /// It is dropped with the link. Then the node sees that the engine has ended.
    _events: Events,
}

/// Nobody gets a payload, so it may have almost any length.
const MAX_PAYLOAD: usize = 1024 * 1024;

impl Link for AloneLink {
    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    async fn send(&mut self, _: To<'_>, payload: Bytes) -> Result<(), SendError> {
        SendError::check(payload.len(), MAX_PAYLOAD)
    }

    async fn close(self) {}
}
