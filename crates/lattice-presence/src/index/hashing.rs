//! The hashes of topics, keys and pids.

use core::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The one place that hashes: clients choose topics, keys and pids, so it is keyed, per
/// state. Whoever does not know the key cannot build texts that collide, in a table that
/// then takes time in their square. Nothing that can be observed depends on it.
///
/// The hash is `SipHash`-1-3 (Aumasson, Bernstein: "`SipHash`: a fast short-input PRF", 2012),
/// as in the maps of the standard library.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    key: [u64; 2],
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

impl Hashing {
    pub(crate) const fn keyed(key: [u64; 2]) -> Self {
        Self {
            key,
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

    #[inline]
    const fn cut(&self, hash: u32) -> u32 {
        #[cfg(test)]
        let hash = hash & self.mask;
        hash
    }

    pub(super) fn pid(&self, pid: &[u8]) -> PidHash {
        PidHash {
            hash: self.text(pid),
            is_new: false,
        }
    }

    #[inline]
    pub(super) fn text(&self, text: &[u8]) -> u32 {
        self.cut(folded(Sip::new(self.key).finish(text)))
    }

    /// What is compared before a text is, if few texts are looked at one by one. It is in no
    /// table, so it is cheap: a multiplication a word, folded, with the key in both factors.
    /// Texts that collide cost a look at each other.
    #[inline]
    pub(super) fn hint(&self, text: &[u8]) -> u32 {
        let (words, rest) = text.as_chunks::<8>();
        let [first, second] = self.key;
        let step = |hint: u64, word: u64| {
            let product = u128::from(hint ^ word) * u128::from(second | 1);
            #[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
            let folded = (product ^ product >> 64) as u64;
            folded
        };
        let mut hint = first ^ text.len() as u64;
        for word in words {
            hint = step(hint, u64::from_le_bytes(*word));
        }
        self.cut(folded(step(hint, tail(text, rest))))
    }

    /// Of a key in the topic of that hash.
    #[inline]
    pub(super) fn key(&self, topic: u32, key: &[u8]) -> u32 {
        let mut sip = Sip::new(self.key);
        sip.word(u64::from(topic));
        self.cut(folded(sip.finish(key)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
fn folded(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

/// The state of the hash, between two words.
struct Sip {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

impl Sip {
    const fn new([first, second]: [u64; 2]) -> Self {
        Self {
            a: first ^ 0x736f_6d65_7073_6575,
            b: second ^ 0x646f_7261_6e64_6f6d,
            c: first ^ 0x6c79_6765_6e65_7261,
            d: second ^ 0x7465_6462_7974_6573,
        }
    }

    #[inline]
    const fn round(&mut self) {
        self.a = self.a.wrapping_add(self.b);
        self.c = self.c.wrapping_add(self.d);
        self.b = self.b.rotate_left(13) ^ self.a;
        self.d = self.d.rotate_left(16) ^ self.c;
        self.a = self.a.rotate_left(32);
        self.c = self.c.wrapping_add(self.b);
        self.a = self.a.wrapping_add(self.d);
        self.b = self.b.rotate_left(17) ^ self.c;
        self.d = self.d.rotate_left(21) ^ self.a;
        self.c = self.c.rotate_left(32);
    }

    #[inline]
    const fn word(&mut self, word: u64) {
        self.d ^= word;
        self.round();
        self.a ^= word;
    }

    #[inline]
    fn finish(mut self, text: &[u8]) -> u64 {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        self.word(tail(text, rest) | (text.len() as u64) << 56);
        self.c ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        self.a ^ self.b ^ self.c ^ self.d
    }
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
    use core::hash::Hasher;
    use std::collections::HashMap;
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn it_is_the_hash_of_the_standard_library() {
        let text: Vec<u8> = (0..100).collect();
        for len in 0..text.len() {
            let mut hasher = DefaultHasher::new();
            hasher.write(&text[..len]);
            assert_eq!(
                Sip::new([0, 0]).finish(&text[..len]),
                hasher.finish(),
                "{len}"
            );
        }
    }

    #[test]
    fn texts_that_collide_under_one_key_do_not_under_another() {
        let (one, two) = (Hashing::keyed([1, 2]), Hashing::keyed([1, 3]));
        let mut seen = HashMap::<u32, String>::new();
        let (mut collisions, mut again) = (0, 0);
        for n in 0..400_000 {
            let text = format!("user-{n}");
            if let Some(other) = seen.insert(one.text(text.as_bytes()), text.clone()) {
                collisions += 1;
                again += u32::from(two.text(other.as_bytes()) == two.text(text.as_bytes()));
            }
        }
        assert!(collisions >= 5, "32 bits collide: {collisions}");
        assert_eq!(again, 0);
    }
}
