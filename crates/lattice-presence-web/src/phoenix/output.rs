//! What a session asks of whoever runs it.

use alloc::sync::Arc;

use super::frame::Ref;
use super::{Payload, SupabaseConfig, Wire};

/// One join of one topic on one socket. A rejoin is another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(super) u64);

/// What a reply belongs to. It carries the join reference of its channel, so that
/// a late reply is dropped by a client that has joined again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) join_ref: Option<Ref>,
    pub(super) reference: Option<Ref>,
    pub(super) topic: Arc<str>,
}

/// The status of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The client's `receive("ok", …)`.
    Ok,
    /// The client's `receive("error", …)`.
    Error,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// Codes with which a socket is closed. None is 1000: a client that reads 1000
/// never comes back.
pub mod code {
    /// The client was silent, or the server goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// A frame that is no message.
    pub const INVALID: u16 = 1007;
    /// A flood, or a client that does not read.
    pub const POLICY: u16 = 1008;
    /// A message over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The server restarts: drained.
    pub const RESTART: u16 = 1012;
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// One of [`code`].
    pub code: u16,
    /// Shown to the client, at most 123 bytes.
    pub reason: String,
}

impl Closing {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let cut = (0..=reason.len().min(123))
            .rev()
            .find(|&at| reason.is_char_boundary(at));
        reason.truncate(cut.unwrap_or(0));
        Self { code, reason }
    }
}

/// What a [`Session`](super::Session) wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send this to the client.
    Send(Wire),
    /// A client wants to join: answer by [`accept`](super::Session::accept) or
    /// [`refuse`](super::Session::refuse).
    Join {
        /// The channel that would be.
        channel: ChannelId,
        /// Its topic.
        topic: Arc<str>,
        /// What the client said with it.
        payload: Payload,
        /// Where it is a Supabase client: what its join asks for.
        supabase: Option<SupabaseConfig>,
    },
    /// The channel is joined and sees presence: from now on it gets the state, and
    /// then diffs.
    Subscribe {
        /// Whose.
        channel: ChannelId,
        /// Whether another channel of the topic has ended on this socket just now, or
        /// is replaced: diffs may be on their way which the client would apply after
        /// this state, so that it needs the state a second time.
        twice: bool,
    },
    /// An event of the application: answer by [`reply`](super::Session::reply).
    Event {
        /// Whose.
        channel: ChannelId,
        /// What the answer belongs to.
        ticket: Ticket,
        /// Its name.
        event: String,
        /// What it carries.
        payload: Payload,
    },
    /// The client's own entry shall carry this, or be made. A ticket is answered;
    /// without one it was answered before.
    Track {
        /// Whose.
        channel: ChannelId,
        /// What the answer belongs to.
        ticket: Option<Ticket>,
        /// An object.
        payload: Payload,
    },
    /// The client's own entry shall leave.
    Untrack {
        /// Whose.
        channel: ChannelId,
    },
    /// A Supabase broadcast to the topic.
    Broadcast {
        /// Whose.
        channel: ChannelId,
        /// What the answer belongs to, where the client wants one.
        ticket: Option<Ticket>,
        /// Its name.
        event: String,
        /// What it carries.
        payload: Payload,
        /// JSON text, or empty.
        metadata: String,
        /// Whether the sender gets it too.
        to_self: bool,
    },
    /// A Supabase client has a new access token.
    Token {
        /// Whose.
        channel: ChannelId,
        /// The token.
        token: String,
    },
    /// The channel is gone; what belongs to it leaves.
    Left {
        /// Which.
        channel: ChannelId,
        /// Whether the client joins the topic again in the same breath: what it
        /// has there is taken over.
        rejoins: bool,
    },
    /// Close the socket; nothing comes after it.
    Close(Closing),
}
