//! The frames that go over an engine: one byte for the kind, and then the content.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use lattice_presence::{Body, Message};
use lattice_presence_json::{
    Category, DecodeError, Decoder, EncodeError, Encoded, Encoder, LeftOut,
};
use thiserror::Error;

use crate::Meta;

/// A message of the machine.
const PRESENCE: u8 = 1;
/// Bytes of the application, for a topic.
const APPLICATION: u8 = 2;

/// The header of a frame.
pub(crate) const PREFIX: usize = 1;

/// A frame that was read.
#[derive(Debug)]
pub(crate) enum Frame<M> {
    Presence(Box<Message<M>>),
    Application { topic: Arc<str>, payload: Bytes },
}

/// Why bytes are not a frame.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("an empty payload")]
    Empty,
    #[error("a payload of an unknown kind, {0}")]
    Kind(u8),
    #[error("a broken head")]
    Head,
    #[error("{0}")]
    Message(#[from] DecodeError),
}

/// The message as payloads within the limit of the encoder, and what had to be left out.
pub(crate) fn encode<M: Meta>(
    encoder: &Encoder,
    message: &Message<M>,
) -> Result<Vec<(Bytes, LeftOut)>, EncodeError> {
    let frame = |part: Result<Encoded, EncodeError>| {
        let part = part?;
        let mut bytes = BytesMut::with_capacity(PREFIX + part.text.len());
        bytes.put_u8(PRESENCE);
        bytes.put_slice(part.text.as_bytes());
        Ok((bytes.freeze(), part.left_out))
    };
    encoder.parts(message).map(frame).collect()
}

/// The header of a message of another version. The machine refuses it, and tells its
/// sender. The content is not read.
fn of_another_version<M>(text: &str) -> Result<Message<M>, DecodeError> {
    let head = Decoder::new().message_header(text)?;
    let mut message = Message::new(head.cluster, head.shard, head.from, Body::Goodbye);
    message.version = head.version;
    Ok(message)
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
        PRESENCE => match Decoder::new().message_from_json_slice(&bytes) {
            Ok(message) => Ok(Frame::Presence(Box::new(message))),
            Err(error) if error.category() == Category::Version => {
                let text = core::str::from_utf8(&bytes).unwrap_or_default();
                Ok(Frame::Presence(Box::new(of_another_version(text)?)))
            }
            Err(error) => Err(error.into()),
        },
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
