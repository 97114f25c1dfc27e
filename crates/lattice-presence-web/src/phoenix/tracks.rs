//! The tracks of one channel: the same again is nothing, too many become one.

use core::time::Duration;

use super::Payload;
use super::bucket::TokenBucket;

/// What became of a track.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tracked {
    /// It says what the entry carries already.
    Same,
    /// It is to be done.
    Now,
    /// It waits, and takes the place of what waited.
    Later,
}

#[derive(Debug)]
pub(super) struct Tracks {
    bucket: TokenBucket,
    last: Option<Payload>,
    waiting: Option<(Duration, Payload)>,
}

impl Tracks {
    pub(super) fn new(burst: u32, rate: u32) -> Self {
        Self {
            bucket: TokenBucket::new(burst, rate),
            last: None,
            waiting: None,
        }
    }

    pub(super) fn track(&mut self, now: Duration, payload: &Payload) -> Tracked {
        if self.last.as_ref().is_some_and(|last| same(last, payload)) {
            // What waited would have changed it, and came before this.
            self.waiting = None;
            return Tracked::Same;
        }
        match self.bucket.take(now, 1) {
            Ok(()) => {
                self.waiting = None;
                self.last = Some(payload.clone());
                Tracked::Now
            }
            Err(then) => {
                let due = self.waiting.as_ref().map_or(then, |(due, _)| *due);
                self.waiting = Some((due, payload.clone()));
                Tracked::Later
            }
        }
    }

    pub(super) fn untrack(&mut self) {
        self.waiting = None;
        self.last = None;
    }

    /// The application did not take the track: the same again is another try.
    pub(super) fn refused(&mut self) {
        self.last = None;
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|(due, _)| *due)
    }

    /// What waited until now.
    pub(super) fn advance(&mut self, now: Duration) -> Option<Payload> {
        if self.due()? > now {
            return None;
        }
        let _ = self.bucket.take(now, 1);
        let (_, payload) = self.waiting.take()?;
        self.last = Some(payload.clone());
        Some(payload)
    }
}

/// Whether two payloads are one value. The order of fields does not count.
fn same(a: &Payload, b: &Payload) -> bool {
    let value = |payload: &Payload| payload.parse::<serde_json::Value>().ok();
    a == b || value(a).is_some_and(|a| Some(a) == value(b))
}
