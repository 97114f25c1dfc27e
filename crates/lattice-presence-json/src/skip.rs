//! Steps over any JSON value, and validates it.

use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError};

/// A value that was skipped.
pub(crate) struct Skipped<'a> {
    /// The value as it is in the input.
    pub(crate) text: &'a str,
    /// Whether there is white space between its tokens.
    pub(crate) spaced: bool,
}

/// The kinds of the open containers, one bit each: set for an object.
///
/// The innermost 64 are in one word. Outer ones go into a vector. So a megabyte of
/// opening brackets costs 128 KiB, and no stack.
#[derive(Default)]
struct Nesting {
    depth: usize,
    word: u64,
    spilled: Vec<u64>,
}

impl Nesting {
    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.spilled.push(self.word);
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.word >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.word = self.spilled.pop().unwrap_or_default();
        }
    }

    const fn in_object(&self) -> bool {
        self.word & 1 == 1
    }
}

impl<'a> Cursor<'a> {
    /// Steps over the next value. A value whose depth is above `max_depth` is refused.
    /// The value itself has depth 0, and its content has depth 1.
    ///
    /// O(length), without recursion. Open containers cost one bit each.
    pub(crate) fn skip_value(&mut self, max_depth: usize) -> Result<Skipped<'a>> {
        self.skip_space();
        let start = self.offset();
        let mut open = Nesting::default();
        let mut spaced = false;
        loop {
            spaced |= open.depth > 0 && self.skip_space();
            if open.depth > max_depth {
                return Err(too_deep(self.offset(), max_depth));
            }
            let opened = match self.peek() {
                Some(b'"') => self.skip_string().map(|()| false)?,
                Some(b'-' | b'0'..=b'9') => self.skip_number().map(|_| false)?,
                Some(b'{') => self.skip_opening(&mut open, &mut spaced, b'}')?,
                Some(b'[') => self.skip_opening(&mut open, &mut spaced, b']')?,
                Some(_) => self.skip_literal().map(|()| false)?,
                None => return Err(self.ends_early()),
            };
            if !opened && !self.skip_closings(&mut open, &mut spaced)? {
                return Ok(Skipped {
                    text: self.text_since(start),
                    spaced,
                });
            }
        }
    }

    /// Steps over an opening bracket. It returns true if a value must follow. It returns
    /// false if the container is empty, and already closed.
    #[inline]
    fn skip_opening(&mut self, open: &mut Nesting, spaced: &mut bool, closing: u8) -> Result<bool> {
        self.advance();
        *spaced |= self.skip_space();
        if self.peek() == Some(closing) {
            self.advance();
            return Ok(false);
        }
        let object = closing == b'}';
        open.push(object);
        if object {
            *spaced |= self.skip_key()?;
        }
        Ok(true)
    }

    /// Closes the containers that end after a value. It returns true if another value
    /// must follow, and false if nothing is open any more.
    #[inline]
    fn skip_closings(&mut self, open: &mut Nesting, spaced: &mut bool) -> Result<bool> {
        while open.depth > 0 {
            *spaced |= self.skip_space();
            match self.peek() {
                Some(b',') => {
                    self.advance();
                    *spaced |= self.skip_space();
                    if open.in_object() {
                        *spaced |= self.skip_key()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if open.in_object() => {}
                Some(b']') if !open.in_object() => {}
                Some(_) if open.in_object() => return Err(self.expected_end_of_field()),
                Some(_) => return Err(self.expected_end_of_item()),
                None => return Err(self.ends_early()),
            }
            self.advance();
            open.pop();
        }
        Ok(false)
    }

    /// Steps over the value of an unknown field. It may have any depth, because nobody
    /// uses it.
    pub(crate) fn skip_unknown(&mut self) -> Result<()> {
        self.skip_value(usize::MAX).map(|_| ())
    }

    /// Steps over a field's name and its colon. It returns whether there is white space
    /// before the colon.
    #[inline]
    fn skip_key(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b'"') => self.skip_string()?,
            Some(_) => return Err(DecodeError::syntax(self.offset(), "expected a field name")),
            None => return Err(self.ends_early()),
        }
        let spaced = self.skip_space();
        match self.peek() {
            Some(b':') => self.advance(),
            Some(_) => return Err(DecodeError::syntax(self.offset(), "expected a colon")),
            None => return Err(self.ends_early()),
        }
        Ok(spaced)
    }
}

#[cold]
fn too_deep(offset: usize, max_depth: usize) -> DecodeError {
    let reason = format!("nested deeper than {max_depth} below its top");
    DecodeError::new(Category::Depth, offset, reason)
}

/// Appends valid JSON text without the white space between its tokens.
pub(crate) fn push_compact(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        push_tokens(out, &rest[..quote]);
        let end = end_of_string(rest.as_bytes(), quote);
        out.push_str(&rest[quote..end]);
        rest = &rest[end..];
    }
    push_tokens(out, rest);
}

fn push_tokens(out: &mut String, text: &str) {
    out.extend(text.split([' ', '\n', '\r', '\t']));
}

/// The end of the string that opens at `quote`, in valid JSON text.
fn end_of_string(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    loop {
        at = crate::scan::next_special(bytes, at);
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return bytes.len().min(at + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_remembers_every_kind_beyond_one_word() {
        let kinds: Vec<bool> = (0..300_u32)
            .map(|i| i.wrapping_mul(0x9E37_79B9) >> 31 == 1)
            .collect();
        let mut open = Nesting::default();
        for &kind in &kinds {
            open.push(kind);
        }
        for &kind in kinds.iter().rev() {
            assert_eq!(open.in_object(), kind, "at depth {}", open.depth);
            open.pop();
        }
        assert_eq!(open.depth, 0);
        assert!(open.spilled.is_empty());
    }

    #[test]
    fn white_space_is_noticed_at_every_place() {
        let spaced = |text| {
            Cursor::new(text)
                .skip_value(9)
                .ok()
                .map(|value| value.spaced)
        };
        assert_eq!(spaced(r#" {"a":[1,{"b":2}]} "#), Some(false));
        for text in [
            r#"{ "a":[1,{"b":2}]}"#,
            r#"{"a" :[1,{"b":2}]}"#,
            r#"{"a": [1,{"b":2}]}"#,
            r#"{"a":[ 1,{"b":2}]}"#,
            r#"{"a":[1 ,{"b":2}]}"#,
            r#"{"a":[1, {"b":2}]}"#,
            r#"{"a":[1,{"b":2 }]}"#,
            r#"{"a":[1,{"b":2} ]}"#,
            r#"{"a":[1,{"b":2}] }"#,
            r#"{"a":1, "b":2}"#,
            r#"{"a":1,"b" :2}"#,
            "[ ]",
            "{ }",
        ] {
            assert_eq!(spaced(text), Some(true), "{text}");
        }
    }

    #[test]
    fn compaction_keeps_white_space_inside_strings() {
        let mut out = String::new();
        push_compact(
            &mut out,
            "{ \"a b\\\" \" : [ 1 ,\t2 ] ,\r\n\"\\\\\" : \" \" }",
        );
        assert_eq!(out, r#"{"a b\" ":[1,2],"\\":" "}"#);
    }
}
