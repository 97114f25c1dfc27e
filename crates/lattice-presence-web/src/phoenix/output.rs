//! What a session asks its caller to do.

use alloc::sync::Arc;

use super::frame::Ref;
use super::{Payload, SupabaseConfig, Wire};

/// One join of one topic on one socket. A rejoin is another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(super) u64);

/// Says to which message a reply belongs. It has the join reference of its channel. If
/// the client has joined again, it drops a late reply.
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

/// Codes with which a socket is closed. 1000 is not among them, because a client that
/// reads 1000 never comes back.
pub mod code {
    /// The client was silent, or the server stops.
    pub const GOING_AWAY: u16 = 1001;
    /// A frame that is not a message.
    pub const INVALID: u16 = 1007;
    /// Too many messages, or a client that does not read.
    pub const POLICY: u16 = 1008;
    /// A message over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The server restarts, and this socket was drained.
    pub const RESTART: u16 = 1012;
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// One of [`code`].
    pub code: u16,
    /// The client can show it. At most 123 bytes.
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

/// What a [`Session`](super::Session) asks for. Do them in the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send this to the client.
    Send(Wire),
    /// A client wants to join. Answer by [`accept`](super::Session::accept) or
    /// [`refuse`](super::Session::refuse).
    Join {
        /// The channel, if you accept the join.
        channel: ChannelId,
        /// Its topic.
        topic: Arc<str>,
        /// The payload of the join.
        payload: Payload,
        /// What the join asks for, if it is a Supabase client.
        supabase: Option<SupabaseConfig>,
    },
    /// The channel is joined and sees presence. Send it the state, and then the diffs.
    Subscribe {
        /// The channel.
        channel: ChannelId,
        /// Whether another channel of the topic has just ended on this socket, or is
        /// replaced. Then old diffs can arrive after this state, and the client would
        /// apply them. So it needs the state a second time.
        twice: bool,
    },
    /// An event for the application. Answer by [`reply`](super::Session::reply).
    Event {
        /// The channel.
        channel: ChannelId,
        /// The message to which the answer belongs.
        ticket: Ticket,
        /// The name of the event.
        event: String,
        /// The payload of the event.
        payload: Payload,
    },
    /// Give the client's own entry this metadata. If there is no entry, make one. If
    /// there is a ticket, answer it. Otherwise it was answered before.
    Track {
        /// The channel.
        channel: ChannelId,
        /// The message to which the answer belongs.
        ticket: Option<Ticket>,
        /// The metadata, an object.
        payload: Payload,
    },
    /// Remove the client's own entry.
    Untrack {
        /// The channel.
        channel: ChannelId,
    },
    /// A Supabase broadcast to the topic.
    Broadcast {
        /// The channel.
        channel: ChannelId,
        /// The message to which the answer belongs, if the client wants an answer.
        ticket: Option<Ticket>,
        /// The name of the event.
        event: String,
        /// The payload of the event.
        payload: Payload,
        /// JSON text, or empty.
        metadata: String,
        /// Whether the sender gets the broadcast too.
        to_self: bool,
    },
    /// A Supabase client has a new access token.
    Token {
        /// The channel.
        channel: ChannelId,
        /// The token.
        token: String,
    },
    /// The channel is gone. Remove its entry.
    Left {
        /// The channel.
        channel: ChannelId,
        /// Whether the client joins the topic again at the same time. Then the new
        /// channel takes over the entry.
        rejoins: bool,
    },
    /// Close the socket. No output comes after this one.
    Close(Closing),
}
