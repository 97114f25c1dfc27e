//! The engine over Redis or Valkey. It uses publish and subscribe, and stores nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::token::escape;
use super::{Engine, Events, Link, Local, SendError, StartError, To};

/// Redis or Valkey: publish and subscribe. Nothing is stored.
///
/// `docs/running.md` says what it does in trouble. In short:
///
/// - **slow**: if this node does not read messages in time, they are dropped, and reported
///   as [`Lagged`](super::Event::Lagged). If it does not read at all, the server closes the
///   connection (`client-output-buffer-limit`). This is reported as well.
/// - **away**: if the server is away, `Disconnected` is reported, and sending is refused.
///   Tasks connect again, without end, with growing pauses of up to 4 s. An attempt may
///   take 5 s. If a server is silent, this is noticed after 10 s.
/// - **names**: Redis does not say who published a message. Every program that may publish
///   on the channels of the cluster can speak for any node. So only the nodes should have
///   the password.
///
/// For TLS, write `rediss://` in the address. In a Redis cluster, give the address of any
/// of its servers. A message that is published at one server is heard at all of them.
///
/// ```
/// use lattice_presence_node::engine::Redis;
///
/// let engine = Redis::new("redis://127.0.0.1:6379/");
/// ```
pub struct Redis {
    server: Box<dyn FnOnce() -> Result<Client, RedisError> + Send>,
    max_payload: usize,
}

/// The default of the longest payload. It is short, so that one payload does not delay the
/// others.
const MAX_PAYLOAD: usize = 256 * 1024;

/// How long an answer of the server may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a send waits for a new connection. The node cancels a send after a second.
const NEAR: Duration = Duration::from_millis(500);

/// How often the server is asked whether it is there.
const PING: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

impl Redis {
    /// A client of that server: `redis://user:password@host:port/`, or `rediss://` for TLS.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Redis::new("rediss://cache.example.org/");
    /// ```
    #[must_use]
    pub fn new(server: impl IntoConnectionInfo + Send + 'static) -> Self {
        Self {
            server: Box::new(move || Client::open(server)),
            max_payload: MAX_PAYLOAD,
        }
    }

    /// A client that the application has made, for example with its own certificates.
    ///
    /// ```
    /// use lattice_presence_node::engine::Redis;
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/").unwrap();
    /// let _ = Redis::with_client(client);
    /// ```
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self {
            server: Box::new(move || Ok(client)),
            max_payload: MAX_PAYLOAD,
        }
    }

    /// Sets the longest payload. By default it is 256 KiB.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Redis::new("redis://127.0.0.1/").max_payload(65_536);
    /// ```
    #[must_use]
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("Redis")
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}

impl Engine for Redis {
    type Link = RedisLink;

    async fn start(self, local: Local, events: Events) -> Result<RedisLink, StartError> {
        let client = (self.server)().map_err(|error| {
            StartError::settings(format!("the address of the Redis server: {error}"))
        })?;
        let server = client.get_connection_info().addr().to_string();
        let channels = Channels::new(&local);
        let sender = connect(&client)
            .await
            .map_err(|error| StartError::connect(&server, error))?;
        let receiver = subscribe(&client, &channels)
            .await
            .map_err(|error| StartError::connect(&server, error))?;
        events.connected();
        let reader = Reader {
            client: client.clone(),
            channels: channels.clone(),
            events,
            name: Arc::clone(&local.name),
        };
        Ok(RedisLink {
            sender: Sender {
                client,
                state: State::Connected(sender),
            },
            channels,
            name: local.name,
            max_payload: self.max_payload,
            reader: tokio::spawn(reader.run(receiver)),
        })
    }
}

/// The channels of one node.
#[derive(Clone, Debug)]
struct Channels {
    prefix: String,
    all: String,
    mine: String,
}

impl Channels {
    fn new(local: &Local) -> Self {
        // It is escaped, so that the name of a cluster cannot run into the rest.
        let prefix = format!("lattice:{}", escape(&local.cluster));
        let all = format!("{prefix}:all");
        let mine = one(&prefix, &local.name);
        Self { prefix, all, mine }
    }
}

fn one(prefix: &str, name: &str) -> String {
    format!("{prefix}:one:{name}")
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER))
        .set_response_timeout(Some(ANSWER));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

async fn subscribe(client: &Client, channels: &Channels) -> Result<PubSub, RedisError> {
    let subscribing = async {
        let mut receiver = client.get_async_pubsub().await?;
        receiver
            .subscribe(&[&*channels.all, &*channels.mine])
            .await?;
        Ok(receiver)
    };
    timeout(ANSWER, subscribing).await.unwrap_or_else(|_| {
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        Err(RedisError::from(late))
    })
}

/// Pauses between attempts to connect: 50 ms, doubled each time.
#[derive(Debug)]
struct Retry {
    next: Duration,
}

impl Retry {
    const fn new() -> Self {
        Self {
            next: Duration::from_millis(50),
        }
    }

    fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Reads the channels. If the connection breaks, it subscribes again.
struct Reader {
    client: Client,
    channels: Channels,
    events: Events,
    name: Arc<str>,
}

impl Reader {
    async fn run(self, mut receiver: PubSub) {
        loop {
            let reason = self.read(receiver).await;
            self.events.disconnected(reason);
            let mut retry = Retry::new();
            receiver = loop {
                tokio::time::sleep(retry.pause()).await;
                if self.events.is_closed() {
                    return;
                }
                match subscribe(&self.client, &self.channels).await {
                    Ok(receiver) => break receiver,
                    Err(error) => tracing::debug!(%error, "Redis is not back yet"),
                }
            };
            self.events.connected();
            // Messages that were published in the meantime are lost.
            self.events.lagged(None);
        }
    }

    /// Reads until the connection breaks, or does not answer a ping. It returns the reason.
    async fn read(&self, receiver: PubSub) -> String {
        let (mut sink, mut messages) = receiver.split();
        let mut next_ping = tokio::time::interval(PING);
        next_ping.tick().await;
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.offer(message.get_payload_bytes()),
                    None => return "the server closed the connection".into(),
                },
                _ = next_ping.tick() => {
                    // The answer comes through the stream, so the stream must be read at
                    // the same time.
                    let mut ping = core::pin::pin!(timeout(ANSWER, sink.ping::<redis::Value>()));
                    loop {
                        tokio::select! {
                            answer = &mut ping => match answer {
                                Ok(Ok(_)) => break,
                                Ok(Err(error)) => return error.to_string(),
                                Err(_) => return "the server does not answer".into(),
                            },
                            message = messages.next() => match message {
                                Some(message) => self.offer(message.get_payload_bytes()),
                                None => return "the server closed the connection".into(),
                            },
                        }
                    }
                }
            }
        }
    }

    fn offer(&self, frame: &[u8]) {
        // Everything else was published by a program that is not a node.
        if let Some((from, payload)) = unframe(frame)
            && *from != *self.name
        {
            self.events
                .offer(from.into(), Bytes::copy_from_slice(payload));
        }
    }
}

/// The payload, with the sender's name and its length in front.
fn frame(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::with_capacity(4 + name.len() + payload.len());
    frame.put_u32(u32::try_from(name.len()).unwrap_or(u32::MAX));
    frame.put_slice(name.as_bytes());
    frame.put_slice(payload);
    frame.into()
}

fn unframe(frame: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = frame.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (name, payload) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((core::str::from_utf8(name).ok()?, payload))
}

/// The link of a [`Redis`].
///
/// ```no_run
/// use lattice_presence_node::engine::{Engine, Link, Local, Redis, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let engine = Redis::new("redis://127.0.0.1/");
/// let link = engine.start(Local::new("chat", "berlin-1"), events().0).await?;
/// assert_eq!(link.max_payload(), 256 * 1024);
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
pub struct RedisLink {
    sender: Sender,
    channels: Channels,
    name: Arc<str>,
    max_payload: usize,
    reader: JoinHandle<()>,
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink")
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

/// The connection that publishes. If it is dropped, the connection ends, or the attempt to
/// make one.
struct Sender {
    client: Client,
    state: State,
}

enum State {
    Connected(MultiplexedConnection),
    /// A task makes a connection. If a send that waits for it is cancelled, the task
    /// continues.
    Connecting(JoinHandle<MultiplexedConnection>),
    /// A send has taken the connection. If that send is cancelled, the connection is
    /// dropped too. A host that disappeared does not answer, and all later messages would
    /// be lost.
    Taken,
}

impl Sender {
    async fn publish(&mut self, channel: &str, frame: &[u8]) -> Result<(), SendError> {
        let mut connection = self.connected().await.ok_or(SendError::Disconnected)?;
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel).arg(frame);
        match publish.query_async::<i64>(&mut connection).await {
            Err(error) if error.is_unrecoverable_error() => {
                tracing::debug!(%error, "the connection to Redis is broken");
                self.connect();
                Err(SendError::Disconnected)
            }
            sent => {
                self.state = State::Connected(connection);
                sent.map(|_| ()).map_err(SendError::failed)
            }
        }
    }

    /// The connection, or the new one that comes soon. It is safe to cancel.
    async fn connected(&mut self) -> Option<MultiplexedConnection> {
        match core::mem::replace(&mut self.state, State::Taken) {
            State::Connected(connection) => return Some(connection),
            State::Connecting(task) => self.state = State::Connecting(task),
            State::Taken => self.connect(),
        }
        let State::Connecting(task) = &mut self.state else {
            return None;
        };
        let connection = timeout(NEAR, task).await.ok()?;
        // An error means that the task panicked. The next send starts another one.
        self.state = State::Taken;
        connection.ok()
    }

    fn connect(&mut self) {
        let client = self.client.clone();
        self.state = State::Connecting(tokio::spawn(async move {
            let mut retry = Retry::new();
            loop {
                match connect(&client).await {
                    Ok(connection) => return connection,
                    Err(error) => tracing::debug!(%error, "no connection to Redis"),
                }
                tokio::time::sleep(retry.pause()).await;
            }
        }));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let State::Connecting(task) = &self.state {
            task.abort();
        }
    }
}

impl Link for RedisLink {
    fn max_payload(&self) -> usize {
        self.max_payload
    }

    async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
        SendError::check(payload.len(), self.max_payload)?;
        let channel = match to {
            To::All => self.channels.all.clone(),
            To::One(name) => one(&self.channels.prefix, name),
        };
        self.sender
            .publish(&channel, &frame(&self.name, &payload))
            .await
    }

    async fn close(mut self) {
        self.reader.abort();
        // The values that it held are dropped when this returns.
        let _ = (&mut self.reader).await;
    }
}

impl Drop for RedisLink {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_broken_ones_are_nothing() {
        let whole = frame("berlin é", b"payload");
        assert_eq!(unframe(&whole), Some(("berlin é", &b"payload"[..])));
        assert_eq!(unframe(&frame("", b"")), Some(("", &b""[..])));
        for broken in [&b""[..], b"abc", b"\xff\xff\xff\xffx", &[0, 0, 0, 1, 0xff]] {
            assert_eq!(unframe(broken), None);
        }
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let mut retry = Retry::new();
        let pauses: Vec<Duration> = (0..10).map(|_| retry.pause()).collect();
        assert_eq!(pauses[0], Duration::from_millis(50));
        assert_eq!(pauses[9], LONGEST_PAUSE);
        assert!(pauses.is_sorted());
    }
}
