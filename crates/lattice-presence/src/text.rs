//! Two short texts in one place.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::str;

/// Two texts, one after the other, in 24 bytes. Up to [`SHORT`] bytes of both are held
/// in place: an entry whose key and pid are short is one allocation, and its text lies
/// beside its dot.
///
/// # Invariants
///
/// The bytes are two texts in UTF-8, which meet at `split`.
#[derive(Clone)]
pub(crate) struct Text {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Short {
        split: u8,
        len: u8,
        bytes: [u8; SHORT],
    },
    Long {
        split: u32,
        bytes: Box<[u8]>,
    },
}

/// Bytes that need no allocation.
const SHORT: usize = 21;

impl Text {
    /// The texts are shorter than four gigabytes: nobody holds longer ones.
    pub(crate) fn join(first: &str, second: &str) -> Self {
        let (split, len) = (first.len(), first.len() + second.len());
        let form = if len <= SHORT {
            let mut bytes = [0; SHORT];
            bytes[..split].copy_from_slice(first.as_bytes());
            bytes[split..len].copy_from_slice(second.as_bytes());
            Form::Short {
                split: split as u8,
                len: len as u8,
                bytes,
            }
        } else {
            let mut bytes = Vec::with_capacity(len);
            bytes.extend_from_slice(first.as_bytes());
            bytes.extend_from_slice(second.as_bytes());
            Form::Long {
                split: u32::try_from(split).unwrap_or(u32::MAX),
                bytes: bytes.into_boxed_slice(),
            }
        };
        Self { form }
    }

    /// Both, as bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> (&[u8], &[u8]) {
        match &self.form {
            Form::Short { split, len, bytes } => {
                bytes[..usize::from(*len)].split_at(usize::from(*split))
            }
            Form::Long { split, bytes } => bytes.split_at(*split as usize),
        }
    }

    pub(crate) fn first(&self) -> &str {
        text(self.bytes().0)
    }

    pub(crate) fn second(&self) -> &str {
        text(self.bytes().1)
    }
}

/// Checked once more: a few instructions for short texts, and no `unsafe`.
fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn both_come_back_whatever_their_length() {
        assert_eq!(size_of::<Text>(), 24);
        for first in 0..=30 {
            for second in 0..=30 {
                let (a, b) = ("ä".repeat(first), "x".repeat(second));
                let text = Text::join(&a, &b);
                assert_eq!((text.first(), text.second()), (&*a, &*b));
                assert_eq!(text.bytes(), (a.as_bytes(), b.as_bytes()));
            }
        }
        let empty: String = String::new();
        assert_eq!(Text::join(&empty, "p").first(), "");
    }
}
