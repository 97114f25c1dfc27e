//! The endpoint: handshakes, open sockets, and draining.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use axum::Router;
use axum::routing::any;
use lattice_presence_node::{Node, Received};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::channel::Channel;
use crate::channels::{Channels, View, WATCHED};
use crate::config::Config;
use crate::handshake::handshake;
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

    /// A socket was too slow for this channel, so it needs a state again.
    pub(crate) async fn fetch(&self, channel: &Channel<A::User>) {
        if matches!(channel.inner.sees, View::Keys(_)) {
            self.watch.fetch(channel.place());
        } else {
            channel
                .inner
                .handle
                .send(Command::Fetch(channel.place()))
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

    /// A channel is gone. If the client may come back, its entry stays.
    pub(crate) async fn leave(self: &Arc<Self>, channel: Option<Channel<A::User>>, keeps: bool) {
        let Some(channel) = channel else {
            return;
        };
        channel.end(keeps);
        if matches!(channel.inner.sees, View::Keys(_)) {
            self.watch.leave(channel.place());
        }
        channel
            .inner
            .handle
            .send(Command::Leave(channel.place()))
            .await;
        let server = self.clone();
        tokio::spawn(async move { server.app.left(&channel).await });
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// A socket is open, and learns of a drain.
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

    /// Sends what other nodes say to the sockets of this node.
    fn listen(self: &Arc<Self>) {
        self.listens.call_once(|| {
            let (topics, mut messages) = (self.topics.clone(), self.node.messages());
            let own = self.node.id().clone();
            tokio::spawn(async move {
                while let Some(received) = messages.next().await {
                    let message = match received {
                        Received::Message(message) if message.from != own => message,
                        Received::Message(_) => continue, // the channel itself has sent it
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

/// The endpoint of the clients. It is cheap to clone.
///
/// If you have no settings and do not drain, [`phoenix`](crate::phoenix()) is shorter.
pub struct Web<A: Channels> {
    server: Arc<Server<A>>,
}

impl<A: Channels> Clone for Web<A> {
    fn clone(&self) -> Self {
        Self {
            server: self.server.clone(),
        }
    }
}

impl<A: Channels> core::fmt::Debug for Web<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Web")
            .field("sockets", &self.sockets())
            .finish_non_exhaustive()
    }
}

impl<A: Channels> Web<A> {
    /// An endpoint of this node, for this application. O(1).
    #[must_use]
    pub fn new(node: Node, app: A, config: Config) -> Self {
        Self {
            server: Server::new(node, app, config),
        }
    }

    /// The routes. Nest them under `/socket` for `new Socket("/socket")`, or under
    /// `/realtime/v1` for clients of Supabase. O(1).
    pub fn router(&self) -> Router {
        Router::new()
            .route("/websocket", any(handshake::<A>))
            .with_state(self.server.clone())
    }

    /// How many sockets are open. O(1).
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.server.open.load(Ordering::Relaxed)
    }

    /// Closes all sockets with the code 1012, one after another over this time. Their
    /// clients connect again, to another node. New sockets are refused with 503. The
    /// entries stay for the time of grace. It returns when all are closed, or had enough
    /// time for it.
    pub async fn drain(&self, over: Duration) {
        self.server.draining.store(true, Ordering::SeqCst);
        let sockets: Vec<Arc<Outbox>> = self.server.sockets().values().cloned().collect();
        let between = over / u32::try_from(sockets.len().max(1)).unwrap_or(u32::MAX);
        for outbox in sockets {
            outbox.close(restart());
            if !between.is_zero() {
                tokio::time::sleep(between).await;
            }
        }
        let enough = Instant::now() + Duration::from_secs(3);
        while self.sockets() > 0 && Instant::now() < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Serves `app` until `stop` is done. Then it [drains](Self::drain) the sockets over
    /// this time, and [shuts the node down](Node::shutdown), which tells the peers.
    ///
    /// # Errors
    ///
    /// The errors of the listener.
    ///
    /// ```no_run
    /// # use core::time::Duration;
    /// # use axum::Router;
    /// # use lattice_presence_web::{Channels, Web, stop_signal};
    /// # async fn run<A: Channels>(web: Web<A>) -> std::io::Result<()> {
    /// let app = Router::new().nest("/socket", web.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// web.serve(listener, app, stop_signal(), Duration::from_secs(20)).await
    /// # }
    /// ```
    pub async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()>,
        over: Duration,
    ) -> io::Result<()> {
        let stopped = async {
            stop.await;
            self.drain(over).await;
            self.server.node.shutdown().await;
        };
        // It listens while it drains, and tells new clients that the server restarts.
        // Connections that browsers keep open do not delay the end.
        tokio::select! {
            served = axum::serve(listener, app).into_future() => served,
            () = stopped => Ok(()),
        }
    }
}

/// Waits until the process is told to stop, by Ctrl-C or by a service manager (SIGTERM).
/// It must be called in a tokio runtime with I/O.
///
/// See [`Web::serve`] for an example.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
