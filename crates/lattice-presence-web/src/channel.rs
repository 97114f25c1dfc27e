//! A joined channel, as the application holds it.

use alloc::sync::Arc;
use core::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use lattice_presence_json::JsonMeta;
use lattice_presence_node::Node;

use crate::calls::{Refused, View};
use crate::message;
use crate::outbox::Outbox;
use crate::phoenix::{self, Broadcast, ChannelId, Payload, Ref};
use crate::seat::Sitting;
use crate::topic::{Address, Command, Handle, SocketId};

/// A channel that a client has joined. Cheap to clone; it may be kept, and does
/// nothing any more once the client has left.
///
/// ```
/// use lattice_presence_web::phoenix::Payload;
/// use lattice_presence_web::{Channel, Reply};
///
/// async fn said(channel: &Channel<String>, text: &str) -> Reply {
///     let line = Payload::new(&[channel.user(), text]).unwrap();
///     channel.broadcast("said", line).await;
///     Reply::ok()
/// }
/// ```
pub struct Channel<U> {
    pub(crate) inner: Arc<Inner<U>>,
}

pub(crate) struct Inner<U> {
    pub(crate) user: Arc<U>,
    pub(crate) topic: Arc<str>,
    pub(crate) id: ChannelId,
    pub(crate) socket: SocketId,
    pub(crate) join_ref: Option<Ref>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) seat: Sitting,
    pub(crate) handle: Handle,
    pub(crate) node: Node,
    /// Under which key the client may track itself.
    pub(crate) tracks: Option<Box<str>>,
    pub(crate) broadcasts: bool,
    pub(crate) supabase: bool,
    pub(crate) sees: View,
    pub(crate) live: Mutex<bool>,
}

impl<U> Clone for Channel<U> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<U> fmt::Debug for Channel<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("topic", &self.inner.topic)
            .finish_non_exhaustive()
    }
}

impl<U> Channel<U> {
    /// Who is on the socket.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// fn name(channel: &Channel<String>) -> &str {
    ///     channel.user()
    /// }
    /// ```
    #[must_use]
    pub fn user(&self) -> &U {
        &self.inner.user
    }

    /// The topic.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// fn room(channel: &Channel<String>) -> Option<&str> {
    ///     channel.topic().strip_prefix("room:")
    /// }
    /// ```
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.inner.topic
    }

    /// The key of its entry, if it has one.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// fn is_seen(channel: &Channel<String>) -> bool {
    ///     channel.key().is_some()
    /// }
    /// ```
    #[must_use]
    pub fn key(&self) -> Option<Box<str>> {
        let entry = self.inner.seat.entry(&self.inner.topic)?;
        Some(entry.key().into())
    }

    /// Makes the entry of this channel, or changes it: an update of one step. The same
    /// again changes nothing.
    ///
    /// # Errors
    ///
    /// What peers would refuse, and a channel that is gone. Nothing changed.
    ///
    /// ```
    /// # use lattice_presence_web::{Channel, Refused};
    /// fn away(channel: &Channel<String>) -> Result<(), Refused> {
    ///     channel.track(channel.user(), r#"{"status":"away"}"#.parse().unwrap())
    /// }
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "what is stored")]
    pub fn track(&self, key: &str, meta: JsonMeta) -> Result<(), Refused> {
        // Held meanwhile: a leave that comes now must find the entry, or prevent it.
        let live = self
            .inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*live {
            return Err(Refused::new("the channel is gone"));
        }
        self.inner
            .seat
            .track(&self.inner.topic, key, &meta)
            .map_err(Refused::new)
    }

    /// Takes the entry out. Nothing happens where there is none.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// fn hide(channel: &Channel<String>) {
    ///     channel.untrack();
    /// }
    /// ```
    pub fn untrack(&self) {
        let live = self
            .inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *live {
            self.inner.seat.untrack(&self.inner.topic);
        }
    }

    /// Sends an event to this client alone.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// # use lattice_presence_web::phoenix::Payload;
    /// fn welcome(channel: &Channel<String>) {
    ///     channel.push("welcome", &Payload::empty());
    /// }
    /// ```
    pub fn push(&self, event: &str, payload: &Payload) {
        let Inner {
            join_ref,
            outbox,
            topic,
            ..
        } = &*self.inner;
        outbox.push(phoenix::encode_push(
            outbox.version(),
            join_ref.as_ref(),
            topic,
            event,
            payload,
        ));
    }

    /// Sends an event to everybody in the topic, on every node, this client included.
    /// On other nodes it is sent once, and may be lost.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// # use lattice_presence_web::phoenix::Payload;
    /// async fn ring(channel: &Channel<String>) {
    ///     channel.broadcast("ring", Payload::empty()).await;
    /// }
    /// ```
    pub async fn broadcast(&self, event: &str, payload: Payload) {
        self.tell(event, payload, None).await;
    }

    /// As [`broadcast`](Self::broadcast), without this client.
    ///
    /// ```
    /// # use lattice_presence_web::Channel;
    /// # use lattice_presence_web::phoenix::Payload;
    /// async fn typing(channel: &Channel<String>) {
    ///     channel.broadcast_from("typing", Payload::empty()).await;
    /// }
    /// ```
    pub async fn broadcast_from(&self, event: &str, payload: Payload) {
        self.tell(event, payload, Some(self.address())).await;
    }

    async fn tell(&self, event: &str, payload: Payload, except: Option<Address>) {
        let Inner { topic, handle, .. } = &*self.inner;
        if let Some(bytes) = message::write(event, &payload, None) {
            self.publish(bytes);
        }
        let broadcast = Arc::new(Broadcast::new(topic, event, payload));
        handle.send(Command::Tell(broadcast, except)).await;
    }

    /// Supabase's broadcast.
    pub(crate) async fn tell_user(
        &self,
        event: &str,
        payload: Payload,
        metadata: String,
        to_self: bool,
    ) {
        let Inner { topic, handle, .. } = &*self.inner;
        let bytes: Option<Bytes> = message::write(event, &payload, Some(&metadata));
        if let Some(bytes) = bytes {
            self.publish(bytes);
        }
        let broadcast = Arc::new(Broadcast::user(topic, event, payload, metadata));
        let except = (!to_self).then(|| self.address());
        handle.send(Command::Tell(broadcast, except)).await;
    }

    /// To the sockets of the other nodes.
    fn publish(&self, bytes: Bytes) {
        if let Err(error) = self.inner.node.broadcast(self.inner.topic.clone(), bytes) {
            tracing::warn!(topic = &*self.inner.topic, %error, "other nodes do not hear this");
        }
    }

    pub(crate) fn address(&self) -> Address {
        (self.inner.socket, self.inner.id)
    }

    /// The client has left: from now on nothing can be tracked.
    pub(crate) fn end(&self, keeps_entry: bool) {
        let mut live = self
            .inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *live = false;
        if !keeps_entry {
            self.inner.seat.untrack(&self.inner.topic);
        }
    }
}
