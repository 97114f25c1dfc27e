//! What a client reads, written: one function for each kind of message.

use std::sync::OnceLock;

use super::frame::Ref;
use super::wire::Wire;
use super::{Payload, Status, Version, binary};
use crate::json::push_string;

/// A message of either version; `null` where there is no reference.
fn message(
    version: Version,
    refs: [Option<&Ref>; 2],
    topic: &str,
    event: &str,
    payload: &str,
) -> Wire {
    let mut out = String::with_capacity(payload.len() + topic.len() + event.len() + 64);
    let reference = |reference: Option<&Ref>| reference.map_or("null", Ref::as_json).to_owned();
    match version {
        Version::V2 => {
            out.push('[');
            out.push_str(&reference(refs[0]));
            out.push(',');
            out.push_str(&reference(refs[1]));
            out.push(',');
            push_string(&mut out, topic);
            out.push(',');
            push_string(&mut out, event);
            out.push(',');
            out.push_str(payload);
            out.push(']');
        }
        Version::V1 => {
            out.push_str("{\"topic\":");
            push_string(&mut out, topic);
            out.push_str(",\"event\":");
            push_string(&mut out, event);
            out.push_str(",\"payload\":");
            out.push_str(payload);
            out.push_str(",\"ref\":");
            out.push_str(&reference(refs[1]));
            out.push('}');
        }
    }
    Wire::Text(out.into())
}

/// The answer to one message of a client. Bytes, which version 1 cannot carry,
/// become `{}` there.
pub(super) fn reply(
    version: Version,
    refs: [Option<&Ref>; 2],
    topic: &str,
    status: Status,
    response: &Payload,
) -> Wire {
    let word = status.as_str();
    if let (Version::V2, Some(bytes)) = (version, response.as_binary()) {
        let [join_ref, reference] = refs.map(|r| r.map(Ref::text).unwrap_or_default());
        if let Some(wire) = binary::reply([&join_ref, &reference], topic, word, bytes) {
            return wire;
        }
    }
    let response = response.as_json().unwrap_or("{}");
    let payload = format!(r#"{{"status":"{word}","response":{response}}}"#);
    message(version, refs, topic, "phx_reply", &payload)
}

/// A push of the server to one channel. Its payload must be an object or bytes.
pub(crate) fn push(
    version: Version,
    join_ref: Option<&Ref>,
    topic: &str,
    event: &str,
    payload: &Payload,
) -> Wire {
    if let (Version::V2, Some(bytes)) = (version, payload.as_binary()) {
        let join_ref = join_ref.map(Ref::text).unwrap_or_default();
        if let Some(wire) = binary::push(&join_ref, topic, event, bytes) {
            return wire;
        }
    }
    message(
        version,
        [join_ref, None],
        topic,
        event,
        payload.as_json().unwrap_or("{}"),
    )
}

/// `phx_close`: final, the client forgets the channel.
pub(crate) fn close(version: Version, join_ref: Option<&Ref>, topic: &str) -> Wire {
    message(version, [join_ref, join_ref], topic, "phx_close", "{}")
}

/// `phx_error`: the client joins again after a while.
pub(crate) fn fail(version: Version, join_ref: Option<&Ref>, topic: &str) -> Wire {
    message(version, [join_ref, join_ref], topic, "phx_error", "{}")
}

/// A message for all sockets of a topic: written once for each version, and only
/// for versions that somebody speaks.
///
/// ```
/// use lattice_presence_web::phoenix::{Broadcast, Payload, Version};
///
/// let said = Broadcast::new("room:1", "said", Payload::new(&["hi"]).unwrap());
/// assert_eq!(
///     said.wire(Version::V2).text(),
///     Some(r#"[null,null,"room:1","said",["hi"]]"#),
/// );
/// ```
#[derive(Debug)]
pub struct Broadcast {
    topic: String,
    event: String,
    payload: Payload,
    /// Supabase's metadata: the event and payload stand inside a `broadcast`.
    user: Option<String>,
    v1: OnceLock<Wire>,
    v2: OnceLock<Wire>,
}

impl Broadcast {
    /// A message `event` to everybody in `topic`. O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::{Broadcast, Payload};
    /// let _ = Broadcast::new("room:1", "said", Payload::empty());
    /// ```
    #[must_use]
    pub fn new(topic: &str, event: &str, payload: Payload) -> Self {
        Self {
            topic: topic.into(),
            event: event.into(),
            payload,
            user: None,
            v1: OnceLock::new(),
            v2: OnceLock::new(),
        }
    }

    /// A Supabase broadcast: kind 4 for version 2, text for version 1.
    pub(crate) fn user(topic: &str, event: &str, payload: Payload, metadata: String) -> Self {
        Self {
            user: Some(metadata),
            ..Self::new(topic, event, payload)
        }
    }

    /// The bytes for sockets of `version`. O(size) the first time, then O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::{Broadcast, Payload, Version};
    ///
    /// let said = Broadcast::new("t", "said", Payload::empty());
    /// assert_eq!(
    ///     said.wire(Version::V1).text(),
    ///     Some(r#"{"topic":"t","event":"said","payload":{},"ref":null}"#),
    /// );
    /// ```
    pub fn wire(&self, version: Version) -> Wire {
        let cell = match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        };
        cell.get_or_init(|| self.write(version)).clone()
    }

    fn write(&self, version: Version) -> Wire {
        if let Some(metadata) = &self.user {
            return self.write_user(version, metadata);
        }
        if let (Version::V2, Some(bytes)) = (version, self.payload.as_binary())
            && let Some(wire) = binary::broadcast(&self.topic, &self.event, bytes)
        {
            return wire;
        }
        let payload = self.payload.as_json().unwrap_or("{}");
        message(version, [None, None], &self.topic, &self.event, payload)
    }

    fn write_user(&self, version: Version, metadata: &str) -> Wire {
        if version == Version::V2
            && let Some(wire) =
                binary::user_broadcast(&self.topic, &self.event, metadata, &self.payload)
        {
            return wire;
        }
        let mut payload = String::from(r#"{"type":"broadcast","event":"#);
        push_string(&mut payload, &self.event);
        payload.push_str(",\"payload\":");
        payload.push_str(self.payload.as_json().unwrap_or("{}"));
        if !metadata.is_empty() {
            payload.push_str(",\"meta\":");
            payload.push_str(metadata);
        }
        payload.push('}');
        message(version, [None, None], &self.topic, "broadcast", &payload)
    }
}
