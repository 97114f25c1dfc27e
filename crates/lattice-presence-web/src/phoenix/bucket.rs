//! A token bucket. Time is an argument.

use core::time::Duration;

/// `burst` at once, then `rate` a second.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    burst: u32,
    /// Between two tokens.
    every: Duration,
    /// When the bucket was, or will be, full.
    full_at: Duration,
}

impl TokenBucket {
    pub(crate) fn new(burst: u32, rate: u32) -> Self {
        Self {
            burst: burst.max(1),
            every: Duration::from_secs(1) / rate.max(1),
            full_at: Duration::ZERO,
        }
    }

    /// Takes so many tokens, if they are there; otherwise the time when they will be.
    /// More than `burst` never are.
    pub(crate) fn take(&mut self, now: Duration, tokens: u32) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.every * tokens;
        let room = now + self.every * self.burst;
        if full_at > room {
            return Err(now + (full_at - room));
        }
        self.full_at = full_at;
        Ok(())
    }

    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = TokenBucket::new(3, 10);
        let now = Duration::from_secs(5);
        for _ in 0..3 {
            assert_eq!(bucket.take(now, 1), Ok(()));
        }
        let next = bucket.take(now, 1).unwrap_err();
        assert_eq!(next, now + Duration::from_millis(100));
        assert_eq!(bucket.take(next, 1), Ok(()));
        assert!(bucket.take(next, 1).is_err());
        let later = now + Duration::from_secs(60);
        assert_eq!((0..9).filter(|_| bucket.take(later, 1).is_ok()).count(), 3);
    }
}
