//! What the application is asked, and what it answers.

use alloc::sync::Arc;

use axum::http::HeaderMap;
use lattice_presence_json::JsonMeta;
use serde::Serialize;

use crate::phoenix::{Payload, SupabaseConfig};

/// The handshake of a client.
#[derive(Clone, Debug)]
pub struct Connect {
    pub(crate) params: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) token: Option<String>,
}

impl Connect {
    /// A parameter of the address: what the client's `params` hold.
    ///
    /// ```
    /// # use lattice_presence_web::Connect;
    /// fn name(request: &Connect) -> Option<&str> {
    ///     request.param("name")
    /// }
    /// ```
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The headers of the request: cookies, addresses that a proxy adds.
    ///
    /// ```
    /// # use lattice_presence_web::Connect;
    /// fn has_cookie(request: &Connect) -> bool {
    ///     request.headers().contains_key("cookie")
    /// }
    /// ```
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The client's `authToken`, which travels as a subprotocol and not in the address.
    ///
    /// ```
    /// # use lattice_presence_web::Connect;
    /// fn is_signed(request: &Connect) -> bool {
    ///     request.auth_token().is_some_and(|token| token.len() > 20)
    /// }
    /// ```
    #[must_use]
    pub fn auth_token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

/// What a client asks for as it joins.
#[derive(Clone, Debug)]
pub struct Join {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Payload,
    pub(crate) supabase: Option<SupabaseConfig>,
    pub(crate) unique: Arc<str>,
}

impl Join {
    /// The topic.
    ///
    /// ```
    /// # use lattice_presence_web::Join;
    /// fn is_room(join: &Join) -> bool {
    ///     join.topic().starts_with("room:")
    /// }
    /// ```
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What the client said with it.
    ///
    /// ```
    /// # use lattice_presence_web::Join;
    /// fn name(join: &Join) -> Option<String> {
    ///     join.payload().parse::<Vec<String>>().ok()?.pop()
    /// }
    /// ```
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// What a Supabase client asks for; nothing for others.
    ///
    /// ```
    /// # use lattice_presence_web::Join;
    /// fn is_private(join: &Join) -> bool {
    ///     join.supabase().is_some_and(|config| config.private)
    /// }
    /// ```
    #[must_use]
    pub fn supabase(&self) -> Option<&SupabaseConfig> {
        self.supabase.as_ref()
    }

    /// The key that a Supabase client asks for, or one that nobody else has.
    ///
    /// ```
    /// use lattice_presence_web::{Join, Joined};
    /// fn anybody(join: &Join) -> Joined {
    ///     Joined::new().tracks(join.wanted_key()).broadcasts()
    /// }
    /// ```
    #[must_use]
    pub fn wanted_key(&self) -> &str {
        match &self.supabase {
            Some(config) if !config.key.is_empty() => &config.key,
            _ => &self.unique,
        }
    }

    /// What the join's field `presence` asks to see: `"counts"`, `"none"`,
    /// `{"page": 50}`, `{"keys": ["ada"]}`; everybody, if it says nothing. Yours to
    /// grant, by [`Joined::sees`].
    ///
    /// ```
    /// use lattice_presence_web::{Join, Joined};
    /// fn as_asked(join: &Join) -> Joined {
    ///     Joined::new().sees(join.asked_to_see())
    /// }
    /// ```
    #[must_use]
    pub fn asked_to_see(&self) -> View {
        #[derive(serde::Deserialize)]
        struct Asked {
            presence: Wish,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Wish {
            Counts,
            None,
            Page(usize),
            Keys(Vec<String>),
        }
        match self.payload.parse::<Asked>().map(|asked| asked.presence) {
            Ok(Wish::Counts) => View::Counts,
            Ok(Wish::None) => View::Nothing,
            Ok(Wish::Page(size)) => View::Page(size.clamp(1, 1000)),
            Ok(Wish::Keys(keys)) => View::Keys(keys),
            Err(_) => View::Everyone,
        }
    }
}

/// What a channel sees of presence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum View {
    /// Every member: `presence_state`, and `presence_diff` after.
    #[default]
    Everyone,
    /// `presence_count`, `{"keys": …, "connections": …}`, at most once a second.
    Counts,
    /// This many keys, and counts. Who is on the page stays until it goes.
    Page(usize),
    /// A watch-list: these keys, in whatever topic; each presence names its own in
    /// `phx_topic`. At most 500.
    Keys(Vec<String>),
    /// Nothing.
    Nothing,
}

/// How a client has joined.
///
/// ```
/// use lattice_presence_json::JsonMeta;
/// use lattice_presence_web::{Joined, View};
///
/// let meta: JsonMeta = r#"{"role":"guest"}"#.parse().unwrap();
/// let _ = Joined::new().entry("ada", meta).sees(View::Counts);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Joined {
    pub(crate) entry: Option<(Box<str>, JsonMeta)>,
    pub(crate) tracks: Option<Box<str>>,
    pub(crate) broadcasts: bool,
    pub(crate) view: View,
    pub(crate) response: Option<Payload>,
}

impl Joined {
    /// As an observer: it sees everybody, and nobody sees it.
    ///
    /// ```
    /// let _ = lattice_presence_web::Joined::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// With an entry in the topic.
    ///
    /// ```
    /// use lattice_presence_web::Joined;
    /// let _ = Joined::new().entry("ada", "{}".parse().unwrap());
    /// ```
    pub fn entry(mut self, key: impl Into<Box<str>>, meta: JsonMeta) -> Self {
        self.entry = Some((key.into(), meta));
        self
    }

    /// The client may make an entry itself, under `key`: Supabase's `track`.
    ///
    /// ```
    /// use lattice_presence_web::Joined;
    /// let _ = Joined::new().tracks("ada");
    /// ```
    pub fn tracks(mut self, key: impl Into<Box<str>>) -> Self {
        self.tracks = Some(key.into());
        self
    }

    /// The client may send to everybody in the topic: Supabase's `broadcast`.
    ///
    /// ```
    /// use lattice_presence_web::Joined;
    /// let _ = Joined::new().broadcasts();
    /// ```
    pub fn broadcasts(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// It sees this, and not everybody.
    ///
    /// ```
    /// use lattice_presence_web::{Joined, View};
    /// let _ = Joined::new().sees(View::Page(50));
    /// ```
    pub fn sees(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// The reply to the join carries this.
    ///
    /// # Errors
    ///
    /// Where `response` does not serialize.
    ///
    /// ```
    /// use lattice_presence_web::Joined;
    /// let _ = Joined::new().response(&[1, 2]).unwrap();
    /// ```
    pub fn response<T: Serialize + ?Sized>(
        mut self,
        response: &T,
    ) -> Result<Self, serde_json::Error> {
        self.response = Some(Payload::new(response)?);
        Ok(self)
    }
}

/// The answer to an event.
///
/// ```
/// use lattice_presence_web::Reply;
/// assert_eq!(Reply::ok(), Reply::Ok(lattice_presence_web::phoenix::Payload::empty()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The client's `receive("ok", …)`.
    Ok(Payload),
    /// The client's `receive("error", …)`.
    Error(Payload),
    /// No answer: the client waits for none.
    None,
    /// The channel has failed: the client joins again after a while.
    Fail,
    /// The channel is closed for good.
    Close,
}

impl Reply {
    /// Ok, with nothing to say.
    ///
    /// ```
    /// let _ = lattice_presence_web::Reply::ok();
    /// ```
    #[must_use]
    pub fn ok() -> Self {
        Self::Ok(Payload::empty())
    }

    /// An error with a reason, `{"reason": …}`.
    ///
    /// ```
    /// let _ = lattice_presence_web::Reply::error("too long");
    /// ```
    #[must_use]
    pub fn error(reason: &str) -> Self {
        Self::Error(Payload::reason(reason))
    }
}

/// Why somebody may not. The client gets it as `{"reason": …}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    pub(crate) reason: String,
}

impl Refused {
    /// A refusal with this reason.
    ///
    /// ```
    /// assert_eq!(lattice_presence_web::Refused::new("full").to_string(), "full");
    /// ```
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
    pub fn new(reason: impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }
}

/// A payload of another shape than it should be.
///
/// ```
/// use lattice_presence_web::Refused;
/// use lattice_presence_web::phoenix::Payload;
///
/// fn age(payload: &Payload) -> Result<u8, Refused> {
///     Ok(payload.parse()?)
/// }
/// assert!(age(&Payload::empty()).unwrap_err().to_string().contains("invalid type"));
/// ```
impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error)
    }
}

/// Ok with nothing to say, or an error with the reason.
///
/// ```
/// use lattice_presence_web::{Refused, Reply};
///
/// assert_eq!(Reply::from(Err(Refused::new("full"))), Reply::error("full"));
/// assert_eq!(Reply::from(Ok(())), Reply::ok());
/// ```
impl From<Result<(), Refused>> for Reply {
    fn from(done: Result<(), Refused>) -> Self {
        match done {
            Ok(()) => Self::ok(),
            Err(refused) => Self::error(&refused.reason),
        }
    }
}
