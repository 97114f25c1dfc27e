//! Jitter and the choice of peers, from a seed.

use core::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
/// 2014). It has eight bytes of state, and every seed is good. It spreads load over time
/// and over peers. It is not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number below `bound`, or 0 if `bound` is 0. The bias of the multiplication is
    /// below `bound / 2^64`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// Between 80 % and 120 % of `interval`.
    pub(crate) fn jittered(&mut self, interval: Duration) -> Duration {
        interval * 4 / 5 + self.up_to(interval * 2 / 5)
    }

    /// Between 0 and `bound`, both included.
    pub(crate) fn up_to(&mut self, bound: Duration) -> Duration {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.below(nanos + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_numbers_and_they_spread() {
        let (mut one, mut two) = (Rng::new(7), Rng::new(7));
        let interval = Duration::from_millis(1500);
        let drawn: [Duration; 100] = core::array::from_fn(|_| one.jittered(interval));
        assert_eq!(drawn, core::array::from_fn(|_| two.jittered(interval)));
        let bounds = Duration::from_millis(1200)..=Duration::from_millis(1800);
        assert!(drawn.iter().all(|drawn| bounds.contains(drawn)));
        let early = drawn.iter().filter(|drawn| **drawn < interval).count();
        assert!((30..70).contains(&early), "{early} of 100 below the middle");
        assert_eq!(one.below(0), 0);
    }
}
