//! Reads what clients send, as text of both versions.

use core::fmt;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Payload;

/// Longest reference that is accepted, as JSON text. Clients count from 1.
const MAX_REF: usize = 64;

/// The version of the protocol, from `vsn` of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 1.0.0, with objects: `{topic, event, payload, ref}`. It is used if there is no
    /// `vsn`.
    V1,
    /// 2.0.0, with arrays: `[join_ref, ref, topic, event, payload]`.
    V2,
}

impl Version {
    /// The version that a client asks for by `vsn`. O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Version;
    ///
    /// assert_eq!(Version::of(None), Some(Version::V1));
    /// assert_eq!(Version::of(Some("2.0.0")), Some(Version::V2));
    /// assert_eq!(Version::of(Some("3.0.0")), None);
    /// ```
    #[must_use]
    pub fn of(vsn: Option<&str>) -> Option<Self> {
        let vsn = vsn.unwrap_or("1.0.0");
        match vsn.split_once('.').map_or(vsn, |(major, _)| major) {
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            _ => None,
        }
    }
}

/// A reference that a client chose, kept as JSON text: a string, or a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ref(Box<str>);

impl Ref {
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }

    /// From the text of a binary frame.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(crate::json::string(text).into()))
    }

    /// As a binary frame carries it.
    pub(super) fn text(&self) -> String {
        serde_json::from_str(&self.0).unwrap_or_else(|_| self.0.to_string())
    }

    fn read(raw: Option<&RawValue>) -> Result<Option<Self>, BadFrame> {
        let text = raw.map_or("null", RawValue::get);
        match text.as_bytes().first() {
            Some(b'n') => Ok(None),
            Some(b'"' | b'-' | b'0'..=b'9') if text.len() <= MAX_REF => Ok(Some(Self(text.into()))),
            _ => Err(BadFrame::new("a reference is no short text")),
        }
    }
}

/// An error in a frame that belongs to no channel. The socket is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadFrame {
    reason: String,
}

impl BadFrame {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// One message of a client.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) join_ref: Option<Ref>,
    pub(super) reference: Option<Ref>,
    pub(super) topic: String,
    pub(super) event: String,
    pub(super) payload: Payload,
    /// A Supabase broadcast in a binary frame: the event inside, and its metadata.
    pub(super) user: Option<UserBroadcast>,
}

impl Incoming {
    /// About how many bytes it takes to keep it.
    pub(super) fn bytes(&self) -> usize {
        let user = self.user.as_ref();
        let user = user.map_or(0, |user| user.event.len() + user.metadata.len());
        self.topic.len() + self.event.len() + self.payload.len() + user + 2 * size_of::<Self>()
    }
}

#[derive(Clone, Debug)]
pub(super) struct UserBroadcast {
    pub(super) event: String,
    pub(super) metadata: String,
}

/// Reads a text frame. It does not recurse, because it skips the payload. O(size).
pub(super) fn read(version: Version, text: &str) -> Result<Incoming, BadFrame> {
    match version {
        Version::V2 => {
            let Five(join_ref, reference, topic, event, payload) = serde_json::from_str(text)
                .map_err(|error| BadFrame::new(format!("not a message of version 2: {error}")))?;
            Ok(Incoming {
                join_ref: Ref::read(join_ref)?,
                reference: Ref::read(reference)?,
                topic,
                event,
                payload: Payload::raw(payload),
                user: None,
            })
        }
        Version::V1 => {
            let message: Object<'_> = serde_json::from_str(text)
                .map_err(|error| BadFrame::new(format!("not a message of version 1: {error}")))?;
            let reference = Ref::read(message.reference)?;
            let mut join_ref = Ref::read(message.join_ref)?;
            if join_ref.is_none() && message.event == "phx_join" {
                join_ref.clone_from(&reference);
            }
            Ok(Incoming {
                join_ref,
                reference,
                topic: message.topic,
                event: message.event,
                payload: message.payload.map_or_else(Payload::empty, Payload::raw),
                user: None,
            })
        }
    }
}

#[derive(Deserialize)]
struct Object<'a> {
    topic: String,
    event: String,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    join_ref: Option<&'a RawValue>,
}

/// The first five elements of an array. The rest is skipped.
struct Five<'a>(
    Option<&'a RawValue>,
    Option<&'a RawValue>,
    String,
    String,
    &'a RawValue,
);

impl<'de: 'a, 'a> Deserialize<'de> for Five<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Five<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[join_ref, ref, topic, event, payload]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Five<'de>, A::Error> {
                let few = || A::Error::custom("fewer than five elements");
                let five = Five(
                    seq.next_element()?.ok_or_else(few)?,
                    seq.next_element()?.ok_or_else(few)?,
                    seq.next_element()?.ok_or_else(few)?,
                    seq.next_element()?.ok_or_else(few)?,
                    seq.next_element()?.ok_or_else(few)?,
                );
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(five)
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surplus_elements_are_ignored() {
        let frame = read(Version::V2, r#"["1","2","t","e",{},[{}],"more"]"#).unwrap();
        assert_eq!(frame.topic, "t");
        assert_eq!(frame.reference.unwrap().as_json(), "\"2\"");
    }

    #[test]
    fn references_may_be_null_or_numbers_and_are_echoed_as_they_came() {
        let frame = read(Version::V2, r#"[null,7,"t","e",null]"#).unwrap();
        assert_eq!(frame.join_ref, None);
        assert_eq!(frame.reference.unwrap().as_json(), "7");
        assert_eq!(frame.payload.as_json(), Some("null"));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let long = format!(r#"[null,"{}","t","e",{{}}]"#, "x".repeat(100));
        for text in [
            "",
            "{}",
            "[",
            "[]",
            "null",
            r#"["1","2","t","e"]"#,
            r#"["1","2",3,"e",{}]"#,
            r#"[{},"2","t","e",{}]"#,
            r#"["1",[1],"t","e",{}]"#,
            r#"["1","2","t","e",{}"#,
            r#"["1","2","t","e",{}] x"#,
            &long,
        ] {
            assert!(read(Version::V2, text).is_err(), "{text}");
        }
        for text in ["[]", "{}", r#"{"topic":"t"}"#, r#"{"topic":1,"event":"e"}"#] {
            assert!(read(Version::V1, text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!(
            "[null,null,\"t\",\"e\",{}1{}]",
            "[".repeat(500_000),
            "]".repeat(500_000),
        );
        assert!(read(Version::V2, &deep).is_ok());
    }

    #[test]
    fn version_1_takes_the_reference_of_a_join_for_its_join_reference() {
        let text = r#"{"topic":"t","event":"phx_join","payload":{},"ref":"3"}"#;
        let frame = read(Version::V1, text).unwrap();
        assert_eq!(frame.join_ref, frame.reference);
    }
}
