//! Turns a name of any text into one part of an address: a token of NATS, or a chunk of a
//! zenoh key.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use lattice_presence::ReplicaId;

/// The text, with each byte outside of `[A-Za-z0-9_-]` as `~` and two hex digits. The empty
/// text is `~`. So the result has no separators and wildcards of engines.
pub(super) fn escape(text: &str) -> String {
    if text.is_empty() {
        return "~".into();
    }
    let mut token = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            token.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(token, "~{byte:02x}");
        }
    }
    token
}

/// The text that was escaped. `None` if no text has this escaped form.
pub(super) fn unescape(token: &str) -> Option<String> {
    if token == "~" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'~' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = core::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    // One text has one token only. So nobody can speak under two addresses.
    (escape(&text) == token).then_some(text)
}

/// The last two parts of the address under which a node speaks: its base and its whole
/// name. The access rules of a broker can name the base.
pub(super) fn speaker(name: &str, separator: char) -> String {
    let mut parts = escape(ReplicaId::new(name).base());
    parts.push(separator);
    parts.push_str(&escape(name));
    parts
}

/// The name of the node that speaks under an address with these last two parts. `None` if
/// the base does not belong to the name, because this would bypass the access rules of a
/// broker.
pub(super) fn speaker_of(address: &str, separator: char) -> Option<String> {
    let mut parts = address.rsplit(separator);
    let name = unescape(parts.next()?)?;
    let base = unescape(parts.next()?)?;
    (ReplicaId::new(&*name).base() == base).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_and_bears_no_separator() {
        let texts = [
            "",
            "berlin-1",
            "lattice-presence:v1:0Zk:a",
            "a.b*c>d/e f~$?#",
            "日本 é",
        ];
        for text in texts {
            let token = escape(text);
            assert!(
                token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-~".contains(&b))
            );
            assert_eq!(unescape(&token).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_speaker_is_known_by_name_and_cannot_take_another_base() {
        let id = ReplicaId::incarnation("berlin.1", [7; 16]);
        let address = alloc::format!("lattice.chat.all.{}", speaker(id.as_str(), '.'));
        assert_eq!(speaker_of(&address, '.').as_deref(), Some(id.as_str()));
        let forged = address.replace("all.berlin~2e1.", "all.tokyo.");
        assert_ne!(forged, address);
        assert_eq!(speaker_of(&forged, '.'), None);
        assert_eq!(speaker_of("berlin", '.'), None);
    }

    #[test]
    fn no_text_has_two_tokens() {
        for token in ["", "~2", "~zz", "~61", "~2A", "a b", "~ff", "~+1"] {
            assert_eq!(unescape(token), None, "{token}");
        }
    }
}
