//! A cursor over JSON text: tokens, strings, clocks, fields and items.
//!
//! Nothing here recurses, and nothing allocates but the unescaped form of a
//! string that holds escapes.

use alloc::borrow::Cow;

use lattice_presence::MAX_CLOCK;

use crate::error::{Category, DecodeError};
use crate::scan::next_special;

pub(crate) type Result<T> = core::result::Result<T, DecodeError>;

pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of the next byte.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    /// How many bytes follow.
    pub(crate) const fn left(&self) -> usize {
        self.text.len().saturating_sub(self.at)
    }

    /// The text from an earlier offset up to here.
    pub(crate) fn text_since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Goes to an offset, a character boundary.
    pub(crate) const fn rewind(&mut self, offset: usize) {
        self.at = offset;
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// Skips white space; whether there was any.
    #[inline]
    pub(crate) fn skip_space(&mut self) -> bool {
        let start = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.at != start
    }

    /// Skips white space and gives the byte behind it.
    #[inline]
    pub(crate) fn next_token(&mut self) -> Result<u8> {
        self.skip_space();
        self.peek().ok_or_else(|| self.ends_early())
    }

    /// Steps over `text` if it comes next, byte for byte.
    #[inline]
    pub(crate) fn eat(&mut self, text: &[u8]) -> bool {
        let comes = self.text.as_bytes()[self.at..].starts_with(text);
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Nothing but white space is left.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(DecodeError::syntax(
                self.at,
                "something follows the payload",
            )),
        }
    }

    #[cold]
    pub(crate) fn ends_early(&self) -> DecodeError {
        DecodeError::syntax(self.at, "the input ends early")
    }

    #[cold]
    pub(crate) fn expected_end_of_field(&self) -> DecodeError {
        DecodeError::syntax(self.at, "expected a comma or a closing brace")
    }

    #[cold]
    pub(crate) fn expected_end_of_item(&self) -> DecodeError {
        DecodeError::syntax(self.at, "expected a comma or a closing bracket")
    }

    /// `expected` does not come next: end, no JSON at all, or another type.
    #[cold]
    pub(crate) fn expected(&self, expected: &str) -> DecodeError {
        let found = match self.peek() {
            None => return self.ends_early(),
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(_) => return DecodeError::syntax(self.at, format!("expected {expected}")),
        };
        // A word that merely starts like a literal is not JSON.
        match self.literal_ahead() {
            Some(false) => DecodeError::syntax(self.at, format!("expected {expected}")),
            _ => DecodeError::new(
                Category::Shape,
                self.at,
                format!("expected {expected}, found {found}"),
            ),
        }
    }

    /// Whether the word ahead is a literal; `None` if no word is ahead.
    fn literal_ahead(&self) -> Option<bool> {
        let rest = &self.text.as_bytes()[self.at..];
        rest.first()?.is_ascii_lowercase().then(|| {
            [&b"true"[..], b"false", b"null"]
                .iter()
                .any(|literal| rest.starts_with(literal))
        })
    }

    pub(crate) fn skip_literal(&mut self) -> Result<()> {
        let known = self.eat(b"true") || self.eat(b"false") || self.eat(b"null");
        if known {
            Ok(())
        } else {
            Err(DecodeError::syntax(self.at, "expected a value"))
        }
    }

    /// A string, borrowed if it holds no escape.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        if self.next_token()? != b'"' {
            return Err(self.expected("a string"));
        }
        let start = self.at + 1;
        let end = next_special(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.at = start;
        self.unescaped().map(Cow::Owned)
    }

    #[cold]
    fn unescaped(&mut self) -> Result<String> {
        let mut unescaped = String::new();
        loop {
            let start = self.at;
            self.at = next_special(self.text.as_bytes(), start);
            unescaped.push_str(&self.text[start..self.at]);
            match self.string_special()? {
                Special::End => return Ok(unescaped),
                Special::Char(c) => unescaped.push(c),
            }
        }
    }

    /// Steps over a string at whose opening quote the cursor stands.
    #[inline]
    pub(crate) fn skip_string(&mut self) -> Result<()> {
        self.at += 1;
        loop {
            self.at = next_special(self.text.as_bytes(), self.at);
            if self.peek() == Some(b'"') {
                self.at += 1;
                return Ok(());
            }
            self.string_special()?;
        }
    }

    /// What stands where [`next_special`] stopped.
    fn string_special(&mut self) -> Result<Special> {
        match self.peek() {
            None => Err(self.ends_early()),
            Some(b'"') => {
                self.at += 1;
                Ok(Special::End)
            }
            Some(b'\\') => self.escape().map(Special::Char),
            Some(_) => Err(DecodeError::syntax(
                self.at,
                "a control character in a string",
            )),
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.ends_early());
        };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ => return Err(DecodeError::syntax(start, "not an escape")),
        })
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char> {
        let lone = || DecodeError::syntax(start, "a lone surrogate");
        let mut code = self.four_digits(start)?;
        if (0xD800..0xDC00).contains(&code) {
            if !self.eat(b"\\u") {
                return Err(lone());
            }
            let low = self.four_digits(start)?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(lone());
            }
            code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        char::from_u32(code).ok_or_else(lone)
    }

    fn four_digits(&mut self, start: usize) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(self.ends_early());
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(DecodeError::syntax(start, "not an escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Steps over a number; whether it is written as an integer.
    pub(crate) fn skip_number(&mut self) -> Result<bool> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.at;
        self.skip_digits()?;
        if self.text.as_bytes()[first] == b'0' && self.at > first + 1 {
            return Err(DecodeError::syntax(first, "a number with a leading zero"));
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(integer)
    }

    /// Steps over one digit or more.
    fn skip_digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        Err(match self.peek() {
            None => self.ends_early(),
            Some(_) => DecodeError::syntax(self.at, "expected a digit"),
        })
    }

    /// A clock in `least..=MAX_CLOCK`.
    pub(crate) fn clock(&mut self, least: u64) -> Result<u64> {
        let (b'-' | b'0'..=b'9') = self.next_token()? else {
            return Err(self.expected("an integer"));
        };
        let start = self.at;
        if !self.skip_number()? {
            let reason = "expected an integer, found a fraction or an exponent";
            return Err(DecodeError::new(Category::Shape, start, reason));
        }
        let clock = match self.text_since(start) {
            "-0" => Some(0),
            digits => digits.parse().ok(),
        };
        clock
            .filter(|clock| (least..=MAX_CLOCK).contains(clock))
            .ok_or_else(|| {
                let reason = format!("must be in {least}..={MAX_CLOCK}");
                DecodeError::new(Category::Clock, start, reason)
            })
    }

    /// Steps into an object.
    #[inline]
    pub(crate) fn fields(&mut self) -> Result<Fields> {
        if self.next_token()? != b'{' {
            return Err(self.expected("an object"));
        }
        self.at += 1;
        Ok(Fields { started: false })
    }

    /// Steps into an array.
    #[inline]
    pub(crate) fn items(&mut self) -> Result<Items> {
        if self.next_token()? != b'[' {
            return Err(self.expected("an array"));
        }
        self.at += 1;
        Ok(Items { next: 0 })
    }

    /// A field's name and its colon; the name's offset comes with it.
    pub(crate) fn field_name(&mut self) -> Result<(Cow<'a, str>, usize)> {
        if self.next_token()? != b'"' {
            return Err(DecodeError::syntax(self.at, "expected a field name"));
        }
        let start = self.at;
        let name = self.string()?;
        if self.next_token()? != b':' {
            return Err(DecodeError::syntax(self.at, "expected a colon"));
        }
        self.at += 1;
        Ok((name, start))
    }
}

enum Special {
    End,
    Char(char),
}

/// A walk over the fields of one object.
pub(crate) struct Fields {
    started: bool,
}

impl Fields {
    /// The next field, up to its colon; `None` behind the closing brace.
    #[inline]
    pub(crate) fn next<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<(Cow<'a, str>, usize)>> {
        match cursor.next_token()? {
            b'}' => {
                cursor.advance();
                return Ok(None);
            }
            b',' if self.started => cursor.advance(),
            _ if self.started => {
                return Err(cursor.expected_end_of_field());
            }
            _ => {}
        }
        self.started = true;
        cursor.field_name().map(Some)
    }
}

/// A walk over the items of one array.
pub(crate) struct Items {
    next: usize,
}

impl Items {
    /// Steps to the next item and gives its index; `None` behind the closing
    /// bracket.
    #[inline]
    pub(crate) fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<usize>> {
        match cursor.next_token()? {
            b']' => {
                cursor.advance();
                return Ok(None);
            }
            b',' if self.next > 0 => {
                cursor.advance();
                cursor.skip_space();
            }
            _ if self.next > 0 => {
                return Err(cursor.expected_end_of_item());
            }
            _ => {}
        }
        self.next += 1;
        Ok(Some(self.next - 1))
    }
}
