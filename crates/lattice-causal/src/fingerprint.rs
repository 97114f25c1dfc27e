//! The order-independent fingerprint of live dots.
//!
//! Its definition, down to the bit, is in `docs/wire-format.md`: other
//! languages compute the same numbers.

/// The odd multiplier of every step: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads every input bit over every output bit. A bijection: the finalizer of
/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014), with Stafford's mix 13.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

const fn step(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(STEP);
    hash ^ (hash >> 32)
}

/// What one live dot adds to the fingerprint of its replica.
///
/// `identity` is what identifies the value under the dot, 0 if the dot alone
/// does. The fingerprint of a replica is the wrapping sum over its live dots, so
/// it does not depend on the order in which they came, and adding or removing
/// one is one addition or subtraction.
///
/// It finds divergence between peers that mean well. It is no defence against
/// somebody who crafts collisions: that person can write any state anyway.
///
/// ```
/// use lattice_causal::dot_fingerprint;
///
/// assert_eq!(dot_fingerprint(1, 0), 0x7ab4_0e09_0f36_3a7d);
/// assert_ne!(dot_fingerprint(1, 0), dot_fingerprint(2, 0));
/// ```
#[must_use]
pub const fn dot_fingerprint(clock: u64, identity: u64) -> u64 {
    mix(mix(clock) ^ identity)
}

/// The identity of a value that is a sequence of byte strings, for
/// [`dot_fingerprint`].
///
/// Each field enters as its length, then as little-endian 64-bit words, the last
/// one padded with zeros.
///
/// ```
/// use lattice_causal::identity_of;
///
/// assert_ne!(identity_of(["ab", "c"]), identity_of(["a", "bc"]));
/// ```
#[must_use]
pub fn identity_of<F: AsRef<[u8]>>(fields: impl IntoIterator<Item = F>) -> u64 {
    let mut hash = 0;
    for field in fields {
        let bytes = field.as_ref();
        hash = step(hash, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            hash = step(hash, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            hash = step(hash, last_word(bytes, rest));
        }
    }
    hash
}

/// The last bytes of a field, fewer than eight but some, as a word.
#[inline]
fn last_word(field: &[u8], rest: &[u8]) -> u64 {
    match field.last_chunk() {
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => {
            let digits = rest.iter().rev();
            digits.fold(0, |word, &byte| word << 8 | u64::from(byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_read_as_if_byte_by_byte() {
        let bytes = [0x81, 0x02, 0xFF, 0x10, 0x7F, 0x00, 0xA5, 0x5A].repeat(3);
        for len in 0..bytes.len() {
            let field = &bytes[..len];
            let mut hash = step(0, len as u64);
            for word in field.chunks(8) {
                let digits = word.iter().rev();
                let word = digits.fold(0, |word, &byte| word << 8 | u64::from(byte));
                hash = step(hash, word);
            }
            assert_eq!(identity_of([field]), hash, "{len}");
        }
    }
}
