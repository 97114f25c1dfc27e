//! What goes over an engine: one byte that says what follows, and what follows.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use lattice_presence::{Body, CausalContext, ClockSet, Digest, Message, PresenceDelta, Question};
use lattice_presence::{Refusal, ReplicaDigest, ReplicaId, Shard};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Meta;

/// A message of the machine.
const PRESENCE: u8 = 1;
/// Bytes of the application, for a topic.
const APPLICATION: u8 = 2;

/// How much a message takes beside its entries: the head, and the claims about clocks.
pub(crate) const OVERHEAD: usize = 1024;

/// What came in.
#[derive(Debug)]
pub(crate) enum Frame<M> {
    Presence(Message<M>),
    Application { topic: Arc<str>, payload: Bytes },
}

/// Why what came in is no frame.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("an empty payload")]
    Empty,
    #[error("a payload of an unknown kind, {0}")]
    Kind(u8),
    #[error("a broken head")]
    Head,
    #[error("{0}")]
    Message(#[from] serde_json::Error),
}

pub(crate) fn encode<M: Meta>(message: &Message<M>) -> Result<Bytes, serde_json::Error> {
    let mut bytes = alloc::vec![PRESENCE];
    serde_json::to_writer(&mut bytes, &Out::new(message))?;
    Ok(bytes.into())
}

pub(crate) fn application(topic: &str, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + topic.len() + payload.len());
    bytes.put_u8(APPLICATION);
    bytes.put_u32(u32::try_from(topic.len()).unwrap_or(u32::MAX));
    bytes.put_slice(topic.as_bytes());
    bytes.put_slice(payload);
    bytes.freeze()
}

pub(crate) fn decode<M: Meta>(mut bytes: Bytes) -> Result<Frame<M>, FrameError> {
    if bytes.is_empty() {
        return Err(FrameError::Empty);
    }
    match bytes.get_u8() {
        PRESENCE => {
            let message: In<M> = serde_json::from_slice(&bytes)?;
            message.message().map(Frame::Presence)
        }
        APPLICATION => {
            let length = bytes.try_get_u32().map_err(|_| FrameError::Head)?;
            let length = usize::try_from(length).map_err(|_| FrameError::Head)?;
            if length > bytes.len() {
                return Err(FrameError::Head);
            }
            let topic = bytes.split_to(length);
            let topic = core::str::from_utf8(&topic).map_err(|_| FrameError::Head)?;
            Ok(Frame::Application {
                topic: topic.into(),
                payload: bytes,
            })
        }
        kind => Err(FrameError::Kind(kind)),
    }
}

/// A message as it is written.
#[derive(Serialize)]
struct Out<'a, M: Serialize> {
    v: u16,
    c: &'a str,
    s: (u16, u16),
    f: &'a ReplicaId,
    b: BodyOut<'a, M>,
}

#[derive(Serialize)]
enum BodyOut<'a, M: Serialize> {
    H(&'a ReplicaDigest, u64),
    P(u64, &'a PresenceDelta<M>),
    Q(u64, &'a ClockSet, &'a Question<ReplicaId>),
    A(
        u64,
        &'a PresenceDelta<M>,
        &'a CausalContext<ReplicaId>,
        &'a ClockSet,
        bool,
    ),
    C(u64, &'a Digest<ReplicaId>, bool),
    G,
    R(u8, u16),
}

impl<'a, M: Serialize> Out<'a, M> {
    fn new(message: &'a Message<M>) -> Self {
        let b = match &message.body {
            Body::Heartbeat { line, pushes } => BodyOut::H(line, *pushes),
            Body::Push { number, delta } => BodyOut::P(*number, delta),
            Body::Question {
                id,
                missed,
                question,
            } => BodyOut::Q(*id, missed, question),
            Body::Answer {
                id,
                delta,
                differs,
                resent,
                more,
            } => BodyOut::A(*id, delta, differs, resent, *more),
            Body::Compare {
                fingerprint,
                digest,
                reply,
            } => BodyOut::C(*fingerprint, digest, *reply),
            Body::Refusal { reason } => match reason {
                Refusal::Version { reads } => BodyOut::R(0, *reads),
                Refusal::Shards { count } => BodyOut::R(2, *count),
                _ => BodyOut::R(1, 0),
            },
            _ => BodyOut::G,
        };
        Self {
            v: message.version,
            c: &message.cluster,
            s: (message.shard.index, message.shard.count),
            f: &message.from,
            b,
        }
    }
}

/// A message as it is read.
#[derive(Deserialize)]
#[serde(bound = "M: Meta")]
struct In<M> {
    v: u16,
    c: String,
    s: (u16, u16),
    f: ReplicaId,
    b: BodyIn<M>,
}

#[derive(Deserialize)]
#[serde(bound = "M: Meta")]
enum BodyIn<M> {
    H(ReplicaDigest, u64),
    P(u64, PresenceDelta<M>),
    Q(u64, ClockSet, Question<ReplicaId>),
    A(
        u64,
        PresenceDelta<M>,
        CausalContext<ReplicaId>,
        ClockSet,
        bool,
    ),
    C(u64, Digest<ReplicaId>, bool),
    G,
    R(u8, u16),
}

impl<M> In<M> {
    fn message(self) -> Result<Message<M>, FrameError> {
        let body = match self.b {
            BodyIn::H(line, pushes) => Body::Heartbeat { line, pushes },
            BodyIn::P(number, delta) => Body::Push { number, delta },
            BodyIn::Q(id, missed, question) => Body::Question {
                id,
                missed,
                question,
            },
            BodyIn::A(id, delta, differs, resent, more) => Body::Answer {
                id,
                delta,
                differs,
                resent,
                more,
            },
            BodyIn::C(fingerprint, digest, reply) => Body::Compare {
                fingerprint,
                digest,
                reply,
            },
            BodyIn::G => Body::Goodbye,
            BodyIn::R(kind, number) => Body::Refusal {
                reason: match kind {
                    0 => Refusal::Version { reads: number },
                    2 => Refusal::Shards { count: number },
                    _ => Refusal::Cluster,
                },
            },
        };
        let shard = Shard {
            index: self.s.0,
            count: self.s.1,
        };
        let mut message = Message::new(self.c, shard, self.f, body);
        message.version = self.v;
        Ok(message)
    }
}
