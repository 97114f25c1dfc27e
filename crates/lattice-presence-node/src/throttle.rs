//! A bounded rate of log lines.

use core::time::Duration;

use tokio::time::Instant;

/// Lets one line pass each second, and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

const EVERY: Duration = Duration::from_secs(1);

impl Throttle {
    /// If this line may pass, the number of lines that did not pass since the last one.
    pub(crate) fn pass(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now < last + EVERY) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(core::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_one_line_a_second() {
        let mut throttle = Throttle::default();
        let passed = (0..1_000).filter_map(|_| throttle.pass()).count();
        assert_eq!(passed, 1);
        tokio::time::advance(EVERY).await;
        assert_eq!(throttle.pass(), Some(999));
    }
}
