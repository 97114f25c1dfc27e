//! What a message of a client leads to.

use alloc::sync::Arc;
use core::time::Duration;

use super::{OpenChannel, Session, size};
use crate::phoenix::encode;
use crate::phoenix::frame::{BadFrame, Incoming};
use crate::phoenix::output::{ChannelId, Output, Status, Ticket, code};
use crate::phoenix::supabase::{BroadcastCall, PresenceCall, PresenceVerb, TokenCall};
use crate::phoenix::tracks::{Tracked, Tracks};
use crate::phoenix::{Payload, SupabaseConfig};

impl Session {
    pub(super) fn receive(
        &mut self,
        now: Duration,
        bytes: usize,
        read: impl FnOnce(&Self) -> Result<Incoming, BadFrame>,
    ) {
        if self.closed {
            return;
        }
        (self.heard, self.now) = (now, now);
        if bytes > self.limits.message_bytes {
            self.close_socket(code::TOO_BIG, "the message is too big");
            return;
        }
        let over = if self.messages.take(now, 1).is_err() {
            Some("too many messages")
        } else if self.bytes.take(now, size(bytes)).is_err() {
            Some("too many bytes")
        } else {
            None
        };
        self.excess = if over.is_some() { self.excess + 1 } else { 0 };
        if let Some(reason) = over
            && self.excess > self.limits.patience
        {
            self.close_socket(code::POLICY, reason);
            return;
        }
        match (read(self), over) {
            (Ok(message), Some(reason)) if !is_control(&message) => {
                self.answer(&message, Status::Error, reason);
            }
            (Ok(message), _) => self.handle(now, message),
            (Err(bad), _) => self.close_socket(code::INVALID, &bad.to_string()),
        }
    }

    pub(super) fn handle(&mut self, now: Duration, message: Incoming) {
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
            return self.join(now, message);
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

    fn join(&mut self, now: Duration, message: Incoming) {
        let is_allowed = self.joins.allow(now, &message.topic);
        if let Some(former) = self.forget(&message.topic) {
            let wire = encode::close(self.version, former.join_ref.as_ref(), &message.topic);
            self.out.push_back(Output::Send(wire));
            // The client has let go of it, also where it may not join again.
            self.left(former.id, is_allowed);
        }
        if !is_allowed {
            return self.answer(&message, Status::Error, "too many joins");
        }
        if self.channels.len() >= self.limits.topics {
            return self.answer(&message, Status::Error, "too many channels joined");
        }
        self.next_channel += 1;
        let id = ChannelId(self.next_channel);
        let topic: Arc<str> = message.topic.into();
        let supabase = SupabaseConfig::of(&message.payload);
        self.topics.insert(id, topic.clone());
        self.channels.insert(
            topic.clone(),
            OpenChannel {
                id,
                join_ref: message.join_ref,
                reference: message.reference,
                waiting: Some(Vec::new()),
                twice: self.joins.has_ended(now, &topic),
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
            let bytes = self.waiting_bytes + message.bytes();
            if waiting.len() < self.limits.waiting && bytes <= self.limits.waiting_bytes {
                self.waiting_bytes = bytes;
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
    pub(super) fn unmatched(&mut self, message: &Incoming) {
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
