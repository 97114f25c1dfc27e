//! What the session wants of the application, and what becomes of the answers.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures_util::FutureExt;
use lattice_presence_json::JsonMeta;

use super::Socket;
use crate::calls::{Join, Joined, Refused, Reply, View};
use crate::channel::{Channel, Inner};
use crate::channels::Channels;
use crate::phoenix::{ChannelId, Output, Payload, Status, SupabaseConfig, Ticket};
use crate::topic::{Command, Listener, Sees, Wish};

/// A channel that is joined, or about to be.
pub(crate) struct Live<U> {
    topic: Arc<str>,
    pub(super) channel: Option<Channel<U>>,
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

impl Work {
    /// What it costs to keep, about.
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Event(_, event, payload) => event.len() + payload.len(),
            Self::Track(_, payload) => payload.len(),
            Self::Untrack => 0,
            Self::Broadcast {
                event,
                payload,
                metadata,
                ..
            } => event.len() + payload.len() + metadata.len(),
            Self::Token(token) => token.len(),
        };
        text + 2 * size_of::<Self>()
    }
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
    pub(super) async fn output(&mut self, output: Output) {
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
            Output::Left { channel, rejoins } => self.left(channel, rejoins).await,
            Output::Close(closing) => self.outbox.close(closing),
        }
    }

    async fn left(&mut self, id: ChannelId, rejoins: bool) {
        self.outbox.caught_up(id);
        let Some(live) = self.forget(id) else {
            return;
        };
        let presence = live.work.iter().rev().find_map(|work| match work {
            Work::Untrack => Some(false),
            Work::Track(..) => Some(true),
            _ => None,
        });
        // A leave overtook the application's answer to a rejoin: nobody else knows of
        // the entry that the first join left. Or an untrack was answered, and waits.
        if (live.channel.is_none() && !rejoins) || presence == Some(false) {
            self.sitting.untrack(&live.topic);
        }
        self.server.leave(live.channel, rejoins).await;
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
        let unique = self.sitting.pid().clone();
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
        let command = Command::Subscribe(channel.address(), wish);
        channel.inner.handle.send(command).await;
    }

    /// Calls for one channel come one after another. What waits is never dropped: over
    /// the bound, the socket is not read.
    fn work(&mut self, id: ChannelId, work: Work) {
        if let Some(live) = self.channels.get_mut(&id) {
            self.backlog += work.bytes();
            live.work.push_back(work);
            self.next_work(id);
        }
    }

    fn next_work(&mut self, id: ChannelId) {
        while let Some(live) = self.channels.get_mut(&id)
            && !live.busy
            && let Some(channel) = live.channel.clone()
            && let Some(work) = live.work.pop_front()
        {
            self.backlog -= work.bytes();
            let busy = !self.start(id, channel, work);
            if let Some(live) = self.channels.get_mut(&id) {
                live.busy = busy;
            }
        }
    }

    /// Lets go of a channel, with the work that waits for it.
    fn forget(&mut self, id: ChannelId) -> Option<Live<A::User>> {
        let live = self.channels.remove(&id)?;
        self.backlog -= live.work.iter().map(Work::bytes).sum::<usize>();
        Some(live)
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

    pub(super) async fn done(&mut self, id: ChannelId, done: Done) {
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
        if let Some(live) = self.forget(id) {
            // What it had before it joined again.
            self.sitting.untrack(&live.topic);
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
        let seat = self.sitting.clone();
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
        let listener = Listener {
            channel: id,
            join_ref: channel.inner.join_ref.clone(),
            outbox: self.outbox.clone(),
        };
        channel
            .inner
            .handle
            .send(Command::Enter(self.id, listener))
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
}

/// The application's answer; nothing where it panicked.
async fn caught<T>(call: impl Future<Output = T>) -> Option<T> {
    let done = AssertUnwindSafe(call).catch_unwind().await;
    if done.is_err() {
        tracing::error!("the application panicked: its channel fails");
    }
    done.ok()
}
