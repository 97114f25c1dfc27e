//! Bytes that the application sends to itself on other nodes.

use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;
use lattice_presence::ReplicaId;
use tokio::sync::broadcast;

/// A message of the application that has arrived.
///
/// ```
/// use lattice_presence_node::{Node, Received};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<()>::builder("berlin-1").start().await?;
/// let mut messages = node.messages();
/// node.broadcast("room", "hello")?;
/// let Some(Received::Message(message)) = messages.next().await else { panic!("nothing") };
/// assert_eq!((&*message.topic, &message.payload[..]), ("room", &b"hello"[..]));
/// assert_eq!(&message.from, node.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The node that sent it. It may be this node.
    pub from: ReplicaId,
    /// The topic of the message.
    pub topic: Arc<str>,
    /// The bytes.
    pub payload: Bytes,
}

impl Message {
    pub(crate) const fn new(from: ReplicaId, topic: Arc<str>, payload: Bytes) -> Self {
        Self {
            from,
            topic,
            payload,
        }
    }
}

/// What a reader of messages gets. See [`Message`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A message.
    Message(Message),
    /// The reader was too slow, and missed this number of messages.
    Missed(u64),
}

/// The messages of all nodes, from the moment at which it was created. It holds at most
/// 1,024 messages. A slower reader misses some, and is told how many.
///
/// See [`Message`] for an example.
pub struct Messages {
    receiver: broadcast::Receiver<Message>,
}

impl Messages {
    pub(crate) const fn new(receiver: broadcast::Receiver<Message>) -> Self {
        Self { receiver }
    }

    /// The next message, or `None` after the node has stopped. It is safe to cancel. O(1).
    /// See [`Message`] for an example.
    pub async fn next(&mut self) -> Option<Received> {
        match self.receiver.recv().await {
            Ok(message) => Some(Received::Message(message)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Received::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}
