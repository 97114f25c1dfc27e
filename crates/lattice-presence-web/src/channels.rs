//! The side of the application: who may connect and join, and what events mean.

use core::future::{Future, ready};

use lattice_presence_json::JsonMeta;

use crate::calls::{Connect, Join, Joined, Refused, Reply};
use crate::channel::Channel;
use crate::phoenix::Payload;

/// What an application decides. You must write only [`connect`](Self::connect) and
/// [`join`](Self::join).
///
/// Calls for one channel come one after another. Calls for different channels come at the
/// same time. If a call panics, its channel fails, and the client joins again.
///
/// ```
/// use lattice_presence_json::JsonMeta;
/// use lattice_presence_web::{Channels, Connect, Join, Joined, Refused};
///
/// struct App;
///
/// impl Channels for App {
///     type User = String;
///
///     async fn connect(&self, request: Connect) -> Result<String, Refused> {
///         request.param("token").map(str::to_owned).ok_or_else(|| Refused::new("who are you?"))
///     }
///
///     async fn join(&self, user: &String, join: Join) -> Result<Joined, Refused> {
///         if !join.topic().starts_with("room:") {
///             return Err(Refused::new("no such room"));
///         }
///         let meta = JsonMeta::new(&[("since", 7)]).map_err(Refused::new)?;
///         Ok(Joined::new().entry(user.as_str(), meta))
///     }
/// }
/// ```
pub trait Channels: Send + Sync + 'static {
    /// The user of a socket.
    type User: Send + Sync + 'static;

    /// A client wants to connect.
    ///
    /// # Errors
    ///
    /// If the client may not connect. The handshake is answered with 403 and this reason.
    fn connect(&self, request: Connect)
    -> impl Future<Output = Result<Self::User, Refused>> + Send;

    /// The owner of the seats of this user. A client that comes back with a token gets
    /// only the entries of the same owner. The default is no owner. Then only the token
    /// protects the entries, so nobody must be able to guess it.
    fn owner(&self, user: &Self::User) -> Option<String> {
        let _ = user;
        None
    }

    /// A client wants to join a topic. This call gives the key and the metadata of its
    /// entry.
    ///
    /// # Errors
    ///
    /// If the client may not join. It gets `{"reason": …}`, and tries again after a
    /// while.
    fn join(
        &self,
        user: &Self::User,
        join: Join,
    ) -> impl Future<Output = Result<Joined, Refused>> + Send;

    /// A client sent an event of yours.
    fn event(
        &self,
        channel: &Channel<Self::User>,
        event: &str,
        payload: Payload,
    ) -> impl Future<Output = Reply> + Send {
        let _ = (channel, event, payload);
        ready(Reply::error("unknown event"))
    }

    /// A client that may track itself ([`Joined::tracks`]) says what its entry should
    /// carry. By default the entry carries exactly this.
    ///
    /// # Errors
    ///
    /// If you do not allow it. The client gets `{"reason": …}`, and the entry stays as it
    /// is.
    fn track(
        &self,
        channel: &Channel<Self::User>,
        meta: JsonMeta,
    ) -> impl Future<Output = Result<JsonMeta, Refused>> + Send {
        let _ = channel;
        ready(Ok(meta))
    }

    /// A Supabase client has a new access token.
    ///
    /// # Errors
    ///
    /// If the token is not valid. The client gets a `system` error. The channel is
    /// closed, and the client does not join it again.
    fn token(
        &self,
        channel: &Channel<Self::User>,
        token: &str,
    ) -> impl Future<Output = Result<(), Refused>> + Send {
        let _ = (channel, token);
        ready(Ok(()))
    }

    /// A channel that was joined is gone. The client left it, or its socket has ended.
    fn left(&self, channel: &Channel<Self::User>) -> impl Future<Output = ()> + Send {
        let _ = channel;
        ready(())
    }
}

/// How long an application may take for what it was asked.
pub(crate) const CALLS_AT_ONCE: usize = 64;
/// Keys of one watch-list.
pub(crate) const WATCHED: usize = 500;
/// Bytes of a token. Somebody could guess shorter ones.
pub(crate) const TOKEN: core::ops::RangeInclusive<usize> = 16..=128;
