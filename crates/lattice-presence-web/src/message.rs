//! A broadcast between nodes: flags, event, metadata, payload.

use bytes::Bytes;

use crate::phoenix::{Broadcast, Payload};

const BINARY: u8 = 1;
const USER: u8 = 2;

/// `None` if the event or the metadata is longer than one byte can count.
pub(crate) fn write(event: &str, payload: &Payload, user: Option<&str>) -> Option<Bytes> {
    let metadata = user.unwrap_or("");
    let mut out = Vec::with_capacity(payload.len() + event.len() + metadata.len() + 3);
    out.push(u8::from(payload.as_binary().is_some()) * BINARY + u8::from(user.is_some()) * USER);
    for text in [event, metadata] {
        out.push(u8::try_from(text.len()).ok()?);
        out.extend_from_slice(text.as_bytes());
    }
    let json = payload.as_json().map(str::as_bytes);
    out.extend_from_slice(json.or_else(|| payload.as_binary()).unwrap_or_default());
    Some(out.into())
}

/// What another node sent. `None` if it is not a broadcast. This copies the bytes.
pub(crate) fn read(topic: &str, bytes: &Bytes) -> Option<Broadcast> {
    let flags = *bytes.first()?;
    let mut at = 1;
    let mut text = || {
        let length = usize::from(*bytes.get(at)?);
        let text = core::str::from_utf8(bytes.get(at + 1..at + 1 + length)?).ok()?;
        at += 1 + length;
        Some(text)
    };
    let (event, metadata) = (text()?, text()?);
    let payload = if flags & BINARY != 0 {
        Payload::binary(bytes.slice(at..))
    } else {
        let json = core::str::from_utf8(bytes.get(at..)?).ok()?;
        Payload::raw(serde_json::from_str(json).ok()?)
    };
    let json =
        metadata.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(metadata).is_ok();
    match flags & !BINARY {
        0 => Some(Broadcast::new(topic, event, payload)),
        USER if json => Some(Broadcast::user(topic, event, payload, metadata.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoenix::Version;

    #[test]
    fn broadcasts_arrive_as_they_were_sent() {
        let json = Payload::new(&["hi"]).unwrap();
        let bytes = Payload::binary(vec![0, 255]);
        for (payload, user) in [
            (&json, None),
            (&bytes, None),
            (&json, Some("{}")),
            (&bytes, Some("")),
        ] {
            let sent = write("ev", payload, user).unwrap();
            let got = read("t", &sent).unwrap();
            let local = match user {
                None => Broadcast::new("t", "ev", payload.clone()),
                Some(metadata) => Broadcast::user("t", "ev", payload.clone(), metadata.into()),
            };
            for version in [Version::V1, Version::V2] {
                assert_eq!(got.wire(version), local.wire(version));
            }
        }
        assert!(write(&"x".repeat(256), &json, None).is_none());
    }

    #[test]
    fn garbage_is_no_broadcast() {
        let whole = write("ev", &Payload::new(&1).unwrap(), Some("{}")).unwrap();
        for length in 0..whole.len() {
            assert!(read("t", &whole.slice(..length)).is_none(), "{length}");
        }
        for bytes in [
            &b"\x08\x00\x00{}"[..],
            b"\x00\x01\xff\x001",
            b"\x02\x00\x01{1",
        ] {
            assert!(read("t", &Bytes::from_static(bytes)).is_none());
        }
    }
}
