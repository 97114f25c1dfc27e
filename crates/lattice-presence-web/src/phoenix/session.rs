//! The server's side of one socket.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;
use std::collections::HashMap;

use bytes::Bytes;

use super::bucket::Bucket;
use super::encode;
use super::frame::{self, BadFrame, Incoming, Ref};
use super::output::{ChannelId, Closing, Output, Status, Ticket, code};
use super::supabase::{BroadcastCall, PresenceCall, PresenceVerb, TokenCall};
use super::tracks::{Tracked, Tracks};
use super::{Payload, SupabaseConfig, Version, binary};

/// What one socket may do.
///
/// ```
/// use lattice_presence_web::phoenix::Limits;
///
/// let mut limits = Limits::default();
/// limits.topics = 10;
/// assert_eq!(limits.topic_bytes, 255);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message; a longer one closes the socket. 64 KiB.
    pub message_bytes: usize,
    /// Topics joined at once; one more is refused. 100.
    pub topics: usize,
    /// Bytes of a topic. 255, what a binary frame can name.
    pub topic_bytes: usize,
    /// Bytes of a key and of an event's name. 255.
    pub name_bytes: usize,
    /// Messages at once, heartbeats included; one more is answered with an error. 100.
    pub burst: u32,
    /// Messages a second after that. 50.
    pub rate: u32,
    /// Messages over the limit that are answered; after as many without a pause,
    /// the socket is closed. 500.
    pub patience: u32,
    /// Changes of the own entry at once; more are merged, the last one wins. 5.
    pub track_burst: u32,
    /// Changes of the own entry a second after that. 5.
    pub track_rate: u32,
    /// Messages to a channel whose join is not answered yet. 16.
    pub waiting: usize,
    /// Silence after which a socket is closed. 90 s: hidden tabs may send one
    /// heartbeat a minute.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 10,
            topics: 100,
            topic_bytes: 255,
            name_bytes: 255,
            burst: 100,
            rate: 50,
            patience: 500,
            track_burst: 5,
            track_rate: 5,
            waiting: 16,
            idle: Duration::from_secs(90),
        }
    }
}

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
    bucket: Bucket,
    /// Messages over the limit since the last one within it.
    excess: u32,
    channels: HashMap<Arc<str>, Channel>,
    topics: HashMap<ChannelId, Arc<str>>,
    next_channel: u64,
    heard: Duration,
    closed: bool,
    out: VecDeque<Output>,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    join_ref: Option<Ref>,
    /// Of the join; answered once.
    reference: Option<Ref>,
    /// Messages that came before the join was answered; nothing once it was.
    waiting: Option<Vec<Incoming>>,
    replaces: bool,
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
            bucket: Bucket::new(limits.burst, limits.rate),
            limits,
            excess: 0,
            channels: HashMap::new(),
            topics: HashMap::new(),
            next_channel: 0,
            heard: now,
            closed: false,
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
        self.out.pop_front()
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
        self.heard = now;
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
                twice: channel.replaces,
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
        let Some(channel) = self.channels.remove(&topic) else {
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

    fn end(&mut self, id: ChannelId, encode: fn(Version, Option<&Ref>, &str) -> encode::Wire) {
        let Some(topic) = self.topics.remove(&id) else {
            return;
        };
        if let Some(channel) = self.channels.remove(&topic) {
            let wire = encode(self.version, channel.join_ref.as_ref(), &topic);
            self.out.push_back(Output::Send(wire));
            self.left(id, false);
        }
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

    fn receive(
        &mut self,
        now: Duration,
        size: usize,
        read: impl FnOnce(&Self) -> Result<Incoming, BadFrame>,
    ) {
        if self.closed {
            return;
        }
        self.heard = now;
        if size > self.limits.message_bytes {
            self.close_socket(code::TOO_BIG, "the message is too big");
            return;
        }
        let within = self.bucket.take(now).is_ok();
        self.excess = if within { 0 } else { self.excess + 1 };
        if self.excess > self.limits.patience {
            self.close_socket(code::POLICY, "too many messages");
            return;
        }
        match read(self) {
            Ok(message) if within || is_control(&message) => self.handle(now, message),
            Ok(message) => self.answer(&message, Status::Error, "too many messages"),
            Err(bad) => self.close_socket(code::INVALID, &bad.to_string()),
        }
    }

    fn handle(&mut self, now: Duration, message: Incoming) {
        if message.topic == "phoenix" {
            return match &*message.event {
                "heartbeat" => self.answer_ok(&message),
                _ => self.unmatched(&message),
            };
        }
        if message.topic.len() > self.limits.topic_bytes {
            return self.answer(&message, Status::Error, "the topic is too long");
        }
        if message.event.len() > self.limits.name_bytes {
            return self.answer(&message, Status::Error, "the event's name is too long");
        }
        if message.event == "phx_join" {
            return self.join(message);
        }
        let Some((topic, channel)) = self.channels.get_key_value(&*message.topic) else {
            return match &*message.event {
                "phx_leave" => self.answer_ok(&message),
                _ => self.unmatched(&message),
            };
        };
        if message.join_ref.is_some() && message.join_ref != channel.join_ref {
            return; // of a channel that is gone: the client expects silence
        }
        if message.event == "phx_leave" {
            let id = channel.id;
            self.answer_ok(&message);
            return self.end(id, encode::close);
        }
        let topic = topic.clone();
        self.push(now, &topic, message);
    }

    fn join(&mut self, message: Incoming) {
        let mut replaces = false;
        let rejoins = self.channels.remove(&*message.topic);
        if let Some(former) = rejoins {
            replaces = former.waiting.is_none();
            self.topics.remove(&former.id);
            let wire = encode::close(self.version, former.join_ref.as_ref(), &message.topic);
            self.out.push_back(Output::Send(wire));
            self.left(former.id, true);
        } else if self.channels.len() >= self.limits.topics {
            return self.answer(&message, Status::Error, "too many channels joined");
        }
        self.next_channel += 1;
        let id = ChannelId(self.next_channel);
        let topic: Arc<str> = message.topic.into();
        let supabase = SupabaseConfig::of(&message.payload);
        self.topics.insert(id, topic.clone());
        self.channels.insert(
            topic.clone(),
            Channel {
                id,
                join_ref: message.join_ref,
                reference: message.reference,
                waiting: Some(Vec::new()),
                replaces,
                supabase: supabase.clone(),
                subscribed: false,
                tracks: Tracks::new(self.limits.track_burst, self.limits.track_rate),
            },
        );
        self.out.push_back(Output::Join {
            channel: id,
            topic,
            payload: message.payload,
            supabase,
        });
    }

    /// A message to a channel that is joined, or about to be.
    fn push(&mut self, now: Duration, topic: &Arc<str>, message: Incoming) {
        let Some(channel) = self.channels.get_mut(topic) else {
            return;
        };
        if let Some(waiting) = &mut channel.waiting {
            if waiting.len() < self.limits.waiting {
                return waiting.push(message);
            }
            return self.answer(&message, Status::Error, "the join is not answered yet");
        }
        let ticket = Ticket {
            // As the client knows the channel, whether or not it said so here.
            join_ref: channel.join_ref.clone(),
            reference: message.reference.clone(),
            topic: topic.clone(),
        };
        let id = channel.id;
        if let Some(config) = &channel.supabase {
            let (ack, to_self) = (config.ack, config.to_self);
            match &*message.event {
                "presence" => return self.presence(now, topic, ticket, &message),
                "broadcast" => return self.broadcast(id, ticket, message, ack, to_self),
                "access_token" => {
                    if let Ok(TokenCall {
                        access_token: Some(token),
                    }) = message.payload.parse()
                    {
                        self.out.push_back(Output::Token { channel: id, token });
                    }
                    return;
                }
                _ => {}
            }
        }
        self.out.push_back(Output::Event {
            channel: id,
            ticket,
            event: message.event,
            payload: message.payload,
        });
    }

    fn presence(&mut self, now: Duration, topic: &Arc<str>, ticket: Ticket, message: &Incoming) {
        let Ok(call) = message.payload.parse::<PresenceCall>() else {
            return self.error(&ticket, "Presence call must name an event");
        };
        let Some(channel) = self.channels.get_mut(topic) else {
            return;
        };
        let id = channel.id;
        match call.verb() {
            PresenceVerb::Track => {
                let payload = call
                    .payload
                    .as_deref()
                    .map_or_else(Payload::empty, Payload::raw);
                if !payload.is_object() {
                    return self.error(&ticket, "Presence track payload must be a map");
                }
                if !channel.subscribed {
                    channel.subscribed = true;
                    self.out.push_back(Output::Subscribe {
                        channel: id,
                        twice: false,
                    });
                }
                match channel.tracks.track(now, &payload) {
                    Tracked::Now => self.out.push_back(Output::Track {
                        channel: id,
                        ticket: Some(ticket),
                        payload,
                    }),
                    Tracked::Same | Tracked::Later => self.ok(&ticket),
                }
            }
            PresenceVerb::Untrack => {
                channel.tracks.untrack();
                self.out.push_back(Output::Untrack { channel: id });
                self.ok(&ticket);
            }
            PresenceVerb::Other => self.error(&ticket, "Unknown presence event"),
        }
    }

    fn broadcast(
        &mut self,
        id: ChannelId,
        ticket: Ticket,
        message: Incoming,
        ack: bool,
        to_self: bool,
    ) {
        let (event, payload, metadata) = match message.user {
            Some(user) => (user.event, message.payload, user.metadata),
            None => match message.payload.parse::<BroadcastCall>() {
                Ok(call) => (
                    call.event,
                    call.payload
                        .as_deref()
                        .map_or_else(Payload::empty, Payload::raw),
                    call.meta
                        .map(|meta| meta.get().to_owned())
                        .unwrap_or_default(),
                ),
                Err(_) => return self.error(&ticket, "Broadcast must name an event"),
            },
        };
        if event.len() > self.limits.name_bytes || metadata.len() > 255 {
            return self.error(&ticket, "the broadcast's event or metadata is too long");
        }
        self.out.push_back(Output::Broadcast {
            channel: id,
            ticket: ack.then_some(ticket),
            event,
            payload,
            metadata,
            to_self,
        });
    }

    fn ok(&mut self, ticket: &Ticket) {
        self.reply(ticket, Status::Ok, &Payload::empty());
    }

    fn error(&mut self, ticket: &Ticket, reason: &str) {
        self.reply(ticket, Status::Error, &Payload::reason(reason));
    }

    /// A reply by the references of the message itself.
    fn answer(&mut self, message: &Incoming, status: Status, reason: &str) {
        if let Some(reference) = &message.reference {
            let refs = [message.join_ref.as_ref(), Some(reference)];
            let response = match status {
                Status::Ok => Payload::empty(),
                Status::Error => Payload::reason(reason),
            };
            let wire = encode::reply(self.version, refs, &message.topic, status, &response);
            self.out.push_back(Output::Send(wire));
        }
    }

    fn answer_ok(&mut self, message: &Incoming) {
        self.answer(message, Status::Ok, "");
    }

    /// Nobody has joined this topic. The join reference of the reply is null.
    fn unmatched(&mut self, message: &Incoming) {
        if let Some(reference) = &message.reference {
            let wire = encode::reply(
                self.version,
                [None, Some(reference)],
                &message.topic,
                Status::Error,
                &Payload::reason("unmatched topic"),
            );
            self.out.push_back(Output::Send(wire));
        }
    }
}

/// Served even over the limit: who waits for it would try again, or go.
fn is_control(message: &Incoming) -> bool {
    message.event == "phx_leave" || (message.topic == "phoenix" && message.event == "heartbeat")
}

fn find<'a>(
    topics: &HashMap<ChannelId, Arc<str>>,
    channels: &'a mut HashMap<Arc<str>, Channel>,
    id: ChannelId,
) -> Option<(Arc<str>, &'a mut Channel)> {
    let topic = topics.get(&id)?.clone();
    let channel = channels.get_mut(&topic)?;
    Some((topic, channel))
}
