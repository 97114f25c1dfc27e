//! The endpoint: handshakes, the sockets that are open, and how they are drained.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::FuturesUnordered;
use lattice_presence_node::{Node, Received};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::channel::Channel;
use crate::channels::{Channels, Connect, TOKEN, View, WATCHED};
use crate::config::Config;
use crate::message;
use crate::outbox::Outbox;
use crate::phoenix::{Closing, Session, Version, code};
use crate::seat::Seats;
use crate::socket::Socket;
use crate::topic::{Command, Handle, SocketId, Topics};
use crate::watch::Watch;

pub(crate) struct Server<A: Channels> {
    pub(crate) app: A,
    pub(crate) config: Config,
    pub(crate) node: Node,
    pub(crate) start: Instant,
    topics: Arc<Topics>,
    watch: Watch,
    seats: Arc<Seats>,
    open: AtomicUsize,
    sockets: Mutex<HashMap<SocketId, Arc<Outbox>>>,
    next: AtomicU64,
    draining: AtomicBool,
    listens: Once,
}

impl<A: Channels> Server<A> {
    pub(crate) fn new(node: Node, app: A, config: Config) -> Arc<Self> {
        Arc::new(Self {
            app,
            watch: Watch::new(config.batch),
            config,
            node,
            start: Instant::now(),
            topics: Arc::default(),
            seats: Arc::default(),
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

    /// A channel is gone; its entry stays where the client is expected back.
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
    fn enter(self: &Arc<Self>) -> Option<Permit<A>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.config.sockets {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit(self.clone()))
    }
}

/// A socket that counts until it is dropped.
struct Permit<A: Channels>(Arc<Server<A>>);

impl<A: Channels> Drop for Permit<A> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The endpoint of the clients. Cheap to clone.
///
/// [`phoenix`](crate::phoenix()) is the short way where there is nothing to set and
/// nothing to drain.
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

    /// The routes, to be nested: under `/socket` for `new Socket("/socket")`, under
    /// `/realtime/v1` for Supabase's clients. O(1).
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

    /// Closes all sockets, spread over this time, with 1012, after which clients
    /// connect again, to another node; new ones are refused with 503. Their entries
    /// stay for the time of grace. Returns when all are closed, or could have been.
    pub async fn drain(&self, over: Duration) {
        self.server.draining.store(true, Ordering::SeqCst);
        let sockets: Vec<Arc<Outbox>> = self.server.sockets().values().cloned().collect();
        let between = over / u32::try_from(sockets.len().max(1)).unwrap_or(u32::MAX);
        for outbox in sockets {
            outbox.close(Closing::new(code::RESTART, "the server restarts"));
            if !between.is_zero() {
                tokio::time::sleep(between).await;
            }
        }
        let enough = Instant::now() + Duration::from_secs(3);
        while self.sockets() > 0 && Instant::now() < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, reason.to_owned()).into_response()
}

async fn handshake<A: Channels>(
    State(server): State<Arc<Server<A>>>,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if server.draining.load(Ordering::SeqCst) {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "the server restarts");
    }
    if !server
        .config
        .origins
        .allow(text(header::ORIGIN), text(header::HOST))
    {
        return refused(StatusCode::FORBIDDEN, "not from this origin");
    }
    let param = |name: &str| {
        params
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    };
    let Some(version) = Version::of(param("vsn")) else {
        return refused(StatusCode::FORBIDDEN, "versions are 1.0.0 and 2.0.0");
    };
    let Some(permit) = server.enter() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many sockets");
    };
    let resume = param("resume")
        .filter(|token| TOKEN.contains(&token.len()))
        .map(str::to_owned);
    let token = text(header::SEC_WEBSOCKET_PROTOCOL).and_then(auth_token);
    let connect = Connect {
        params,
        headers,
        token,
    };
    let user = match server.app.connect(connect).await {
        Ok(user) => user,
        Err(error) => return refused(StatusCode::FORBIDDEN, &error.reason),
    };
    server.listen();
    // The session refuses what is over the limit with a reason; what is far over it
    // is not even read.
    let most = 2 * server.config.limits.message_bytes;
    let upgrade = upgrade
        .protocols(["phoenix"])
        .read_buffer_size(4096)
        .write_buffer_size(4096);
    upgrade
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |socket| async move {
            let config = &server.config;
            let id = server.next.fetch_add(1, Ordering::Relaxed);
            let (probe, probes) = mpsc::channel(1);
            let times = (config.grace, config.probe);
            let taken = server
                .seats
                .take(&server.node, resume.as_deref(), probe, times)
                .await;
            let outbox = Arc::new(Outbox::new(version, config.queue, config.queue_bytes));
            server.sockets().insert(id, outbox.clone());
            if server.draining.load(Ordering::SeqCst) {
                outbox.close(Closing::new(code::RESTART, "the server restarts"));
            }
            let session = Session::new(version, config.limits.clone(), server.now());
            let task = Socket {
                server: server.clone(),
                id,
                user: Arc::new(user),
                session,
                outbox,
                taken,
                channels: HashMap::new(),
                calls: FuturesUnordered::new(),
            };
            task.run(socket, probes).await;
            drop(permit);
        })
}

/// The token in the subprotocols that the client offers.
fn auth_token(offered: &str) -> Option<String> {
    let mut tokens = offered
        .split(',')
        .filter_map(|one| one.trim().strip_prefix("base64url.bearer.phx."));
    let token = tokens.next_back()?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?).ok()
}
