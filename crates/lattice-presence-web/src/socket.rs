//! One socket: a task between the session, the application and the topics.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Mutex;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, SinkExt, StreamExt};
use lattice_presence_json::JsonMeta;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::channel::{Channel, Inner};
use crate::channels::{CALLS_AT_ONCE, Channels, Join, Joined, Refused, Reply, View};
use crate::outbox::{Item, Outbox};
use crate::phoenix::{
    ChannelId, Closing, Output, Payload, Session, Status, SupabaseConfig, Ticket, Wire, code,
};
use crate::seat::{Probe, Taken};
use crate::server::Server;
use crate::topic::{Command, Member, Sees, SocketId, Wish};

/// What may wait for one channel whose application is slow.
const WORK: usize = 256;
/// How long a client has to answer a close.
const GOODBYE: Duration = Duration::from_secs(2);

pub(crate) struct Socket<A: Channels> {
    pub(crate) server: Arc<Server<A>>,
    pub(crate) id: SocketId,
    pub(crate) user: Arc<A::User>,
    pub(crate) session: Session,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) taken: Taken,
    pub(crate) channels: HashMap<ChannelId, Live<A::User>>,
    pub(crate) calls: FuturesUnordered<BoxFuture<'static, (ChannelId, Done)>>,
}

/// A channel that is joined, or about to be.
pub(crate) struct Live<U> {
    topic: Arc<str>,
    channel: Option<Channel<U>>,
    work: VecDeque<Work>,
    busy: bool,
}

enum Work {
    Event(Ticket, String, Payload),
    Track(Option<Ticket>, Payload),
    Untrack,
    Broadcast {
        ticket: Option<Ticket>,
        event: String,
        payload: Payload,
        metadata: String,
        to_self: bool,
    },
    Token(String),
}

/// What the application said; nothing where it panicked.
pub(crate) enum Done {
    Join(Option<Result<Joined, Refused>>, bool),
    Event(Ticket, Option<Reply>),
    Track(Option<Ticket>, Option<Result<JsonMeta, Refused>>),
    Token(Option<Result<(), Refused>>),
    /// It went on in the meantime.
    Told(Option<Ticket>),
}

impl<A: Channels> Socket<A> {
    pub(crate) async fn run(mut self, mut socket: WebSocket, mut probes: mpsc::Receiver<Probe>) {
        let mut wake: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        let mut pinged = Instant::now();
        let mut probe: Option<Probe> = None;
        let ping = self.server.config.ping;
        loop {
            if !self.pump(&mut socket).await {
                break;
            }
            tokio::select! {
                frame = socket.recv(), if self.calls.len() < CALLS_AT_ONCE => match frame {
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(Ok(message)) => {
                        let _ = probe.take().map(|probe| probe.send(()));
                        self.receive(message);
                    }
                    Some(Err(error)) => self.outbox.close(of_error(&error.to_string())),
                },
                Some((channel, done)) = self.calls.next(), if !self.calls.is_empty() => {
                    self.done(channel, done).await;
                }
                () = self.outbox.ready() => {}
                asked = probes.recv() => match asked {
                    Some(asked) => {
                        probe = Some(asked);
                        self.send(&mut socket, Message::Ping(Bytes::new())).await;
                    }
                    None => break, // another socket has taken over
                },
                () = &mut wake => {
                    self.session.advance(self.server.now());
                    let now = Instant::now();
                    if now >= pinged + ping {
                        pinged = now;
                        self.send(&mut socket, Message::Ping(Bytes::new())).await;
                    }
                    let due = self.server.start + self.session.next_timeout();
                    wake.as_mut().reset(due.min(pinged + ping).max(now + Duration::from_millis(1)));
                }
            }
            // What is due earlier than was known: a track that waits.
            let due = self.server.start + self.session.next_timeout();
            if due < wake.deadline() {
                wake.as_mut().reset(due);
            }
        }
        self.end().await;
    }

    fn receive(&mut self, message: Message) {
        let now = self.server.now();
        match message {
            Message::Text(text) => self.session.receive_text(now, &text),
            Message::Binary(bytes) => self.session.receive_binary(now, &bytes),
            _ => self.session.heard(now),
        }
    }

    /// Does what the session wants and sends what waits; whether the socket goes on.
    async fn pump(&mut self, socket: &mut WebSocket) -> bool {
        loop {
            while let Some(output) = self.session.poll() {
                self.output(output).await;
            }
            let patience = self.server.config.patience;
            let Some(first) = self.outbox.pop() else {
                return true;
            };
            match timeout(patience, self.send_all(socket, first)).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    tracing::debug!(socket = self.id, "closed: the client does not read");
                    return false;
                }
            }
        }
    }

    /// Sends what waits with one flush; whether the socket goes on.
    async fn send_all(&mut self, socket: &mut WebSocket, first: Item) -> bool {
        let mut next = Some(first);
        while let Some(item) = next {
            let sent = match item {
                Item::Send(Wire::Text(text)) => socket.feed(Message::Text(text)).await,
                Item::Send(Wire::Binary(bytes)) => socket.feed(Message::Binary(bytes)).await,
                Item::Fetch(channel) => {
                    if let Some(channel) = self.joined_channel(channel).cloned() {
                        self.server.fetch(&channel).await;
                    }
                    Ok(())
                }
                Item::Close(closing) => {
                    say_goodbye(socket, closing).await;
                    return false;
                }
            };
            if sent.is_err() {
                return false;
            }
            next = self.outbox.pop();
        }
        socket.flush().await.is_ok()
    }

    async fn send(&mut self, socket: &mut WebSocket, message: Message) {
        // Where it fails, the next read says so.
        let _ = timeout(self.server.config.patience, socket.send(message)).await;
    }

    fn joined_channel(&self, id: ChannelId) -> Option<&Channel<A::User>> {
        self.channels.get(&id)?.channel.as_ref()
    }

    async fn output(&mut self, output: Output) {
        match output {
            Output::Send(wire) => self.outbox.push(wire),
            Output::Join {
                channel,
                topic,
                payload,
                supabase,
            } => {
                self.ask_join(channel, topic, payload, supabase);
            }
            Output::Subscribe { channel, twice } => self.subscribe(channel, twice).await,
            Output::Event {
                channel,
                ticket,
                event,
                payload,
            } => {
                self.work(channel, Work::Event(ticket, event, payload));
            }
            Output::Track {
                channel,
                ticket,
                payload,
            } => {
                self.work(channel, Work::Track(ticket, payload));
            }
            Output::Untrack { channel } => self.work(channel, Work::Untrack),
            Output::Broadcast {
                channel,
                ticket,
                event,
                payload,
                metadata,
                to_self,
            } => {
                self.work(
                    channel,
                    Work::Broadcast {
                        ticket,
                        event,
                        payload,
                        metadata,
                        to_self,
                    },
                );
            }
            Output::Token { channel, token } => self.work(channel, Work::Token(token)),
            Output::Left { channel, rejoins } => {
                if let Some(live) = self.channels.remove(&channel) {
                    self.server.leave(live.channel, rejoins).await;
                }
            }
            Output::Close(closing) => self.outbox.close(closing),
        }
    }

    fn ask_join(
        &mut self,
        id: ChannelId,
        topic: Arc<str>,
        payload: Payload,
        supabase: Option<SupabaseConfig>,
    ) {
        let live = Live {
            topic: topic.clone(),
            channel: None,
            work: VecDeque::new(),
            busy: true,
        };
        self.channels.insert(id, live);
        let (server, user) = (self.server.clone(), self.user.clone());
        let unique = self.taken.seat.pid().clone();
        let is_supabase = supabase.is_some();
        let join = Join {
            topic,
            payload,
            supabase,
            unique,
        };
        self.call(async move {
            let joined = caught(server.app.join(&user, join)).await;
            (id, Done::Join(joined, is_supabase))
        });
    }

    fn call(&self, call: impl Future<Output = (ChannelId, Done)> + Send + 'static) {
        self.calls.push(Box::pin(call));
    }

    async fn subscribe(&mut self, id: ChannelId, twice: bool) {
        let Some(channel) = self.joined_channel(id).cloned() else {
            return;
        };
        let sees = match &channel.inner.sees {
            View::Everyone if channel.inner.supabase => Sees::Supabase,
            View::Everyone => Sees::Everyone,
            View::Counts => Sees::Counts,
            View::Page(size) => Sees::Page(*size),
            View::Keys(keys) => return self.server.watch(&channel, keys),
            View::Nothing => return,
        };
        let own = channel.inner.seat.entry(&channel.inner.topic);
        let wish = Wish { sees, twice, own };
        let command = Command::Subscribe(channel.place(), wish);
        channel.inner.handle.send(command).await;
    }

    /// Calls for one channel come one after another.
    fn work(&mut self, id: ChannelId, work: Work) {
        let Some(live) = self.channels.get_mut(&id) else {
            return;
        };
        if live.work.len() < WORK {
            live.work.push_back(work);
            return self.next_work(id);
        }
        let busy = Payload::reason("the server is busy");
        if let Work::Event(ticket, ..)
        | Work::Track(Some(ticket), _)
        | Work::Broadcast {
            ticket: Some(ticket),
            ..
        } = work
        {
            self.session.reply(&ticket, Status::Error, &busy);
        }
    }

    fn next_work(&mut self, id: ChannelId) {
        while let Some(live) = self.channels.get_mut(&id)
            && !live.busy
            && let Some(channel) = live.channel.clone()
            && let Some(work) = live.work.pop_front()
        {
            let busy = !self.start(id, channel, work);
            if let Some(live) = self.channels.get_mut(&id) {
                live.busy = busy;
            }
        }
    }

    /// Starts a piece of work; whether it is done already.
    fn start(&mut self, id: ChannelId, channel: Channel<A::User>, work: Work) -> bool {
        let server = self.server.clone();
        match work {
            Work::Event(ticket, event, payload) => self.call(async move {
                let reply = caught(server.app.event(&channel, &event, payload)).await;
                (id, Done::Event(ticket, reply))
            }),
            Work::Track(ticket, payload) => {
                if channel.inner.tracks.is_none() {
                    self.refuse_track(id, ticket, &Refused::new("tracking is not allowed here"));
                    return true;
                }
                let Some(meta) = payload
                    .as_json()
                    .and_then(|text| JsonMeta::from_text(text).ok())
                else {
                    self.refuse_track(id, ticket, &Refused::new("that is too deep"));
                    return true;
                };
                self.call(async move {
                    let meta = caught(server.app.track(&channel, meta)).await;
                    (id, Done::Track(ticket, meta))
                });
            }
            Work::Untrack => {
                channel.untrack();
                return true;
            }
            Work::Broadcast {
                ticket,
                event,
                payload,
                metadata,
                to_self,
            } => {
                if !channel.inner.broadcasts {
                    if let Some(ticket) = ticket {
                        let reason = Payload::reason("broadcasts are not allowed here");
                        self.session.reply(&ticket, Status::Error, &reason);
                    }
                    return true;
                }
                self.call(async move {
                    channel.tell_user(&event, payload, metadata, to_self).await;
                    (id, Done::Told(ticket))
                });
            }
            Work::Token(token) => self.call(async move {
                let valid = caught(server.app.token(&channel, &token)).await;
                (id, Done::Token(valid))
            }),
        }
        false
    }

    fn refuse_track(&mut self, id: ChannelId, ticket: Option<Ticket>, refused: &Refused) {
        self.session.track_refused(id);
        if let Some(ticket) = ticket {
            self.session
                .reply(&ticket, Status::Error, &Payload::reason(&refused.reason));
        }
    }

    async fn done(&mut self, id: ChannelId, done: Done) {
        if let Some(live) = self.channels.get_mut(&id) {
            live.busy = false;
        }
        match done {
            Done::Join(Some(Ok(joined)), supabase) => self.joined(id, joined, supabase).await,
            Done::Join(Some(Err(refused)), _) => self.refuse(id, &refused),
            Done::Join(None, _) => self.refuse(id, &Refused::new("join crashed")),
            Done::Event(ticket, Some(Reply::Ok(response))) => {
                self.session.reply(&ticket, Status::Ok, &response);
            }
            Done::Event(ticket, Some(Reply::Error(response))) => {
                self.session.reply(&ticket, Status::Error, &response);
            }
            Done::Event(_, Some(Reply::None)) => {}
            Done::Event(_, Some(Reply::Close)) => self.session.close(id),
            Done::Event(_, Some(Reply::Fail) | None) | Done::Track(_, None) | Done::Token(None) => {
                self.session.fail(id);
            }
            Done::Track(ticket, Some(meta)) => self.track(id, ticket, meta),
            Done::Token(Some(Ok(()))) => {}
            Done::Token(Some(Err(refused))) => self.refuse_token(id, &refused),
            Done::Told(ticket) => {
                if let Some(ticket) = ticket {
                    self.session.reply(&ticket, Status::Ok, &Payload::empty());
                }
            }
        }
        self.next_work(id);
    }

    fn track(&mut self, id: ChannelId, ticket: Option<Ticket>, meta: Result<JsonMeta, Refused>) {
        let Some(channel) = self.joined_channel(id) else {
            return; // left meanwhile
        };
        let key = channel.inner.tracks.clone().unwrap_or_default();
        match meta.and_then(|meta| channel.track(&key, meta)) {
            Ok(()) => {
                if let Some(ticket) = ticket {
                    self.session.reply(&ticket, Status::Ok, &Payload::empty());
                }
            }
            Err(refused) => self.refuse_track(id, ticket, &refused),
        }
    }

    /// A `system` error, and `phx_close`, as Supabase does.
    fn refuse_token(&mut self, id: ChannelId, refused: &Refused) {
        if let Some(channel) = self.joined_channel(id) {
            let topic = channel
                .topic()
                .strip_prefix("realtime:")
                .unwrap_or_else(|| channel.topic());
            let message = serde_json::json!({
                "extension": "system", "status": "error",
                "message": refused.reason, "channel": topic,
            });
            channel.push("system", &Payload::trusted(message.to_string()));
        }
        self.session.close(id);
    }

    fn refuse(&mut self, id: ChannelId, refused: &Refused) {
        if let Some(live) = self.channels.remove(&id) {
            // What it had before it joined again.
            self.taken.seat.untrack(&live.topic);
        }
        self.session.refuse(id, &Payload::reason(&refused.reason));
    }

    async fn joined(&mut self, id: ChannelId, joined: Joined, supabase: bool) {
        let Some(topic) = self.channels.get(&id).map(|live| live.topic.clone()) else {
            return; // left before it was answered
        };
        let longest = self.server.config.limits.name_bytes;
        let keys = joined
            .entry
            .as_ref()
            .map(|(key, _)| key)
            .into_iter()
            .chain(&joined.tracks);
        if let Some(key) = keys
            .into_iter()
            .find(|key| key.len() > longest || key.is_empty())
        {
            let reason = if key.is_empty() {
                "the key is empty"
            } else {
                "the key is too long"
            };
            return self.refuse(id, &Refused::new(reason));
        }
        let seat = self.taken.seat.clone();
        let stays = match (&joined.entry, &joined.tracks) {
            (Some((key, meta)), _) => match seat.track(&topic, key, meta) {
                Ok(()) => true,
                Err(reason) => return self.refuse(id, &Refused::new(reason)),
            },
            (None, Some(key)) => seat.entry(&topic).is_some_and(|had| had.key() == &**key),
            (None, None) => false,
        };
        if !stays {
            seat.untrack(&topic);
        }
        let channel = Channel {
            inner: Arc::new(Inner {
                user: self.user.clone(),
                handle: self.server.open(&topic),
                topic,
                id,
                socket: self.id,
                join_ref: self.session.join_ref(id).cloned(),
                outbox: self.outbox.clone(),
                seat,
                node: self.server.node.clone(),
                tracks: joined
                    .tracks
                    .or_else(|| joined.entry.map(|(key, _)| key).filter(|_| supabase)),
                broadcasts: joined.broadcasts,
                supabase,
                sees: joined.view,
                live: Mutex::new(true),
            }),
        };
        let member = Member {
            channel: id,
            join_ref: channel.inner.join_ref.clone(),
            outbox: self.outbox.clone(),
        };
        channel
            .inner
            .handle
            .send(Command::Enter(self.id, member))
            .await;
        let presence = channel.inner.sees != View::Nothing;
        if let Some(live) = self.channels.get_mut(&id) {
            live.channel = Some(channel);
        }
        let response = joined.response.unwrap_or_else(|| {
            Payload::trusted(if supabase {
                r#"{"postgres_changes":[]}"#
            } else {
                "{}"
            })
        });
        self.session
            .accept(self.server.now(), id, &response, presence);
    }

    async fn end(self) {
        for (_, live) in self.channels {
            self.server.leave(live.channel, true).await;
        }
        self.server.ended(self.id);
        self.taken.stand_up();
    }
}

/// The application's answer; nothing where it panicked.
async fn caught<T>(call: impl Future<Output = T>) -> Option<T> {
    let done = AssertUnwindSafe(call).catch_unwind().await;
    if done.is_err() {
        tracing::error!("the application panicked: its channel fails");
    }
    done.ok()
}

fn of_error(error: &str) -> Closing {
    // The errors of the WebSocket crate are not in the interface of axum.
    if error.contains("too long") || error.contains("Space limit") {
        Closing::new(code::TOO_BIG, "the message is too big")
    } else if error.contains("UTF-8") {
        Closing::new(code::INVALID, "a text that is no UTF-8")
    } else {
        Closing::new(code::INVALID, "not a WebSocket frame")
    }
}

/// Closes, and reads on for a while: a connection that is dropped with bytes unread
/// is reset, and the client would not learn why.
async fn say_goodbye(socket: &mut WebSocket, closing: Closing) {
    let frame = CloseFrame {
        code: closing.code,
        reason: closing.reason.into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        let _ = timeout(GOODBYE, async {
            while let Some(Ok(_)) = socket.recv().await {}
        })
        .await;
    }
}
