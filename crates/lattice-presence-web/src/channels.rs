//! The application's side: who may connect, join, and what its events mean.

use core::future::{Future, ready};

use lattice_presence_json::JsonMeta;

use crate::calls::{Connect, Join, Joined, Refused, Reply};
use crate::channel::Channel;
use crate::phoenix::Payload;

/// What an application decides. Only [`connect`](Self::connect) and
/// [`join`](Self::join) must be written.
///
/// Calls for one channel come one after another, those for different channels at the
/// same time. A call that panics fails its channel: the client joins again.
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
    /// Who is on a socket.
    type User: Send + Sync + 'static;

    /// A client wants to connect.
    ///
    /// # Errors
    ///
    /// Whoever may not: the handshake is answered with 403 and this reason.
    fn connect(&self, request: Connect)
    -> impl Future<Output = Result<Self::User, Refused>> + Send;

    /// Whose the seats of this user are: who comes back with a token gets only the
    /// entries of the same owner. With none, the default, the token alone says whose
    /// they are: then it must be one that nobody guesses.
    fn owner(&self, user: &Self::User) -> Option<String> {
        let _ = user;
        None
    }

    /// A client wants to join a topic. Key and metadata of its entry come from here.
    ///
    /// # Errors
    ///
    /// Whoever may not: the client gets `{"reason": …}`, and tries again after a while.
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

    /// A client that may track itself ([`Joined::tracks`]) says what its entry is to
    /// carry. As it stands, unless you say otherwise.
    ///
    /// # Errors
    ///
    /// What may not be: the client gets `{"reason": …}`, the entry stays as it is.
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
    /// Where the token is no good: the client gets a `system` error, and the channel is
    /// closed for good.
    fn token(
        &self,
        channel: &Channel<Self::User>,
        token: &str,
    ) -> impl Future<Output = Result<(), Refused>> + Send {
        let _ = (channel, token);
        ready(Ok(()))
    }

    /// A channel that was joined is gone: left, or its socket has ended.
    fn left(&self, channel: &Channel<Self::User>) -> impl Future<Output = ()> + Send {
        let _ = channel;
        ready(())
    }
}

/// How long an application may be behind with what it was asked.
pub(crate) const CALLS_AT_ONCE: usize = 64;
/// Keys of one watch-list.
pub(crate) const WATCHED: usize = 500;
/// Bytes of a token. Shorter ones could be guessed.
pub(crate) const TOKEN: core::ops::RangeInclusive<usize> = 16..=128;
