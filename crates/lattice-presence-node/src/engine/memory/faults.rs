//! Faults of messages, from a seed.

use core::time::Duration;

use alloc::vec::Vec;

/// What goes wrong with messages in a [`Memory`](super::Memory).
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_node::engine::Faults;
///
/// let bad = Faults::none()
///     .with_loss(0.1)
///     .with_duplicates(0.05)
///     .with_reordering(0.2)
///     .with_delay(Duration::from_millis(20), Duration::from_millis(80));
/// assert_ne!(bad, Faults::none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    loss: f64,
    duplicates: f64,
    reordering: f64,
    delay: (Duration, Duration),
}

impl Faults {
    /// Nothing goes wrong.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Faults, Memory};
    ///
    /// Memory::new().set_faults(Faults::none());
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self {
            loss: 0.0,
            duplicates: 0.0,
            reordering: 0.0,
            delay: (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Loses that share of the messages, from 0 to 1.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Faults::none().with_loss(0.1);
    /// ```
    #[must_use]
    pub const fn with_loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Delivers that share of the messages twice.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Faults::none().with_duplicates(0.1);
    /// ```
    #[must_use]
    pub const fn with_duplicates(mut self, share: f64) -> Self {
        self.duplicates = share;
        self
    }

    /// Delays that share of the messages by up to 20 ms, so that others overtake them.
    ///
    /// ```
    /// let _ = lattice_presence_node::engine::Faults::none().with_reordering(0.1);
    /// ```
    #[must_use]
    pub const fn with_reordering(mut self, share: f64) -> Self {
        self.reordering = share;
        self
    }

    /// Delays each message by a time between these two.
    ///
    /// ```
    /// use core::time::Duration;
    ///
    /// let (least, most) = (Duration::from_millis(5), Duration::from_millis(50));
    /// let _ = lattice_presence_node::engine::Faults::none().with_delay(least, most);
    /// ```
    #[must_use]
    pub const fn with_delay(mut self, least: Duration, most: Duration) -> Self {
        self.delay = (least, most);
        self
    }

    /// The times at which the copies of one message arrive. If it is lost, there are none.
    pub(super) fn draw(&self, rng: &mut Rng) -> Vec<Duration> {
        if *self == Self::none() {
            return alloc::vec![Duration::ZERO];
        }
        if rng.chance(self.loss) {
            return Vec::new();
        }
        let copies = if rng.chance(self.duplicates) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(rng)).collect()
    }

    fn delay(&self, rng: &mut Rng) -> Duration {
        let (least, most) = self.delay;
        let mut delay = least + most.saturating_sub(least).mul_f64(rng.unit());
        if rng.chance(self.reordering) {
            delay += Duration::from_millis(20).mul_f64(rng.unit());
        }
        delay
    }
}

/// `SplitMix64`. It gives the same numbers for the same seed, and this is all that is
/// needed.
#[derive(Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to 1, without 1.
    fn unit(&mut self) -> f64 {
        // 32 bits are exact in a double.
        let bits = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_a_seed_repeats_itself() {
        let faults = Faults::none().with_loss(0.1).with_duplicates(0.2);
        let counts = |seed| {
            let mut rng = Rng::new(seed);
            let mut draws = [0_u32; 3];
            for _ in 0..10_000 {
                draws[faults.draw(&mut rng).len()] += 1;
            }
            draws
        };
        let [lost, _, twice] = counts(1);
        assert!((900..1_100).contains(&lost), "{lost} of 10,000 lost");
        assert!((1_600..2_000).contains(&twice), "{twice} of 9,000 twice");
        assert_eq!(counts(1), counts(1));
        assert_ne!(counts(1), counts(2));
    }

    #[test]
    fn delays_stay_within_their_bounds() {
        let (least, most) = (Duration::from_millis(20), Duration::from_millis(80));
        let faults = Faults::none().with_delay(least, most);
        let mut rng = Rng::new(3);
        for _ in 0..1_000 {
            let delay = faults.draw(&mut rng)[0];
            assert!((least..most).contains(&delay), "{delay:?}");
        }
    }
}
