//! The sockets that are open, what they share, and how they are drained.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use lattice_presence_node::{Node, Received};
use tokio::time::Instant;

use crate::calls::View;
use crate::channel::Channel;
use crate::channels::{Channels, WATCHED};
use crate::config::Config;
use crate::message;
use crate::outbox::Outbox;
use crate::phoenix::{Closing, code};
use crate::seat::{Rules, Seats};
use crate::topic::{Command, Handle, SocketId, Topics};
use crate::watch::Watch;

pub(crate) struct Server<A: Channels> {
    pub(crate) app: A,
    pub(crate) config: Config,
    pub(crate) node: Node,
    pub(crate) start: Instant,
    topics: Arc<Topics>,
    watch: Watch,
    pub(crate) seats: Arc<Seats>,
    open: AtomicUsize,
    sockets: Mutex<HashMap<SocketId, Arc<Outbox>>>,
    next: AtomicU64,
    draining: AtomicBool,
    listens: Once,
}

impl<A: Channels> Server<A> {
    pub(crate) fn new(node: Node, app: A, config: Config) -> Arc<Self> {
        let seats = Seats::new(Rules {
            grace: config.grace,
            probe: config.probe,
            entries: config.limits.topics,
            waiting: config.sockets,
        });
        Arc::new(Self {
            app,
            seats,
            watch: Watch::new(config.batch),
            config,
            node,
            start: Instant::now(),
            topics: Arc::default(),
            open: AtomicUsize::new(0),
            sockets: Mutex::default(),
            next: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            listens: Once::new(),
        })
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn open(&self, topic: &Arc<str>) -> Handle {
        self.topics.open(&self.node, topic, self.config.batch)
    }

    /// A socket was too slow for this channel: a state again.
    pub(crate) async fn fetch(&self, channel: &Channel<A::User>) {
        if matches!(channel.inner.sees, View::Keys(_)) {
            self.watch.fetch(channel.address());
        } else {
            channel
                .inner
                .handle
                .send(Command::Fetch(channel.address()))
                .await;
        }
    }

    pub(crate) fn watch(&self, channel: &Channel<A::User>, keys: &[String]) {
        let keys = keys
            .iter()
            .take(WATCHED)
            .map(|key| key.as_str().into())
            .collect();
        self.watch.subscribe(&self.node, channel, keys);
    }

    /// A channel is gone; its entry stays where the client is expected back.
    pub(crate) async fn leave(self: &Arc<Self>, channel: Option<Channel<A::User>>, keeps: bool) {
        let Some(channel) = channel else {
            return;
        };
        channel.end(keeps);
        if matches!(channel.inner.sees, View::Keys(_)) {
            self.watch.leave(channel.address());
        }
        channel
            .inner
            .handle
            .send(Command::Leave(channel.address()))
            .await;
        let server = self.clone();
        tokio::spawn(async move { server.app.left(&channel).await });
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// A socket is open: it is told of a drain.
    pub(crate) fn began(self: &Arc<Self>, outbox: &Arc<Outbox>) -> SocketId {
        self.listen();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.sockets().insert(id, outbox.clone());
        if self.is_draining() {
            outbox.close(restart());
        }
        id
    }

    pub(crate) fn ended(&self, id: SocketId) {
        self.sockets().remove(&id);
    }

    fn sockets(&self) -> MutexGuard<'_, HashMap<SocketId, Arc<Outbox>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what other nodes say to the sockets here.
    fn listen(self: &Arc<Self>) {
        self.listens.call_once(|| {
            let (topics, mut messages) = (self.topics.clone(), self.node.messages());
            let own = self.node.id().clone();
            tokio::spawn(async move {
                while let Some(received) = messages.next().await {
                    let message = match received {
                        Received::Message(message) if message.from != own => message,
                        Received::Message(_) => continue, // told by the channel itself
                        Received::Missed(count) => {
                            tracing::warn!(count, "broadcasts of other nodes were missed");
                            continue;
                        }
                        _ => continue,
                    };
                    if let Some(handle) = topics.get(&message.topic)
                        && let Some(broadcast) = message::read(&message.topic, &message.payload)
                    {
                        handle.send(Command::Tell(Arc::new(broadcast), None)).await;
                    }
                }
            });
        });
    }

    /// One more socket, if there is room.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Permit<A>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.config.sockets {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit(self.clone()))
    }

    /// How many sockets are open.
    pub(crate) fn open_sockets(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes all sockets, spread over this time, and waits until they are closed.
    pub(crate) async fn drain(&self, over: Duration) {
        self.draining.store(true, Ordering::SeqCst);
        let sockets: Vec<Arc<Outbox>> = self.sockets().values().cloned().collect();
        let between = over / u32::try_from(sockets.len().max(1)).unwrap_or(u32::MAX);
        for outbox in sockets {
            outbox.close(restart());
            if !between.is_zero() {
                tokio::time::sleep(between).await;
            }
        }
        let enough = Instant::now() + Duration::from_secs(3);
        while self.open_sockets() > 0 && Instant::now() < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A socket that counts until it is dropped.
pub(crate) struct Permit<A: Channels>(Arc<Server<A>>);

fn restart() -> Closing {
    Closing::new(code::RESTART, "the server restarts")
}

impl<A: Channels> Drop for Permit<A> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
