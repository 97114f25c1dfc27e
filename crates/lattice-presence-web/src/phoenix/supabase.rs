//! What Supabase's clients add to a join.

use serde::Deserialize;

use super::Payload;

/// What the join of a Supabase client asks for: `config` of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupabaseConfig {
    /// `config.presence.key`. Empty: the server is to choose one.
    pub key: String,
    /// `config.presence.enabled`: whether the client listens to presence.
    pub presence: bool,
    /// `config.broadcast.self`: whether it gets its own broadcasts.
    pub to_self: bool,
    /// `config.broadcast.ack`: whether it wants a reply to each broadcast.
    pub ack: bool,
    /// `config.private`.
    pub private: bool,
    /// `access_token`, beside `config`.
    pub access_token: Option<String>,
}

impl SupabaseConfig {
    /// What `payload` asks for, if it is the join of a Supabase client. O(size).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::{Payload, SupabaseConfig};
    ///
    /// let payload = serde_json::json!({"config": {"presence": {"key": "u1"}}});
    /// let config = SupabaseConfig::of(&Payload::new(&payload).unwrap()).unwrap();
    /// assert_eq!(config.key, "u1");
    /// assert!(SupabaseConfig::of(&Payload::empty()).is_none());
    /// ```
    #[must_use]
    pub fn of(payload: &Payload) -> Option<Self> {
        let join: JoinPayload = payload.parse().ok()?;
        let ConfigPart {
            presence,
            broadcast,
            private,
        } = join.config?;
        let (presence, broadcast) = (presence.unwrap_or_default(), broadcast.unwrap_or_default());
        Some(Self {
            key: presence.key.unwrap_or_default(),
            // Clients before 2.12 do not say, and always listen.
            presence: presence.enabled.unwrap_or(true),
            to_self: broadcast.to_self.unwrap_or(false),
            ack: broadcast.ack.unwrap_or(false),
            private: private.unwrap_or(false),
            access_token: join.access_token,
        })
    }
}

#[derive(Deserialize)]
struct JoinPayload {
    config: Option<ConfigPart>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct ConfigPart {
    presence: Option<PresencePart>,
    broadcast: Option<BroadcastPart>,
    private: Option<bool>,
}

#[derive(Default, Deserialize)]
struct PresencePart {
    key: Option<String>,
    enabled: Option<bool>,
}

#[derive(Default, Deserialize)]
struct BroadcastPart {
    #[serde(rename = "self")]
    to_self: Option<bool>,
    ack: Option<bool>,
}

/// An event `presence`: what to do with the own entry.
#[derive(Deserialize)]
pub(super) struct PresenceCall {
    event: String,
    pub(super) payload: Option<Box<serde_json::value::RawValue>>,
}

pub(super) enum PresenceVerb {
    Track,
    Untrack,
    Other,
}

impl PresenceCall {
    /// Compared without case, as Supabase does.
    pub(super) fn verb(&self) -> PresenceVerb {
        if self.event.eq_ignore_ascii_case("track") {
            PresenceVerb::Track
        } else if self.event.eq_ignore_ascii_case("untrack") {
            PresenceVerb::Untrack
        } else {
            PresenceVerb::Other
        }
    }
}

/// A broadcast as text.
#[derive(Deserialize)]
pub(super) struct BroadcastCall {
    pub(super) event: String,
    pub(super) payload: Option<Box<serde_json::value::RawValue>>,
    pub(super) meta: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct TokenCall {
    pub(super) access_token: Option<String>,
}
