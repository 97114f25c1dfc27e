//! Finds the bytes of a JSON string that do not stand for themselves.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The index of the first byte at or after `from` that a JSON string cannot
/// hold as it is: a quote, a backslash or a control character. `bytes.len()`
/// if there is none.
///
/// It takes eight bytes at a step. Names and metadata are short. So a wider search would
/// use most of its time for the set-up.
#[inline]
pub(crate) fn next_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = specials(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            return at;
        }
        at += 1;
    }
    at
}

/// A word whose lowest set bit is in the lowest special byte of `word`, or 0 if there is
/// none. Bits above the lowest one may be wrong, because a borrow starts only at a byte
/// that matched.
const fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let matches = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    matches & HIGHS
}

#[cfg(test)]
mod tests {
    use super::next_special;

    fn naive(bytes: &[u8], from: usize) -> usize {
        let special = |&b: &u8| b < 0x20 || b == b'"' || b == b'\\';
        bytes[from..]
            .iter()
            .position(special)
            .map_or(bytes.len(), |i| from + i)
    }

    #[test]
    fn every_byte_at_every_place_is_found_like_the_naive_search_does() {
        for byte in 0..=u8::MAX {
            for neighbour in [
                b'a', 0x1F, 0x20, 0x21, b'"', 0x23, 0x5B, b'\\', 0x5D, 0x80, 0xFF,
            ] {
                for len in 0..20 {
                    for place in 0..len {
                        let mut bytes = vec![b'a'; len];
                        bytes[place] = byte;
                        if place + 1 < len {
                            bytes[place + 1] = neighbour;
                        }
                        for from in 0..=len {
                            assert_eq!(
                                next_special(&bytes, from),
                                naive(&bytes, from),
                                "{bytes:?} from {from}"
                            );
                        }
                    }
                }
            }
        }
    }
}
