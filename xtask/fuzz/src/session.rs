//! One socket driven by bytes: frames that a client sends, answers of the application,
//! time. What comes out is held against a model of the channels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lattice_presence_web::phoenix::{
    ChannelId, Limits, Output, Payload, Session, Status, Ticket, Version, Wire, code,
};
use serde_json::Value;

const TOPICS: [&str; 4] = ["room:1", "room:2", "realtime:r", "phoenix"];
const EVENTS: [&str; 8] = [
    "phx_join",
    "phx_leave",
    "heartbeat",
    "presence",
    "broadcast",
    "access_token",
    "say",
    "phx_close",
];
const PAYLOADS: [&str; 10] = [
    "{}",
    "[1]",
    "null",
    r#"{"config":{}}"#,
    r#"{"config":{"presence":{"key":"a","enabled":false},"broadcast":{"ack":true}}}"#,
    r#"{"event":"track","payload":{"n":1}}"#,
    r#"{"event":"TRACK","payload":{"n":2}}"#,
    r#"{"event":"untrack"}"#,
    r#"{"event":"x","payload":{"y":1},"meta":{}}"#,
    r#"{"access_token":"t"}"#,
];
/// Begins the references of messages that a client sends; frames of nonsense that say it
/// are passed over, since they could say a reference again.
const OWN: &str = "own";
/// Changes of its own entry that a channel may make at once, and in a second.
const TRACKS: u32 = 3;

/// Panics where a session breaks a promise.
pub fn check(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let Some(first) = bytes.next() else {
        return;
    };
    let mut socket = Socket::new(first);
    while let Some(code) = bytes.next() {
        socket.step(code, &mut bytes);
    }
    socket.end();
}

type Bytes<'a> = std::iter::Copied<std::slice::Iter<'a, u8>>;

#[derive(Debug, PartialEq)]
enum Joined {
    Asked,
    Accepted,
    Subscribed,
}

struct Channel {
    topic: String,
    joined: Joined,
    since: Duration,
    tracks: u32,
}

struct Socket {
    version: Version,
    limits: Limits,
    session: Session,
    start: Duration,
    now: Duration,
    /// Counts what the client has sent: each message has a reference of its own.
    sent: u32,
    replied: BTreeSet<String>,
    /// The join reference under which the client knows the topic.
    known: BTreeMap<&'static str, u32>,
    channels: BTreeMap<ChannelId, Channel>,
    ended: BTreeSet<ChannelId>,
    tickets: Vec<Ticket>,
    is_closed: bool,
}

impl Socket {
    fn new(first: u8) -> Self {
        let version = if first & 1 == 0 {
            Version::V2
        } else {
            Version::V1
        };
        let mut limits = Limits::default();
        limits.topics = 2;
        (limits.track_burst, limits.track_rate) = (TRACKS, TRACKS);
        if first & 2 != 0 {
            (limits.burst, limits.rate, limits.patience) = (4, 2, 6);
        }
        if first & 4 != 0 {
            (limits.message_bytes, limits.bytes_burst) = (128, 400);
        }
        if first & 8 != 0 {
            (limits.waiting, limits.waiting_bytes) = (2, 2000);
        }
        if first & 16 != 0 {
            limits.join_burst = 2;
        }
        let start = Duration::from_secs(u64::from(first));
        Self {
            version,
            session: Session::new(version, limits.clone(), start),
            limits,
            start,
            now: start,
            sent: 0,
            replied: BTreeSet::new(),
            known: BTreeMap::new(),
            channels: BTreeMap::new(),
            ended: BTreeSet::new(),
            tickets: Vec::new(),
            is_closed: false,
        }
    }

    fn step(&mut self, code: u8, bytes: &mut Bytes<'_>) {
        match code % 16 {
            8 if code == 8 => self.raw(bytes),
            0..=8 => self.message(code, bytes),
            9 | 10 => self.answer_join(bytes.next().unwrap_or(0)),
            11 => {
                if let Some(ticket) = self.tickets.pop() {
                    let status = [Status::Ok, Status::Error][usize::from(code >> 4) % 2];
                    self.session.reply(&ticket, status, &Payload::empty());
                }
            }
            12 => {
                let at = usize::from(bytes.next().unwrap_or(0));
                let live = self.channels.keys().nth(at % self.channels.len().max(1));
                match live.copied() {
                    Some(channel) if code & 16 == 0 => self.session.close(channel),
                    Some(channel) => self.session.fail(channel),
                    None => {}
                }
            }
            13 => self.session.heard(self.now),
            _ => self.pass(bytes.next().unwrap_or(0)),
        }
        self.outputs();
    }

    /// A message as clients send it, its parts drawn.
    fn message(&mut self, code: u8, bytes: &mut Bytes<'_>) {
        let [topic, event, payload] = [(); 3].map(|()| usize::from(bytes.next().unwrap_or(0)));
        let (topic, event) = (TOPICS[topic % TOPICS.len()], EVENTS[event % EVENTS.len()]);
        let payload = PAYLOADS[payload % PAYLOADS.len()];
        self.sent += 1;
        let reference = self.sent;
        if event == "phx_join" {
            self.known.insert(topic, reference);
        }
        let join_ref = match (code % 8, self.known.get(topic)) {
            (0, _) => Some(0), // of a channel that is long gone
            (1, _) | (_, None) => None,
            (_, Some(known)) => Some(*known),
        };
        let join_ref = join_ref.map_or_else(|| "null".into(), |n| format!(r#""{OWN}{n}""#));
        let frame = match self.version {
            Version::V2 => {
                format!(r#"[{join_ref},"{OWN}{reference}","{topic}","{event}",{payload}]"#)
            }
            Version::V1 => format!(
                r#"{{"topic":"{topic}","event":"{event}","payload":{payload},"ref":"{OWN}{reference}","join_ref":{join_ref}}}"#
            ),
        };
        self.session.receive_text(self.now, &frame);
    }

    /// What no client sends.
    fn raw(&mut self, bytes: &mut Bytes<'_>) {
        let length = usize::from(bytes.next().unwrap_or(0));
        let frame: Vec<u8> = bytes.take(length).collect();
        if frame
            .windows(OWN.len())
            .any(|bytes| bytes == OWN.as_bytes())
        {
            return;
        }
        match std::str::from_utf8(&frame) {
            Ok(text) if length.is_multiple_of(2) => self.session.receive_text(self.now, text),
            _ => self.session.receive_binary(self.now, &frame.into()),
        }
    }

    fn answer_join(&mut self, byte: u8) {
        let asked = self
            .channels
            .iter_mut()
            .find(|(_, channel)| channel.joined == Joined::Asked);
        let Some((&id, channel)) = asked else {
            return;
        };
        if byte.is_multiple_of(4) {
            self.channels.remove(&id);
            self.ended.insert(id);
            self.session.refuse(id, &Payload::reason("no"));
        } else {
            channel.joined = Joined::Accepted;
            channel.since = self.now;
            self.session
                .accept(self.now, id, &Payload::empty(), byte % 4 != 1);
        }
    }

    /// Time goes on, and what was due is done: no caller runs in circles.
    fn pass(&mut self, byte: u8) {
        let until = self.now + Duration::from_millis(u64::from(byte) * u64::from(byte) * 2);
        for turn in 0.. {
            assert!(turn < 1000, "the same is due again and again");
            let due = self.session.next_timeout();
            if due > until || self.is_closed {
                break;
            }
            self.now = self.now.max(due);
            self.session.advance(self.now);
            self.outputs();
            assert!(
                self.is_closed || self.session.next_timeout() > self.now,
                "still due"
            );
        }
        self.now = self.now.max(until);
        self.session.advance(self.now);
    }

    fn outputs(&mut self) {
        let mut count = 0;
        while let Some(output) = self.session.poll() {
            assert!(!self.is_closed, "after the close: {output:?}");
            self.output(output);
            count += 1;
        }
        let most = 8 + 3 * self.limits.waiting;
        assert!(count <= most, "{count} outputs of one call");
        assert!(self.channels.len() <= self.limits.topics);
        let topics: BTreeSet<&str> = self.channels.values().map(|it| &*it.topic).collect();
        assert_eq!(topics.len(), self.channels.len(), "a topic is joined once");
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send(wire) => self.sent_to_client(&wire),
            Output::Join { channel, topic, .. } => {
                assert!(!self.ended.contains(&channel));
                let former = self.channels.insert(
                    channel,
                    Channel {
                        topic: topic.to_string(),
                        joined: Joined::Asked,
                        since: self.now,
                        tracks: 0,
                    },
                );
                assert!(former.is_none(), "two joins are one channel");
            }
            Output::Subscribe { channel, .. } => {
                let channel = self.live(channel);
                assert_eq!(
                    channel.joined,
                    Joined::Accepted,
                    "subscribed twice, or too early"
                );
                channel.joined = Joined::Subscribed;
            }
            Output::Event {
                channel, ticket, ..
            } => {
                self.live(channel);
                self.tickets.push(ticket);
            }
            Output::Track {
                channel,
                ticket,
                payload,
            } => {
                let now = self.now;
                let channel = self.live(channel);
                channel.tracks += 1;
                let time = (now - channel.since).as_millis() as u32;
                assert!(
                    channel.tracks <= TRACKS + 1 + time * TRACKS / 1000,
                    "too many tracks"
                );
                assert_eq!(channel.joined, Joined::Subscribed, "it sees what it is in");
                assert!(payload.as_json().is_some_and(|text| text.starts_with('{')));
                self.tickets.extend(ticket);
            }
            Output::Untrack { channel } | Output::Token { channel, .. } => {
                self.live(channel);
            }
            Output::Broadcast {
                channel, ticket, ..
            } => {
                self.live(channel);
                self.tickets.extend(ticket);
            }
            Output::Left { channel, .. } => {
                assert!(self.channels.remove(&channel).is_some(), "left twice");
                self.ended.insert(channel);
            }
            Output::Close(closing) => {
                let codes = [code::GOING_AWAY, code::INVALID, code::POLICY, code::TOO_BIG];
                assert!(codes.contains(&closing.code), "{closing:?}");
                assert!(!closing.reason.is_empty() && closing.reason.len() <= 123);
                self.is_closed = true;
            }
            other => panic!("{other:?}"),
        }
    }

    fn live(&mut self, channel: ChannelId) -> &mut Channel {
        let live = self
            .channels
            .get_mut(&channel)
            .expect("of a channel that is live");
        assert_ne!(live.joined, Joined::Asked, "before the join was answered");
        live
    }

    /// Whatever the client gets, it can read, and each message is answered once.
    fn sent_to_client(&mut self, wire: &Wire) {
        let Some(text) = wire.text() else {
            assert_eq!(
                self.version,
                Version::V2,
                "version 1 knows no binary frames"
            );
            return;
        };
        let frame: Value = serde_json::from_str(text).expect("JSON");
        let (reference, event, payload) = match self.version {
            Version::V2 => {
                assert_eq!(frame.as_array().map(Vec::len), Some(5), "{text}");
                (&frame[1], &frame[3], &frame[4])
            }
            Version::V1 => (&frame["ref"], &frame["event"], &frame["payload"]),
        };
        assert!(payload.is_object(), "{text}");
        if event == "phx_reply" {
            let status = payload["status"].as_str();
            assert!(matches!(status, Some("ok" | "error")), "{text}");
            if reference.as_str().is_some_and(|text| text.starts_with(OWN)) {
                assert!(
                    self.replied.insert(reference.to_string()),
                    "a second reply: {text}"
                );
            }
        }
    }

    /// Silence ends the socket; nothing else is due for ever.
    fn end(&mut self) {
        assert!(self.session.next_timeout() <= self.now + self.limits.idle);
        self.now += self.limits.idle;
        self.session.advance(self.now);
        self.outputs();
        assert!(self.is_closed, "a socket that is silent stays");
        assert!(self.now >= self.start);
        let heartbeat = r#"[null,"1","phoenix","heartbeat",{}]"#;
        self.session.receive_text(self.now, heartbeat);
        for ticket in core::mem::take(&mut self.tickets) {
            self.session.reply(&ticket, Status::Ok, &Payload::empty());
        }
        self.outputs();
    }
}
