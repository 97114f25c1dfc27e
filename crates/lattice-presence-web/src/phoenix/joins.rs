//! How often a socket may join: each join may cost a whole `presence_state`.

use core::time::Duration;
use std::collections::HashMap;

use super::Limits;
use super::bucket::TokenBucket;

/// How long diffs of a channel that has ended may be on their way.
const ON_THEIR_WAY: Duration = Duration::from_secs(10);
/// All topics of a socket together may be joined this many times as often as one.
const ALL: u32 = 10;

#[derive(Clone, Debug)]
struct Recent {
    bucket: TokenBucket,
    ended: Option<Duration>,
}

impl Recent {
    fn has_ended(&self, now: Duration) -> bool {
        self.ended.is_some_and(|at| now < at + ON_THEIR_WAY)
    }
}

/// # Invariants
///
/// Buckets are kept only for topics that were joined, or left, not long ago: their number
/// follows the rate of all joins, not the number of topics that a client can name.
#[derive(Debug)]
pub(super) struct Joins {
    all: TokenBucket,
    one: TokenBucket,
    by_topic: HashMap<Box<str>, Recent>,
    most: usize,
}

impl Joins {
    pub(super) fn new(limits: &Limits) -> Self {
        let topics = u32::try_from(limits.topics).unwrap_or(u32::MAX);
        Self {
            all: TokenBucket::new(
                topics.saturating_add(limits.join_burst),
                limits.join_rate.saturating_mul(ALL),
            ),
            one: TokenBucket::new(limits.join_burst, limits.join_rate),
            by_topic: HashMap::new(),
            most: 2 * limits.topics,
        }
    }

    /// Whether the topic may be joined now. O(1), amortized.
    pub(super) fn allow(&mut self, now: Duration, topic: &str) -> bool {
        if self.all.take(now, 1).is_err() {
            return false;
        }
        if self.by_topic.len() >= self.most {
            self.by_topic
                .retain(|_, recent| !recent.bucket.is_full(now) || recent.has_ended(now));
        }
        self.recent(topic).bucket.take(now, 1).is_ok()
    }

    fn recent(&mut self, topic: &str) -> &mut Recent {
        let recent = || Recent {
            bucket: self.one.clone(),
            ended: None,
        };
        self.by_topic.entry(topic.into()).or_insert_with(recent)
    }

    /// A channel that was joined has ended.
    pub(super) fn ended(&mut self, now: Duration, topic: &str) {
        self.recent(topic).ended = Some(now);
    }

    /// Whether diffs of a channel that has ended may still reach the client, which would
    /// apply them after the state of the next one.
    pub(super) fn has_ended(&self, now: Duration, topic: &str) -> bool {
        let recent = self.by_topic.get(topic);
        recent.is_some_and(|recent| recent.has_ended(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_topics_follows_the_rate_and_not_their_number() {
        let limits = Limits::default();
        let mut joins = Joins::new(&limits);
        let mut now = Duration::ZERO;
        let mut allowed = 0;
        for n in 0..20_000 {
            now += Duration::from_millis(10);
            if joins.allow(now, &n.to_string()) {
                allowed += 1;
                joins.ended(now, &n.to_string());
            }
        }
        assert!((2000..2200).contains(&allowed), "{allowed}");
        assert!(joins.by_topic.len() <= 3 * limits.topics);
    }
}
