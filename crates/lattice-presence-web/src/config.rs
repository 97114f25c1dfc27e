//! The settings, and their defaults.

use core::time::Duration;

use crate::phoenix::Limits;

/// From which pages browsers may connect.
///
/// A browser says in the header `Origin` from which page it comes. A client without this
/// header is not a browser, and is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// From pages of the same host and port as in the header `Host`. This is the default.
    Same,
    /// From these origins, such as `https://chat.example`, and from the same host.
    Of(Vec<String>),
    /// From all pages. Use it only for public data.
    Any,
}

impl Origins {
    /// Whether a page of `origin` may connect to `host`. O(length of the list).
    ///
    /// ```
    /// use lattice_presence_web::Origins;
    ///
    /// let of = Origins::Of(vec!["https://chat.example".into()]);
    /// assert!(of.allow(Some("https://chat.example"), Some("api.example")));
    /// assert!(Origins::Same.allow(Some("http://here:3000"), Some("here:3000")));
    /// assert!(!Origins::Same.allow(Some("http://there"), Some("here")));
    /// assert!(Origins::Same.allow(None, Some("here")));
    /// ```
    #[must_use]
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else {
            return true;
        };
        let same = || {
            let (_, of) = origin.split_once("://").unwrap_or(("", origin));
            host.is_some_and(|host| host.eq_ignore_ascii_case(of))
        };
        match self {
            Self::Any => true,
            Self::Same => same(),
            Self::Of(list) => list.iter().any(|one| one.eq_ignore_ascii_case(origin)) || same(),
        }
    }
}

/// The settings of an endpoint.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_web::Config;
///
/// let mut config = Config::default();
/// config.grace = Duration::ZERO; // who goes is gone
/// config.limits.topics = 10;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What one socket may do.
    pub limits: Limits,
    /// Sockets on this node. One more is refused with 503. 100,000.
    pub sockets: usize,
    /// Changes of one topic within this time become one message. 50 ms.
    pub batch: Duration,
    /// A socket can end without a leave. Its entries stay for this time. If it is 0, they go
    /// with the socket, also if the server drains its sockets. 10 s.
    pub grace: Duration,
    /// If a second socket comes with the token of a silent one, the silent socket may
    /// take this time to answer. 1 s.
    pub probe: Duration,
    /// Messages that may wait for a socket. If there are more, one state replaces all its
    /// waiting changes of presence. 256.
    pub queue: usize,
    /// Bytes that may wait for a socket, with the same effect. 1 MiB.
    pub queue_bytes: usize,
    /// How long a socket may take to accept what waits. Then it is closed. 10 s.
    pub patience: Duration,
    /// How often a silent client is asked whether it is there. 30 s.
    pub ping: Duration,
    /// From which pages browsers may connect.
    pub origins: Origins,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            sockets: 100_000,
            batch: Duration::from_millis(50),
            grace: Duration::from_secs(10),
            probe: Duration::from_secs(1),
            queue: 256,
            queue_bytes: 1 << 20,
            patience: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            origins: Origins::Same,
        }
    }
}
