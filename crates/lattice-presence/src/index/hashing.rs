//! The hashes of topics, keys and pids.

use core::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The one place that hashes: clients choose topics, keys and pids, so it is keyed, per
/// state. Texts that were chosen without the key collide about as rarely as random ones, so
/// no table takes time in their square.
///
/// A text is a polynomial: seven bytes a coefficient, the first coefficient 1, and in the
/// last one how many bytes are in it. So different texts are different polynomials. Its
/// value is taken at a secret point of the field of 2^61 - 1 numbers, moved by a secret
/// number, and mixed to 32 bits. Two polynomials meet at no more points than they have
/// coefficients, so two texts of n bytes have the same hash with a probability of at most
/// (n / 7 + 2) / 2^28 (as in Dietzfelbinger, Gil, Matias, Pippenger: "Polynomial hash
/// functions are reliable", 1992). That is a statement about texts chosen in advance. Who
/// finds a collision by the time that calls take has one: the mixture sees to it that this
/// leads to no second one.
///
/// Two hashes are made one in the same way, at a point of their own.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    /// Where the polynomials of texts are asked.
    point: u64,
    /// Where those of pairs are asked.
    point_of_pairs: u64,
    /// What values are moved by.
    shift: u64,
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
        let point = mixed(first ^ mixed(second));
        let point_of_pairs = mixed(point ^ first);
        Self {
            // At a small point small texts would have small values.
            point: point & PRIME | 1 << 60,
            point_of_pairs: point_of_pairs & PRIME | 1 << 60,
            shift: mixed(point_of_pairs ^ second),
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
        let mut value = self.point;
        coefficients(text, |coefficient| {
            value = step(value, coefficient, self.point);
        });
        self.mix(value)
    }

    /// Of a key in the topic of that hash.
    #[inline]
    pub(super) fn key(&self, topic: u32, key: &[u8]) -> u32 {
        self.pair(topic, self.text(key))
    }

    /// Of a slot: its pid, and the hash of its key in its topic.
    #[inline]
    pub(super) fn slot(&self, pid: PidHash, key: u32) -> u32 {
        self.pair(key, pid.hash)
    }

    #[inline]
    fn pair(&self, first: u32, second: u32) -> u32 {
        let value = step(0, u64::from(first), self.point_of_pairs);
        self.mix(step(value, u64::from(second), self.point_of_pairs))
    }

    #[inline]
    fn mix(&self, value: u64) -> u32 {
        let moved = value.wrapping_add(self.shift);
        let hash = ((moved ^ moved >> 32).wrapping_mul(0x94D0_49BB_1331_11EB) >> 32) as u32;
        #[cfg(test)]
        let hash = hash & self.mask;
        hash
    }
}

/// Passes the coefficients of a text on, all but the first one, which is 1.
#[inline]
fn coefficients(text: &[u8], mut coefficient: impl FnMut(u64)) {
    let mut rest = text;
    while let Some(eight) = rest.first_chunk() {
        coefficient(u64::from_le_bytes(*eight) << 8 >> 8);
        rest = &rest[COEFFICIENT..];
    }
    coefficient(tail(text, rest) | (rest.len() as u64) << (8 * COEFFICIENT));
}

/// One coefficient more. The value stays below the prime number and 4: it is not reduced
/// to the end, but the same for the same text.
#[inline]
fn step(value: u64, coefficient: u64, point: u64) -> u64 {
    let product = u128::from(value + coefficient) * u128::from(point);
    #[expect(clippy::cast_possible_truncation, reason = "it has 61 bits, and 62")]
    let (low, high) = (product as u64 & PRIME, (product >> 61) as u64);
    let sum = low + high;
    (sum & PRIME) + (sum >> 61)
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
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// The polynomial as it is written in books, each step reduced to the end.
    fn plain(text: &[u8], point: u64) -> u128 {
        let (prime, point) = (u128::from(PRIME), u128::from(point));
        // What is left at the end is a coefficient of its own, empty or not.
        let whole = text.len().saturating_sub(1) / COEFFICIENT * COEFFICIENT;
        let (whole, rest) = text.split_at(whole);
        let number = |bytes: &[u8]| {
            let digits = bytes.iter().rev();
            digits.fold(0, |number, byte| number << 8 | u128::from(*byte))
        };
        let last = number(rest) + ((rest.len() as u128) << 56);
        let coefficients = [1].into_iter();
        let coefficients = coefficients.chain(whole.chunks(COEFFICIENT).map(number));
        let coefficients = coefficients.chain([last]);
        coefficients.fold(0, |value, coefficient| {
            (value + coefficient) * point % prime
        })
    }

    #[test]
    fn it_is_the_polynomial_at_the_point() {
        let text: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37) ^ 0xA5).collect();
        for seed in 0..50 {
            let hashing = Hashing::keyed([seed, !seed]);
            for len in 0..text.len() {
                let expected = plain(&text[..len], hashing.point) as u64;
                assert_eq!(hashing.text(&text[..len]), hashing.mix(expected), "{len}");
            }
            // The largest sums that there can be.
            let text = [0xFF; 64];
            let expected = plain(&text, hashing.point) as u64;
            assert_eq!(hashing.text(&text), hashing.mix(expected));
        }
    }

    /// Regression: the length was in one coefficient with the first bytes, so that texts
    /// with zeros at their ends collided under every key.
    #[test]
    fn different_texts_have_different_coefficients() {
        let mut seen = HashMap::<Vec<u64>, Vec<u8>>::new();
        let mut note = |text: Vec<u8>| {
            let mut all = Vec::new();
            coefficients(&text, |coefficient| all.push(coefficient));
            assert!(all.iter().all(|&coefficient| coefficient < 1 << 60));
            let other = seen.insert(all, text.clone());
            assert!(other.is_none_or(|other| other == text), "{text:?}");
        };
        for len in 0..=5 {
            for mut n in 0..5_usize.pow(len) {
                let byte = |_| {
                    let byte = [0, 1, 2, 0x61, 0xFF][n % 5];
                    n /= 5;
                    byte
                };
                let short: Vec<u8> = (0..len).map(byte).collect();
                for zeros in [0, 1, 2, 7, 8, 14] {
                    let zeros = [0].repeat(zeros);
                    note([&short[..], &zeros].concat());
                    note([&zeros, &short[..]].concat());
                }
            }
        }
        let hashing = Hashing::keyed([7, 7]);
        assert_ne!(hashing.text(b"b"), hashing.text(b"a\0"));
        assert_ne!(hashing.text(b"user-1234"), hashing.text(b"tser-1234\0"));
        assert_ne!(hashing.text(b"a"), hashing.text(b"\0\0\0\0\0\0\0a"));
    }

    /// How many of the hashes were there before.
    fn repeated(hashes: impl Iterator<Item = u32>) -> usize {
        let hashes: Vec<u32> = hashes.collect();
        let distinct: HashSet<u32> = hashes.iter().copied().collect();
        hashes.len() - distinct.len()
    }

    #[test]
    fn one_collision_leads_to_no_other() {
        let text = |number: u64| number.to_le_bytes();
        let mut found = 0;
        for seed in 0..20 {
            let hashing = Hashing::keyed([seed, 5]);
            let hash = |number: u64| hashing.text(&text(number)[..COEFFICIENT]);
            let mut seen = HashMap::<u32, u64>::new();
            for n in 0..200_000 {
                let number = mixed(n) >> 8;
                let Some(other) = seen.insert(hash(number), number) else {
                    continue;
                };
                found += 1;
                // The numbers that are as far from each other as these two are.
                let apart = number.abs_diff(other);
                let line = (0..2000).map(|n| hash(number.wrapping_add(apart.wrapping_mul(n))));
                assert!(repeated(line) <= 2, "{seed}");
            }
        }
        assert!(found > 20, "{found} collisions were there to start from");
    }

    #[test]
    fn pairs_of_equal_texts_collide_by_chance_alone() {
        for seed in 0..10 {
            let hashing = Hashing::keyed([seed, 9]);
            let names = || (0..20_000).map(|n| format!("{n}"));
            let slots = names().map(|name| {
                let pid = hashing.pid(name.as_bytes());
                hashing.slot(pid, hashing.key(3, name.as_bytes()))
            });
            assert!(repeated(slots) <= 4, "{seed}");
            let keys = names().map(|name| {
                let topic = hashing.text(name.as_bytes());
                hashing.key(topic, name.as_bytes())
            });
            assert!(repeated(keys) <= 4, "{seed}");
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
