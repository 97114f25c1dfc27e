//! Binary frames: a kind, lengths of one byte each, texts, and then plain bytes.

use bytes::Bytes;

use super::frame::{BadFrame, Incoming, Ref, UserBroadcast};
use super::{Payload, Wire};

const PUSH: u8 = 0;
const REPLY: u8 = 1;
const BROADCAST: u8 = 2;
const USER_BROADCAST_PUSH: u8 = 3;
const USER_BROADCAST: u8 = 4;

/// The encoding of the payload of a Supabase broadcast.
const AS_JSON: u8 = 1;

/// Reads a binary frame of a client: kind 0, or Supabase's kind 3. O(size).
pub(super) fn read(frame: &Bytes) -> Result<Incoming, BadFrame> {
    match frame.first() {
        Some(&PUSH) => {
            let (texts, rest) = texts::<4>(frame, 5)?;
            let [join_ref, reference, topic, event] = texts;
            Ok(Incoming {
                join_ref: Ref::of_text(&join_ref),
                reference: Ref::of_text(&reference),
                topic,
                event,
                payload: Payload::binary(rest),
                user: None,
            })
        }
        Some(&USER_BROADCAST_PUSH) => {
            let (texts, rest) = texts::<5>(frame, 7)?;
            let [join_ref, reference, topic, event, metadata] = texts;
            let payload = if frame[6] == AS_JSON {
                let text = core::str::from_utf8(&rest)
                    .map_err(|_| BadFrame::new("a broadcast that is no UTF-8"))?;
                let value: &serde_json::value::RawValue = serde_json::from_str(text)
                    .map_err(|error| BadFrame::new(format!("a broadcast: {error}")))?;
                Payload::raw(value)
            } else {
                Payload::binary(rest)
            };
            let json = metadata.is_empty()
                || serde_json::from_str::<serde::de::IgnoredAny>(&metadata).is_ok();
            if !json {
                return Err(BadFrame::new("metadata of a broadcast that is no JSON"));
            }
            Ok(Incoming {
                join_ref: Ref::of_text(&join_ref),
                reference: Ref::of_text(&reference),
                topic,
                event: "broadcast".into(),
                payload,
                user: Some(UserBroadcast { event, metadata }),
            })
        }
        Some(kind) => Err(BadFrame::new(format!(
            "binary frame of unknown kind {kind}"
        ))),
        None => Err(BadFrame::new("an empty binary frame")),
    }
}

/// `N` texts. Their lengths come after the kind, and their bytes begin at `at`.
fn texts<const N: usize>(frame: &Bytes, at: usize) -> Result<([String; N], Bytes), BadFrame> {
    let short = || BadFrame::new("a binary frame that ends too early");
    let mut at = at;
    let mut texts = [const { String::new() }; N];
    for (i, text) in texts.iter_mut().enumerate() {
        let length = usize::from(*frame.get(1 + i).ok_or_else(short)?);
        let bytes = frame.get(at..at + length).ok_or_else(short)?;
        core::str::from_utf8(bytes)
            .map_err(|_| BadFrame::new("a binary frame with a text that is no UTF-8"))?
            .clone_into(text);
        at += length;
    }
    if at > frame.len() {
        return Err(short());
    }
    Ok((texts, frame.slice(at..)))
}

/// A frame of `kind` with these texts. `None` if one of them is too long.
fn write(kind: u8, texts: &[&str], fixed: &[u8], payload: &[u8]) -> Option<Wire> {
    let mut frame = Vec::with_capacity(16 + payload.len());
    frame.push(kind);
    for text in texts {
        frame.push(u8::try_from(text.len()).ok()?);
    }
    frame.extend_from_slice(fixed);
    for text in texts {
        frame.extend_from_slice(text.as_bytes());
    }
    frame.extend_from_slice(payload);
    Some(Wire::Binary(frame.into()))
}

pub(super) fn push(join_ref: &str, topic: &str, event: &str, payload: &[u8]) -> Option<Wire> {
    write(PUSH, &[join_ref, topic, event], &[], payload)
}

pub(super) fn reply(refs: [&str; 2], topic: &str, status: &str, payload: &[u8]) -> Option<Wire> {
    write(REPLY, &[refs[0], refs[1], topic, status], &[], payload)
}

pub(super) fn broadcast(topic: &str, event: &str, payload: &[u8]) -> Option<Wire> {
    write(BROADCAST, &[topic, event], &[], payload)
}

/// A Supabase broadcast for clients of version 2.
pub(super) fn user_broadcast(
    topic: &str,
    event: &str,
    metadata: &str,
    payload: &Payload,
) -> Option<Wire> {
    let (encoding, bytes) = match (payload.as_json(), payload.as_binary()) {
        (Some(text), _) => (AS_JSON, text.as_bytes()),
        (None, bytes) => (0, bytes.unwrap_or_default()),
    };
    write(
        USER_BROADCAST,
        &[topic, event, metadata],
        &[encoding],
        bytes,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_read_and_its_payload_is_not_touched() {
        let mut frame = vec![0, 1, 1, 4, 2];
        frame.extend_from_slice(b"12roomev\xff\x00");
        let read = read(&frame.into()).unwrap();
        assert_eq!((&*read.topic, &*read.event), ("room", "ev"));
        assert_eq!(read.join_ref.unwrap().as_json(), "\"1\"");
        assert_eq!(read.payload.as_binary(), Some(&[0xff, 0][..]));
    }

    #[test]
    fn every_cut_of_a_frame_is_refused_and_none_panics() {
        let mut frame = vec![3, 1, 1, 4, 2, 2, 1];
        frame.extend_from_slice(b"12roomev{}{\"a\":1}");
        let whole = Bytes::from(frame);
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole.slice(..length)).is_err(), "{length}");
        }
        assert!(read(&Bytes::from_static(&[9, 0, 0])).is_err());
        assert!(read(&Bytes::from_static(&[0, 1, 0, 0, 0, 0xff])).is_err());
    }

    #[test]
    fn frames_have_the_layout_that_the_client_reads() {
        let expect = |wire: Option<Wire>, bytes: &[u8]| match wire {
            Some(Wire::Binary(frame)) => assert_eq!(frame, bytes),
            other => panic!("{other:?}"),
        };
        expect(push("1", "t", "ev", &[7]), b"\x00\x01\x01\x021tev\x07");
        expect(
            reply(["1", "2"], "t", "ok", &[7]),
            b"\x01\x01\x01\x01\x0212tok\x07",
        );
        expect(broadcast("t", "ev", &[7]), b"\x02\x01\x02tev\x07");
        let payload = Payload::new(&1).unwrap();
        expect(
            user_broadcast("t", "ev", "", &payload),
            b"\x04\x01\x02\x00\x01tev1",
        );
        assert!(broadcast(&"x".repeat(256), "ev", &[]).is_none());
    }
}
