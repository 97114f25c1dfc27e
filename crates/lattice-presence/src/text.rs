//! Two short texts in one place.

use core::str;

use smallvec::SmallVec;

/// Two texts, one after the other. Up to 24 bytes of both are held in place: an
/// entry whose key and pid are short is one allocation, and its text lies beside
/// its dot.
///
/// # Invariants
///
/// The bytes are two texts in UTF-8. Where they meet is for the owner to know.
#[derive(Clone)]
pub(crate) struct Text {
    bytes: SmallVec<[u8; 24]>,
}

impl Text {
    pub(crate) fn join(first: &str, second: &str) -> Self {
        let mut bytes = SmallVec::with_capacity(first.len() + second.len());
        bytes.extend_from_slice(first.as_bytes());
        bytes.extend_from_slice(second.as_bytes());
        Self { bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first text, which is `split` bytes long.
    pub(crate) fn before(&self, split: usize) -> &str {
        text(&self.bytes[..split])
    }

    /// The second text.
    pub(crate) fn after(&self, split: usize) -> &str {
        text(&self.bytes[split..])
    }
}

/// Checked once more: a few instructions for short texts, and no `unsafe`.
fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}
