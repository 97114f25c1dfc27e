//! The engine over zenoh. It runs in the process, without a server.

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

/// zenoh. Every node is connected to every other node, and there is no server.
///
/// `docs/running.md` says what it does in trouble. In short:
///
/// - it **needs a multi-thread runtime**. Otherwise the start returns an error.
/// - nodes find each other by **addresses**. Give each node an address at which it listens,
///   and the addresses of one or two others. They tell each other about the rest. Scouting
///   by multicast is off, unless you [turn it on](Self::multicast).
/// - **slow or full**: if zenoh has no room for a payload for some milliseconds, it drops
///   the payload and reports nothing. The nodes repair this. Payloads to all nodes go
///   before payloads to one node. So a large answer does not delay heartbeats.
/// - **away**: a closed connection is noticed at once, and a silent host after 10 s. zenoh
///   connects again by itself, within some seconds.
/// - **hints**: each node has a liveliness token, under a key of its incarnation.
/// - **names**: the sender's name is in the key. So the access control of zenoh can make
///   each node use its own name. A node must be allowed to put
///   `lattice/<cluster>/all/<name>/*` and `lattice/<cluster>/one/*/<name>/*`.
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

/// This is less than one batch of zenoh, which is 65,535 bytes with the head. So a payload
/// is not cut into fragments. If one fragment is lost, the others are useless.
const MAX_PAYLOAD: usize = 48 * 1024;

/// How often the peers are counted, to see whether anybody is connected.
const COUNT: Duration = Duration::from_secs(1);

/// How long closing may take. zenoh's own bound is 10 s. It takes so long if messages get
/// lost.
const CLOSE: Duration = Duration::from_secs(3);

impl Zenoh {
    /// A peer without addresses: it does not listen, and knows no other node.
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

    /// A peer, or a client of routers, with your own configuration: TLS, access control,
    /// and everything else that zenoh has.
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

    /// Uses a session of the application. The node does not close it.
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

    /// Listens at this address as well, for example `tcp/0.0.0.0:7447`. Without an address,
    /// zenoh chooses a port, and listens on every interface.
    ///
    /// This does not change a configuration or a session of your own.
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

    /// Connects to these peers as well, and tries again without end. One peer that is up is
    /// enough, because peers tell each other about the rest.
    ///
    /// This does not change a configuration or a session of your own.
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

    /// Also looks for peers by multicast. This is for development, on one network.
    ///
    /// This does not change a configuration or a session of your own.
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

    /// Sets the longest payload. By default it is 48 KiB. Longer payloads travel in
    /// fragments of about 64 KiB. If one fragment is lost, the others are useless.
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
    /// The session, and whether we must close it.
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

/// The longest message that a receiver accepts. zenoh's own limit is 1 GiB.
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
            // Written as by Rust. For the characters of an address this is the same as
            // JSON.
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

/// The declarations of the session. If this is dropped, they end.
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
        // This comes last, because a node that hears of us may send to us.
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

/// This runs in a thread of zenoh, so it must not wait.
fn offer(events: &Events, name: &str, sample: &Sample) {
    // No engine of ours made this key. Another program publishes under our prefix.
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

/// The link of a [`Zenoh`].
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
        // The token is dropped first, so that the others learn of it at once.
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
