//! What goes to a socket: one frame.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// One message for one socket, its bytes shared between clones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text frame.
    Text(Utf8Bytes),
    /// A binary frame.
    Binary(Bytes),
}

impl Wire {
    /// The text, or nothing for a binary frame. O(1).
    ///
    /// ```
    /// use lattice_presence_web::phoenix::Wire;
    /// assert_eq!(Wire::Text("hi".into()).text(), Some("hi"));
    /// ```
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}
