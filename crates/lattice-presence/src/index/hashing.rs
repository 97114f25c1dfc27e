//! The hashes of topics, keys and pids.

use core::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The one place that hashes: clients choose topics, keys and pids, so it is keyed, per
/// state. Whoever does not know the key cannot build texts that collide, in a table that
/// then takes time in their square. Nothing that can be observed depends on it.
///
/// A text is a polynomial, seven bytes a coefficient, and its hash the low bits of what
/// that is at a secret point, in the field of 2^61 - 1 numbers. Two texts that differ meet
/// at few points, so two of n bytes, chosen before the point is drawn, have the same hash
/// with a probability of at most (n / 7 + 2) / 2^29 (Carter, Wegman: "Universal classes of
/// hash functions", 1979). It takes one multiplication a coefficient.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    point: u64,
    /// Which bits of a hash count: fewer collide more.
    #[cfg(test)]
    mask: u32,
}

/// The hash of a pid, computed once for all that a call does with its entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PidHash {
    pub(super) hash: u32,
    /// Whether no entry has the pid, so that the first one needs no search.
    pub(super) is_new: bool,
}

impl PidHash {
    /// Of a slot, with the hash of its key in its topic.
    pub(super) const fn slot(self, key: u32) -> u32 {
        key.rotate_left(16) ^ self.hash
    }
}

/// A key from where things lie in memory: different in each process that is laid out at
/// random, and no secret elsewhere. A node that has better randomness supplies its own.
impl Default for Hashing {
    fn default() -> Self {
        let builder = DefaultHashBuilder::default();
        Self::keyed([builder.hash_one(0_u64), builder.hash_one(1_u64)])
    }
}

/// The prime number of which the polynomials are taken.
const PRIME: u64 = (1 << 61) - 1;

/// Bytes of a coefficient: so it is less than the prime number, whatever they are.
const COEFFICIENT: usize = 7;

impl Hashing {
    pub(crate) const fn keyed([first, second]: [u64; 2]) -> Self {
        Self {
            // At a small point small texts would be small.
            point: mixed(first ^ mixed(second)) & PRIME | 1 << 60,
            #[cfg(test)]
            mask: u32::MAX,
        }
    }

    /// With hashes of so many bits.
    #[cfg(test)]
    pub(super) const fn cut_to(mut self, bits: u32) -> Self {
        self.mask = u32::MAX >> (32 - bits);
        self
    }

    pub(super) fn pid(&self, pid: &[u8]) -> PidHash {
        PidHash {
            hash: self.text(pid),
            is_new: false,
        }
    }

    #[inline]
    pub(super) fn text(&self, text: &[u8]) -> u32 {
        self.polynomial(text.len() as u64, text)
    }

    /// Of a key in the topic of that hash.
    #[inline]
    pub(super) fn key(&self, topic: u32, key: &[u8]) -> u32 {
        self.polynomial(u64::from(topic) << 24 | key.len() as u64, key)
    }

    /// The polynomial of which `first` is the first coefficient, at the point.
    #[inline]
    fn polynomial(&self, first: u64, text: &[u8]) -> u32 {
        let (mut sum, mut rest) = (first, text);
        while let Some(eight) = rest.first_chunk() {
            let seven = u64::from_le_bytes(*eight) << 8 >> 8;
            sum = self.step(sum, seven);
            rest = &rest[COEFFICIENT..];
        }
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
        let hash = self.step(sum, tail(text, rest)) as u32;
        #[cfg(test)]
        let hash = hash & self.mask;
        hash
    }

    /// One coefficient more. The sum stays below the prime number and 4: it is not reduced
    /// to the end, but the same for the same text.
    #[inline]
    fn step(&self, sum: u64, coefficient: u64) -> u64 {
        let product = u128::from(sum + coefficient) * u128::from(self.point);
        #[expect(clippy::cast_possible_truncation, reason = "both parts have 62 bits")]
        let (low, high) = (product as u64 & PRIME, (product >> 61) as u64);
        let sum = low + high;
        (sum & PRIME) + (sum >> 61)
    }
}

/// A number of which each bit depends on each bit of another one (Steele, Lea, Flood:
/// "Fast splittable pseudorandom number generators", 2014).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

/// The last bytes of a text, fewer than eight, as a number. Without a copy of so many
/// bytes as there happen to be, which would be a call.
#[inline]
fn tail(text: &[u8], rest: &[u8]) -> u64 {
    if rest.is_empty() {
        return 0;
    }
    if let Some(last) = text.last_chunk() {
        return u64::from_le_bytes(*last) >> (64 - 8 * rest.len());
    }
    let at = |n: usize| u64::from(rest[n]) << (8 * n);
    match (rest.first_chunk(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last)) << (8 * (rest.len() - 4));
            u64::from(u32::from_le_bytes(*first)) | last
        }
        // One, two or three: the first, the middle and the last.
        _ => at(0) | at(rest.len() / 2) | at(rest.len() - 1),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use std::collections::HashMap;

    use super::*;

    /// The polynomial as it is written in books, each step reduced to the end.
    fn plain(hashing: &Hashing, first: u64, text: &[u8]) -> u32 {
        let prime = u128::from(PRIME);
        let mut sum = u128::from(first);
        // What is left at the end is a coefficient of its own, empty or not.
        let whole = text.len().saturating_sub(1) / COEFFICIENT * COEFFICIENT;
        let coefficients = text[..whole].chunks(COEFFICIENT).chain([&text[whole..]]);
        for bytes in coefficients {
            let digits = bytes.iter().rev();
            let number = digits.fold(0, |number, byte| number << 8 | u128::from(*byte));
            sum = (sum + number) * u128::from(hashing.point) % prime;
        }
        sum as u32
    }

    #[test]
    fn it_is_the_polynomial_at_the_point() {
        let text: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37) ^ 0xA5).collect();
        for seed in 0..50 {
            let hashing = Hashing::keyed([seed, !seed]);
            for len in 0..text.len() {
                let text = &text[..len];
                let expected = plain(&hashing, len as u64, text);
                assert_eq!(hashing.text(text), expected, "{seed} {len}");
                let expected = plain(&hashing, 7 << 24 | len as u64, text);
                assert_eq!(hashing.key(7, text), expected, "{seed} {len}");
            }
            assert_ne!(hashing.text(b"a"), hashing.text(b"a\0"));
        }
    }

    /// Nothing collides under every key: neither in the low bits, which say where in a
    /// table, nor in the high ones, which are the tag.
    #[test]
    fn numbered_texts_spread_over_all_places() {
        for seed in 0..20 {
            let hashing = Hashing::keyed([seed, 0]);
            let (mut low, mut high) = ([0_u32; 256], [0_u32; 128]);
            for n in 0..25_600 {
                let hash = hashing.text(format!("user-{n}").as_bytes());
                low[(hash & 255) as usize] += 1;
                high[(hash >> 25) as usize] += 1;
            }
            assert!(low.iter().all(|&count| count < 250), "{seed}: {low:?}");
            assert!(high.iter().all(|&count| count < 500), "{seed}: {high:?}");
        }
    }

    #[test]
    fn texts_that_collide_under_one_key_do_not_under_another() {
        let (one, two) = (Hashing::keyed([1, 2]), Hashing::keyed([1, 3]));
        let mut seen = HashMap::<u32, String>::new();
        let (mut collisions, mut again) = (0, 0);
        for n in 0..400_000 {
            // Numbers that follow each other meet less often than chance would have it.
            let text = format!("{:x}", mixed(n));
            if let Some(other) = seen.insert(one.text(text.as_bytes()), text.clone()) {
                collisions += 1;
                again += u32::from(two.text(other.as_bytes()) == two.text(text.as_bytes()));
            }
        }
        assert!(collisions >= 5, "32 bits collide: {collisions}");
        assert_eq!(again, 0);
    }
}
