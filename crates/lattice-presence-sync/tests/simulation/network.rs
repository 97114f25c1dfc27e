//! The network: latency, loss, duplication, reordering, and links that are cut.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rng::Rng;

/// How messages travel.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The share of messages that vanish.
    pub(crate) loss: f64,
    /// The share of messages that arrive twice.
    pub(crate) duplication: f64,
    /// The share of messages that are held up and overtaken.
    pub(crate) reordering: f64,
    /// The least latency, and the mean of what comes on top.
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Directed links that are cut, by the places of the hosts.
    cut: BTreeSet<(usize, usize)>,
    /// No message arrives at all: the broker is gone.
    pub(crate) is_dark: bool,
    pub(crate) met: Met,
}

/// Faults that messages met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) held_up: u64,
    pub(crate) cut: u64,
}

impl Network {
    pub(crate) fn new(loss: f64) -> Self {
        Self {
            loss,
            duplication: loss / 5.0,
            reordering: loss / 5.0,
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(4),
            cut: BTreeSet::new(),
            is_dark: false,
            met: Met::default(),
        }
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.is_dark = false;
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.is_dark || self.cut.contains(&(from, to))
    }

    /// The times at which the copies of a message arrive. If it is lost, there are none.
    pub(crate) fn carry(
        &mut self,
        from: usize,
        to: usize,
        now: Duration,
        rng: &mut Rng,
    ) -> Vec<Duration> {
        if self.is_cut(from, to) {
            self.met.cut += 1;
            return Vec::new();
        }
        if rng.chance(self.loss) {
            self.met.lost += 1;
            return Vec::new();
        }
        let mut arrivals = vec![now + self.delay(rng)];
        if rng.chance(self.duplication) {
            self.met.doubled += 1;
            arrivals.push(now + self.delay(rng) * 3);
        }
        arrivals
    }

    fn delay(&mut self, rng: &mut Rng) -> Duration {
        let mut delay = self.latency + rng.pause(self.jitter).min(self.jitter * 10);
        if rng.chance(self.reordering) {
            self.met.held_up += 1;
            delay += rng.between(Duration::from_millis(20), Duration::from_millis(300));
        }
        delay
    }
}
