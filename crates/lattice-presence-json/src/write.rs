//! Writing JSON text.

use crate::scan::next_special;

/// Appends a JSON string.
#[inline]
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

/// Appends the inside of a JSON string.
#[inline]
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let end = next_special(text.as_bytes(), 0);
    if end == text.len() {
        out.push_str(text);
    } else {
        push_escapes(out, text, end);
    }
}

#[cold]
fn push_escapes(out: &mut String, text: &str, first: usize) {
    let mut start = 0;
    let mut at = first;
    while let Some(&byte) = text.as_bytes().get(at) {
        out.push_str(&text[start..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0C => out.push_str("\\f"),
            _ => {
                out.push_str("\\u00");
                out.push(hex_digit(u64::from(byte >> 4)));
                out.push(hex_digit(u64::from(byte)));
            }
        }
        start = at + 1;
        at = next_special(text.as_bytes(), start);
    }
    out.push_str(&text[start..]);
}

/// Appends an integer.
#[inline]
pub(crate) fn push_integer(out: &mut String, integer: u64) {
    out.push_str(itoa::Buffer::new().format(integer));
}

/// How many digits [`push_integer`] appends.
pub(crate) fn digits(integer: u64) -> usize {
    integer.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// How many bytes [`push_string`] appends.
pub(crate) fn quoted_len(text: &str) -> usize {
    let mut quoted = String::with_capacity(text.len() + 2);
    push_string(&mut quoted, text);
    quoted.len()
}

/// Appends 16 lower-case hexadecimal digits.
pub(crate) fn push_hex(out: &mut String, word: u64) {
    out.extend((0..16).rev().map(|i| hex_digit(word >> (4 * i))));
}

/// The lowest four bits as a digit.
const fn hex_digit(word: u64) -> char {
    b"0123456789abcdef"[(word & 15) as usize] as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_the_standard_library_writes_them() {
        let mut integer = 1_u64;
        let mut cases = vec![0, u64::MAX];
        while integer < u64::MAX / 10 {
            cases.extend([integer - 1, integer, integer + 1, integer * 7]);
            integer *= 10;
        }
        for case in cases {
            let mut out = String::new();
            push_integer(&mut out, case);
            assert_eq!(out, case.to_string());
            assert_eq!(digits(case), out.len());
        }
    }

    #[test]
    fn strings_are_escaped_as_serde_json_escapes_them() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        for text in [all.as_str(), "", "plain", "\"", "tail\\", "\u{1F600}\u{1}"] {
            let mut out = String::new();
            push_string(&mut out, text);
            assert_eq!(
                Ok(out),
                serde_json::to_string(text).map_err(|e| e.to_string())
            );
        }
    }
}
