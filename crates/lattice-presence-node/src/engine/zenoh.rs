//! The engine over zenoh: in the process, without a server.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::sample::{Sample, SampleKind};
use zenoh::{Config, Session};

use super::token::{escape, speaker, speaker_of};
use super::{Engine, Events, Link, Local, PeerHint, SendError, StartError, To};

/// zenoh: every node is a peer of every other one, and there is no server.
///
/// What it does when things go wrong is in `docs/running.md`; in short:
///
/// - it **needs a multi-thread runtime**, and says so as an error;
/// - nodes find each other by **addresses**: give each node one that it listens on, and
///   one or two of others. They tell each other of the rest. Scouting by multicast is off
///   unless [asked for](Self::multicast);
/// - **slow or full**: whatever it is about, a payload that finds no room within some
///   milliseconds is dropped, without a word; nodes repair. A payload to one node goes
///   behind those to all, so that a pull does not hold up heartbeats;
/// - **away**: a closed connection is noticed at once, a silent host after 10 s; zenoh
///   connects again by itself, within some seconds;
/// - **hints**: a liveliness token for each node, under a key of its incarnation;
/// - **names**: the key bears the sender's, so that zenoh's access control can hold each
///   node to its own: to put, `lattice/<cluster>/all/<name>/*` and
///   `lattice/<cluster>/one/*/<name>/*`.
///
/// ```
/// use lattice_presence_node::engine::Zenoh;
///
/// let engine = Zenoh::new()
///     .listen("tcp/0.0.0.0:7447")
///     .connect(["tcp/10.0.0.1:7447", "tcp/10.0.0.2:7447"]);
/// ```
pub struct Zenoh {
    source: Source,
    max_payload: usize,
}

enum Source {
    Settings {
        listen: Vec<String>,
        connect: Vec<String>,
        multicast: bool,
    },
    Config(Box<Config>),
    Session(Session),
}

/// Under one batch of zenoh, 65,535 bytes with the head: nothing is cut into fragments, of
/// which one lost takes the others with it.
const MAX_PAYLOAD: usize = 48 * 1024;

/// How often the peers are counted: whether anybody is connected.
const COUNT: Duration = Duration::from_secs(1);

/// How long closing may take. zenoh's own bound is 10 s, which it takes where messages get
/// lost.
const CLOSE: Duration = Duration::from_secs(3);

impl Zenoh {
    /// A peer that listens nowhere and knows nobody yet.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Zenoh::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self::from_source(Source::Settings {
            listen: Vec::new(),
            connect: Vec::new(),
            multicast: false,
        })
    }

    /// A peer, or a client of routers, with a configuration of its own: TLS, access
    /// control, and whatever else zenoh has.
    ///
    /// ```
    /// use lattice_presence_node::engine::Zenoh;
    ///
    /// let mut config = zenoh::Config::default();
    /// config.insert_json5("scouting/multicast/enabled", "false").unwrap();
    /// let _ = Zenoh::with_config(config);
    /// ```
    #[must_use]
    pub fn with_config(config: Config) -> Self {
        Self::from_source(Source::Config(Box::new(config)))
    }

    /// A session that the application has already. It is not closed with the node.
    ///
    /// ```no_run
    /// # #[tokio::main]
    /// # async fn main() -> zenoh::Result<()> {
    /// use lattice_presence_node::engine::Zenoh;
    ///
    /// let session = zenoh::open(zenoh::Config::default()).await?;
    /// let _ = Zenoh::with_session(session.clone());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn with_session(session: Session) -> Self {
        Self::from_source(Source::Session(session))
    }

    const fn from_source(source: Source) -> Self {
        Self {
            source,
            max_payload: MAX_PAYLOAD,
        }
    }

    /// Listens at that address as well, `tcp/0.0.0.0:7447` for example. Without any, zenoh
    /// listens at a port of its choice, on every interface.
    ///
    /// Has no effect on a configuration or a session that was given.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Zenoh::new().listen("tcp/[::]:7447");
    /// ```
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        if let Source::Settings { listen, .. } = &mut self.source {
            listen.push(address.into());
        }
        self
    }

    /// Connects to these peers as well, and keeps trying. One that is up is enough: peers
    /// tell each other of the rest.
    ///
    /// Has no effect on a configuration or a session that was given.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Zenoh::new().connect(["tcp/berlin-1:7447"]);
    /// ```
    #[must_use]
    pub fn connect(mut self, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Source::Settings { connect, .. } = &mut self.source {
            connect.extend(addresses.into_iter().map(Into::into));
        }
        self
    }

    /// Looks for peers by multicast, too: for development, on one network.
    ///
    /// Has no effect on a configuration or a session that was given.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Zenoh::new().multicast();
    /// ```
    #[must_use]
    pub const fn multicast(mut self) -> Self {
        if let Source::Settings { multicast, .. } = &mut self.source {
            *multicast = true;
        }
        self
    }

    /// Sets the longest payload: 48 KiB where nothing else is said. Longer ones travel in
    /// fragments of about 64 KiB, and one that is lost takes the others with it.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Zenoh::new().max_payload(16 * 1024);
    /// ```
    #[must_use]
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }
}

impl Default for Zenoh {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Zenoh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A configuration may hold a password.
        f.debug_struct("Zenoh")
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The session, and whether it is ours to close.
    async fn open(self, max_payload: usize) -> Result<(Session, bool), StartError> {
        let config = match self {
            Self::Session(session) if session.is_closed() => {
                return Err(StartError::settings("the session is closed"));
            }
            Self::Session(session) => return Ok((session, false)),
            Self::Config(config) => *config,
            Self::Settings {
                listen,
                connect,
                multicast,
            } => settings(&listen, &connect, multicast, max_payload)?,
        };
        let session = zenoh::open(config).await;
        let session = session.map_err(|error| StartError::failed("zenoh", error))?;
        Ok((session, true))
    }
}

/// What a receiver takes of one message: zenoh's own limit is 1 GiB.
const RECEIVED_AT_MOST: usize = 1024 * 1024;

fn settings(
    listen: &[String],
    connect: &[String],
    multicast: bool,
    max_payload: usize,
) -> Result<Config, StartError> {
    let mut config = Config::default();
    let mut set = |key: &str, value: &str| {
        config
            .insert_json5(key, value)
            .map_err(|error| StartError::settings(format!("{key}: {error}")))
    };
    set("mode", "\"peer\"")?;
    set(
        "scouting/multicast/enabled",
        if multicast { "true" } else { "false" },
    )?;
    let received = RECEIVED_AT_MOST.max(max_payload.saturating_mul(2));
    set("transport/link/rx/max_message_size", &format!("{received}"))?;
    for (key, addresses) in [("listen/endpoints", listen), ("connect/endpoints", connect)] {
        if !addresses.is_empty() {
            // As Rust writes them: the same as JSON, for what an address may hold.
            set(key, &format!("{addresses:?}"))?;
        }
    }
    Ok(config)
}

impl Engine for Zenoh {
    type Link = ZenohLink;

    async fn start(self, local: Local, events: Events) -> Result<ZenohLink, StartError> {
        // zenoh would panic.
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(StartError::Runtime { engine: "zenoh" });
        }
        let (session, is_ours) = self.source.open(self.max_payload).await?;
        let declared = Declared::new(&session, &local, &events).await;
        let declared = match declared {
            Ok(declared) => declared,
            Err(error) => {
                if is_ours {
                    let _ = tokio::time::timeout(CLOSE, session.close()).await;
                }
                return Err(StartError::failed("zenoh", error));
            }
        };
        let counter = tokio::spawn(count(session.clone(), events));
        Ok(ZenohLink {
            speaker: speaker(&local.name, '/'),
            prefix: prefix(&local),
            max_payload: self.max_payload,
            declared: Some(declared),
            counter,
            session,
            is_ours,
        })
    }
}

fn prefix(local: &Local) -> String {
    format!("lattice/{}", escape(&local.cluster))
}

/// What the session was told. Dropped, it is taken back.
struct Declared {
    to_all: Publisher<'static>,
    _inboxes: Vec<Subscriber<()>>,
    _token: LivelinessToken,
}

impl Declared {
    async fn new(session: &Session, local: &Local, events: &Events) -> zenoh::Result<Self> {
        let (prefix, speaker) = (prefix(local), speaker(&local.name, '/'));
        let inbox = |key: String| {
            let (events, name) = (events.clone(), Arc::clone(&local.name));
            session
                .declare_subscriber(key)
                .callback(move |sample| offer(&events, &name, &sample))
        };
        let inboxes = alloc::vec![
            inbox(format!("{prefix}/all/*/*")).await?,
            inbox(format!("{prefix}/one/{}/*/*", escape(&local.name))).await?,
            {
                let (events, name) = (events.clone(), Arc::clone(&local.name));
                session
                    .liveliness()
                    .declare_subscriber(format!("{prefix}/up/*/*"))
                    .history(true)
                    .callback(move |sample| hint(&events, &name, &sample))
                    .await?
            },
        ];
        // Last: who hears of us may speak to us.
        let to_all = session
            .declare_publisher(format!("{prefix}/all/{speaker}"))
            .congestion_control(CongestionControl::Drop)
            .priority(Priority::Data)
            .await?;
        let token = session
            .liveliness()
            .declare_token(format!("{prefix}/up/{speaker}"))
            .await?;
        Ok(Self {
            to_all,
            _inboxes: inboxes,
            _token: token,
        })
    }
}

/// In a thread of zenoh: never waits.
fn offer(events: &Events, name: &str, sample: &Sample) {
    // A key that nobody of us made: somebody else publishes under our prefix.
    let Some(from) = speaker_of(sample.key_expr().as_str(), '/') else {
        return;
    };
    if from != name && sample.kind() == SampleKind::Put {
        let payload = sample.payload().to_bytes().into_owned();
        events.offer(from.into(), payload.into());
    }
}

fn hint(events: &Events, name: &str, sample: &Sample) {
    let Some(peer) = speaker_of(sample.key_expr().as_str(), '/') else {
        return;
    };
    if peer != name {
        let hint = match sample.kind() {
            SampleKind::Put => PeerHint::Up,
            SampleKind::Delete => PeerHint::Lost,
        };
        events.hint(peer.into(), hint);
    }
}

/// Reports when the first peer or router is connected, and when the last one is gone.
async fn count(session: Session, events: Events) {
    let mut was_connected = false;
    while !events.is_closed() && !session.is_closed() {
        let info = session.info();
        let peers = info.peers_zid().await.count() + info.routers_zid().await.count();
        let is_connected = peers > 0;
        if is_connected && !was_connected {
            events.connected();
        } else if was_connected && !is_connected {
            events.disconnected("no peer and no router is connected");
        }
        was_connected = is_connected;
        tokio::time::sleep(COUNT).await;
    }
}

/// What [`Zenoh`] starts.
///
/// ```
/// use lattice_presence_node::engine::{Engine, Link, Local, Zenoh, events};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), lattice_presence_node::engine::StartError> {
/// let engine = Zenoh::new().listen("tcp/127.0.0.1:0");
/// let link = engine.start(Local::new("chat", "berlin-1"), events().0).await?;
/// assert_eq!(link.max_payload(), 48 * 1024);
/// link.close().await;
/// # Ok(())
/// # }
/// ```
pub struct ZenohLink {
    session: Session,
    is_ours: bool,
    prefix: String,
    speaker: String,
    max_payload: usize,
    declared: Option<Declared>,
    counter: JoinHandle<()>,
}

impl fmt::Debug for ZenohLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZenohLink")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Link for ZenohLink {
    fn max_payload(&self) -> usize {
        self.max_payload
    }

    async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
        SendError::check(payload.len(), self.max_payload)?;
        let sent = match (to, &self.declared) {
            (_, None) => return Err(SendError::Disconnected),
            (To::All, Some(declared)) => declared.to_all.put(payload).await,
            (To::One(name), Some(_)) => {
                let (prefix, speaker) = (&self.prefix, &self.speaker);
                let key = format!("{prefix}/one/{}/{speaker}", escape(name));
                self.session
                    .put(key, payload)
                    .congestion_control(CongestionControl::Drop)
                    .priority(Priority::DataLow)
                    .await
            }
        };
        sent.map_err(SendError::failed)
    }

    async fn close(mut self) {
        self.counter.abort();
        // The token first: the others learn of it at once.
        self.declared.take();
        if self.is_ours
            && let Ok(Err(error)) = tokio::time::timeout(CLOSE, self.session.close()).await
        {
            tracing::debug!(%error, "zenoh closed with an error");
        }
    }
}

impl Drop for ZenohLink {
    fn drop(&mut self) {
        self.counter.abort();
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn settings_reach_the_configuration_and_multicast_is_off() {
        let addresses = ["tcp/127.0.0.1:7447".to_owned()];
        let config = settings(&[], &addresses, false, MAX_PAYLOAD).unwrap();
        let shown = |key| config.get_json(key).unwrap();
        assert_eq!(shown("scouting/multicast/enabled"), "false");
        assert!(shown("connect/endpoints").contains("tcp/127.0.0.1:7447"));
        assert_eq!(shown("transport/link/rx/max_message_size"), "1048576");
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_name() {
        let error = settings(&["nonsense".to_owned()], &[], false, MAX_PAYLOAD).unwrap_err();
        assert!(error.to_string().contains("listen/endpoints"), "{error}");
    }

    #[tokio::test]
    async fn a_current_thread_runtime_is_an_error_and_no_panic() {
        let (events, _received) = crate::engine::events();
        let started = Zenoh::new().start(Local::new("c", "a"), events).await;
        let error = started.err().unwrap();
        assert!(
            matches!(error, StartError::Runtime { engine: "zenoh" }),
            "{error}"
        );
    }
}
