//! The payload of an event: JSON text, or bytes.

use alloc::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The payload of an event. It is cheap to clone.
///
/// # Invariants
///
/// The text of `Json` is one valid JSON value.
///
/// ```
/// use lattice_presence_web::phoenix::Payload;
///
/// let payload = Payload::new(&[1, 2]).unwrap();
/// assert_eq!(payload.as_json(), Some("[1,2]"));
/// assert_eq!(payload.parse::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Inner);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inner {
    Json(Arc<str>),
    Binary(Bytes),
}

impl Payload {
    /// The payload that `value` serializes to. O(size).
    ///
    /// # Errors
    ///
    /// If `value` does not serialize.
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::new("hi").unwrap().as_json(), Some("\"hi\""));
    /// ```
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(Inner::Json(serde_json::to_string(value)?.into())))
    }

    /// The empty object, `{}`.
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::empty().as_json(), Some("{}"));
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Json("{}".into()))
    }

    /// A payload of bytes, for a binary frame.
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::binary(vec![1, 2]).as_binary(), Some(&[1, 2][..]));
    /// ```
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Binary(bytes.into()))
    }

    /// `{"reason": …}`, the shape of errors that clients print.
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::reason("full").as_json(), Some(r#"{"reason":"full"}"#));
    /// ```
    #[must_use]
    pub fn reason(reason: &str) -> Self {
        let mut text = String::from("{\"reason\":");
        crate::json::push_string(&mut text, reason);
        text.push('}');
        Self(Inner::Json(text.into()))
    }

    /// Text that is known to be JSON.
    pub(crate) fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(Inner::Json(text.into()))
    }

    pub(crate) fn raw(value: &RawValue) -> Self {
        Self::trusted(value.get())
    }

    /// The text, unless these are bytes. O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::binary(vec![1]).as_json(), None);
    /// ```
    #[must_use]
    pub fn as_json(&self) -> Option<&str> {
        match &self.0 {
            Inner::Json(text) => Some(text),
            Inner::Binary(_) => None,
        }
    }

    /// The bytes, unless this is JSON. O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert_eq!(Payload::empty().as_binary(), None);
    /// ```
    #[must_use]
    pub fn as_binary(&self) -> Option<&[u8]> {
        match &self.0 {
            Inner::Json(_) => None,
            Inner::Binary(bytes) => Some(bytes),
        }
    }

    /// The value that the JSON text stands for. O(size).
    ///
    /// # Errors
    ///
    /// If the text has another shape, or if these are bytes.
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Payload;
    /// assert!(Payload::empty().parse::<u32>().is_err());
    /// assert!(Payload::binary(vec![1]).parse::<u32>().is_err());
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.0 {
            Inner::Json(text) => serde_json::from_str(text),
            Inner::Binary(_) => Err(serde::de::Error::custom("bytes, and not JSON")),
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        self.as_json()
            .is_some_and(|text| text.trim_start().starts_with('{'))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Inner::Json(text) => text.len(),
            Inner::Binary(bytes) => bytes.len(),
        }
    }
}
