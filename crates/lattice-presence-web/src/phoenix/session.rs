//! The server's side of one socket.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;
use std::collections::HashMap;

use bytes::Bytes;

use super::bucket::TokenBucket;
use super::encode;
use super::frame::{self, Incoming, Ref};
use super::joins::Joins;
use super::output::{ChannelId, Closing, Output, Status, Ticket, code};
use super::tracks::Tracks;
use super::{Limits, Payload, SupabaseConfig, Version, Wire, binary};

mod incoming;

/// The server's side of one socket: frames in, [`Output`]s out.
///
/// `now` is the time since a start that the caller chose, and never goes back.
/// Every call may add outputs: take them by [`poll`](Self::poll) until there are
/// none. Memory is O(topics joined), plus what waits to be polled.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Version};
///
/// let now = Duration::ZERO;
/// let mut session = Session::new(Version::V2, Limits::default(), now);
/// session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
/// let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
/// session.accept(now, channel, &Payload::empty(), false);
/// let Some(Output::Send(reply)) = session.poll() else { panic!() };
/// assert_eq!(
///     reply.text(),
///     Some(r#"["1","1","room:1","phx_reply",{"status":"ok","response":{}}]"#),
/// );
/// ```
#[derive(Debug)]
pub struct Session {
    version: Version,
    limits: Limits,
    messages: TokenBucket,
    bytes: TokenBucket,
    joins: Joins,
    /// Messages over the limits since the last one within them.
    excess: u32,
    /// Bytes of the messages that wait for the answer to a join.
    waiting_bytes: usize,
    channels: HashMap<Arc<str>, OpenChannel>,
    topics: HashMap<ChannelId, Arc<str>>,
    next_channel: u64,
    heard: Duration,
    now: Duration,
    closed: bool,
    /// Whether the close was polled: nothing comes after it.
    is_over: bool,
    out: VecDeque<Output>,
}

#[derive(Debug)]
struct OpenChannel {
    id: ChannelId,
    join_ref: Option<Ref>,
    /// Of the join; answered once.
    reference: Option<Ref>,
    /// Messages that came before the join was answered; nothing once it was.
    waiting: Option<Vec<Incoming>>,
    /// Whether the client may still get diffs of a channel that it had before.
    twice: bool,
    supabase: Option<SupabaseConfig>,
    subscribed: bool,
    tracks: Tracks,
}

impl Session {
    /// A socket that has just connected.
    ///
    /// ```
    /// use core::time::Duration;
    /// use lattice_presence_web::phoenix::{Limits, Session, Version};
    ///
    /// let mut session = Session::new(Version::V1, Limits::default(), Duration::ZERO);
    /// assert!(session.poll().is_none());
    /// ```
    #[must_use]
    pub fn new(version: Version, limits: Limits, now: Duration) -> Self {
        Self {
            version,
            messages: TokenBucket::new(limits.burst, limits.rate),
            bytes: TokenBucket::new(
                limits.bytes_burst.max(size(limits.message_bytes)),
                limits.bytes_rate,
            ),
            joins: Joins::new(&limits),
            limits,
            excess: 0,
            waiting_bytes: 0,
            channels: HashMap::new(),
            topics: HashMap::new(),
            next_channel: 0,
            heard: now,
            now,
            closed: false,
            is_over: false,
            out: VecDeque::new(),
        }
    }

    /// What to do next. Every call of the others may add to it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Session, Version};
    /// let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// session.receive_text(Duration::ZERO, "nonsense");
    /// assert!(matches!(session.poll(), Some(Output::Close(closing)) if closing.code == 1007));
    /// ```
    pub fn poll(&mut self) -> Option<Output> {
        if self.is_over {
            self.out.clear();
        }
        let output = self.out.pop_front();
        self.is_over |= matches!(output, Some(Output::Close(_)));
        output
    }

    /// A text frame. O(size). A frame that is no message closes the socket;
    /// whatever else is wrong gets a reply.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Session, Version};
    /// let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// session.receive_text(Duration::ZERO, r#"[null,"2","phoenix","heartbeat",{}]"#);
    /// let Some(Output::Send(reply)) = session.poll() else { panic!() };
    /// assert_eq!(
    ///     reply.text(),
    ///     Some(r#"[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]"#),
    /// );
    /// ```
    pub fn receive_text(&mut self, now: Duration, text: &str) {
        let read = |session: &Self| frame::read(session.version, text);
        self.receive(now, text.len(), read);
    }

    /// A binary frame. O(size), its payload is shared and not copied.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Session, Version};
    /// let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// session.receive_binary(Duration::ZERO, &vec![99].into());
    /// assert!(matches!(session.poll(), Some(Output::Close(_))));
    /// ```
    pub fn receive_binary(&mut self, now: Duration, frame: &Bytes) {
        self.receive(now, frame.len(), |_| binary::read(frame));
    }

    /// The client is there: a ping, a pong. O(1).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Session, Version};
    /// let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// session.heard(Duration::from_secs(60));
    /// assert_eq!(session.next_timeout(), Duration::from_secs(150));
    /// ```
    pub fn heard(&mut self, now: Duration) {
        (self.heard, self.now) = (now, now);
    }

    /// When [`advance`](Self::advance) has something to do. O(topics joined).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Session, Version};
    /// let session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// assert_eq!(session.next_timeout(), Duration::from_secs(90));
    /// ```
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        let tracks = self
            .channels
            .values()
            .filter_map(|channel| channel.tracks.due());
        tracks.fold(self.heard + self.limits.idle, Duration::min)
    }

    /// Does what is due. Too early does nothing. O(topics joined).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Session, Version};
    /// let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
    /// session.advance(Duration::from_secs(90));
    /// assert!(matches!(session.poll(), Some(Output::Close(closing)) if closing.code == 1001));
    /// ```
    pub fn advance(&mut self, now: Duration) {
        self.now = now;
        if self.closed {
            return;
        }
        if now >= self.heard + self.limits.idle {
            self.close_socket(code::GOING_AWAY, "nothing was heard for too long");
            return;
        }
        for channel in self.channels.values_mut() {
            if let Some(payload) = channel.tracks.advance(now) {
                self.out.push_back(Output::Track {
                    channel: channel.id,
                    ticket: None,
                    payload,
                });
            }
        }
    }

    /// The application lets the client join. `presence`: whether it sees who is
    /// there; a Supabase client that did not ask for it sees it from its first
    /// track on. Nothing happens where the channel is gone.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Version};
    /// # let now = Duration::ZERO;
    /// let mut session = Session::new(Version::V2, Limits::default(), now);
    /// session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
    /// let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
    /// session.accept(now, channel, &Payload::empty(), true);
    /// assert!(matches!(session.poll(), Some(Output::Send(_))));
    /// assert!(matches!(session.poll(), Some(Output::Subscribe { twice: false, .. })));
    /// ```
    pub fn accept(&mut self, now: Duration, id: ChannelId, response: &Payload, presence: bool) {
        let version = self.version;
        let Some((topic, channel)) = find(&self.topics, &mut self.channels, id) else {
            return;
        };
        let Some(waiting) = channel.waiting.take() else {
            return;
        };
        self.waiting_bytes -= bytes(&waiting);
        let refs = [channel.join_ref.as_ref(), channel.reference.as_ref()];
        let wire = encode::reply(version, refs, &topic, Status::Ok, response);
        self.out.push_back(Output::Send(wire));
        let asked = channel
            .supabase
            .as_ref()
            .is_none_or(|config| config.presence);
        if presence && asked {
            channel.subscribed = true;
            self.out.push_back(Output::Subscribe {
                channel: id,
                twice: channel.twice,
            });
        }
        for message in waiting {
            self.handle(now, message);
        }
    }

    /// The application does not let the client join: the client gets `response`
    /// and tries again after a while. Nothing happens where the channel is gone.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Version};
    /// # let now = Duration::ZERO;
    /// let mut session = Session::new(Version::V2, Limits::default(), now);
    /// session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
    /// let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
    /// session.refuse(channel, &Payload::reason("full"));
    /// let Some(Output::Send(reply)) = session.poll() else { panic!() };
    /// assert!(reply.text().unwrap().contains(r#""status":"error","response":{"reason":"full"}"#));
    /// ```
    pub fn refuse(&mut self, id: ChannelId, response: &Payload) {
        let Some(topic) = self.topics.remove(&id) else {
            return;
        };
        let Some(channel) = self.forget(&topic) else {
            return;
        };
        let refs = [channel.join_ref.as_ref(), channel.reference.as_ref()];
        let wire = encode::reply(self.version, refs, &topic, Status::Error, response);
        self.out.push_back(Output::Send(wire));
        for message in channel.waiting.unwrap_or_default() {
            self.unmatched(&message);
        }
    }

    /// Answers an event. A client that has joined again since drops it, by the
    /// join reference that it carries. O(size).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Status, Version};
    /// # let now = Duration::ZERO;
    /// # let mut session = Session::new(Version::V2, Limits::default(), now);
    /// # session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
    /// # let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
    /// # session.accept(now, channel, &Payload::empty(), false);
    /// # session.poll();
    /// session.receive_text(now, r#"["1","7","room:1","shout","hi"]"#);
    /// let Some(Output::Event { ticket, .. }) = session.poll() else { panic!() };
    /// session.reply(&ticket, Status::Ok, &Payload::empty());
    /// let Some(Output::Send(reply)) = session.poll() else { panic!() };
    /// assert!(reply.text().unwrap().starts_with(r#"["1","7","room:1","phx_reply""#));
    /// ```
    pub fn reply(&mut self, ticket: &Ticket, status: Status, response: &Payload) {
        if ticket.reference.is_none() {
            return; // the client waits for nothing
        }
        let refs = [ticket.join_ref.as_ref(), ticket.reference.as_ref()];
        let wire = encode::reply(self.version, refs, &ticket.topic, status, response);
        self.out.push_back(Output::Send(wire));
    }

    /// The application did not take a track: the same again is another try.
    pub(crate) fn track_refused(&mut self, id: ChannelId) {
        if let Some((_, channel)) = find(&self.topics, &mut self.channels, id) {
            channel.tracks.refused();
        }
    }

    /// The application ends the channel for good: `phx_close`, after which the
    /// client does not join again by itself.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Version};
    /// # let now = Duration::ZERO;
    /// # let mut session = Session::new(Version::V2, Limits::default(), now);
    /// # session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
    /// # let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
    /// # session.accept(now, channel, &Payload::empty(), false);
    /// # session.poll();
    /// session.close(channel);
    /// let Some(Output::Send(close)) = session.poll() else { panic!() };
    /// assert_eq!(close.text(), Some(r#"["1","1","room:1","phx_close",{}]"#));
    /// assert!(matches!(session.poll(), Some(Output::Left { .. })));
    /// ```
    pub fn close(&mut self, id: ChannelId) {
        self.end(id, encode::close);
    }

    /// The channel failed: `phx_error`, after which the client joins again in 1,
    /// 2, 5, 10 s.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Version};
    /// # let now = Duration::ZERO;
    /// # let mut session = Session::new(Version::V2, Limits::default(), now);
    /// # session.receive_text(now, r#"["1","1","room:1","phx_join",{}]"#);
    /// # let Some(Output::Join { channel, .. }) = session.poll() else { panic!() };
    /// # session.accept(now, channel, &Payload::empty(), false);
    /// # session.poll();
    /// session.fail(channel);
    /// let Some(Output::Send(error)) = session.poll() else { panic!() };
    /// assert_eq!(error.text(), Some(r#"["1","1","room:1","phx_error",{}]"#));
    /// ```
    pub fn fail(&mut self, id: ChannelId) {
        self.end(id, encode::fail);
    }

    fn end(&mut self, id: ChannelId, encode: fn(Version, Option<&Ref>, &str) -> Wire) {
        let Some(topic) = self.topics.remove(&id) else {
            return;
        };
        if let Some(channel) = self.forget(&topic) {
            let wire = encode(self.version, channel.join_ref.as_ref(), &topic);
            self.out.push_back(Output::Send(wire));
            self.left(id, false);
        }
    }

    /// Lets go of a channel, with what waits for its join.
    fn forget(&mut self, topic: &str) -> Option<OpenChannel> {
        let channel = self.channels.remove(topic)?;
        self.topics.remove(&channel.id);
        match &channel.waiting {
            Some(waiting) => self.waiting_bytes -= bytes(waiting),
            None => self.joins.ended(self.now, topic),
        }
        Some(channel)
    }

    fn left(&mut self, channel: ChannelId, rejoins: bool) {
        self.out.push_back(Output::Left { channel, rejoins });
    }

    pub(crate) fn close_socket(&mut self, code: u16, reason: &str) {
        if !self.closed {
            self.closed = true;
            self.out
                .push_back(Output::Close(Closing::new(code, reason)));
        }
    }

    /// The join reference of a channel that is there.
    pub(crate) fn join_ref(&self, id: ChannelId) -> Option<&Ref> {
        let topic = self.topics.get(&id)?;
        self.channels.get(topic)?.join_ref.as_ref()
    }
}

fn bytes(messages: &[Incoming]) -> usize {
    messages.iter().map(Incoming::bytes).sum()
}

/// Enough for any message that is read.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn find<'a>(
    topics: &HashMap<ChannelId, Arc<str>>,
    channels: &'a mut HashMap<Arc<str>, OpenChannel>,
    id: ChannelId,
) -> Option<(Arc<str>, &'a mut OpenChannel)> {
    let topic = topics.get(&id)?.clone();
    let channel = channels.get_mut(&topic)?;
    Some((topic, channel))
}
