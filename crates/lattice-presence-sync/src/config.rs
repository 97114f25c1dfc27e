//! The timers and bounds of a machine.

use alloc::sync::Arc;
use core::time::Duration;

use lattice_presence::Shard;
use thiserror::Error;

/// The most entries that a message may carry, whatever [`Config::max_entries`] says: what
/// a receiver takes in one call (rule R13).
///
/// ```
/// use lattice_presence_sync::{Config, MAX_ENTRIES};
///
/// let mut config = Config::new("chat");
/// config.max_entries = MAX_ENTRIES + 1;
/// assert!(config.check().is_err());
/// ```
pub const MAX_ENTRIES: usize = 4_096;

/// Whose words a machine takes.
///
/// ```
/// use lattice_presence_sync::Trust;
///
/// assert_eq!(Trust::default(), Trust::Owners);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Of each peer only its own (rules R11 and S14). The default: if the transport
    /// knows who is speaking, no peer can harm the entries of another one.
    #[default]
    Owners,
    /// Whatever anybody says of anybody: for clusters in which some nodes reach others
    /// only through third ones. One hostile peer can then make entries of others vanish.
    Relays,
}

/// How a machine behaves: its timers, its bounds, and whom it trusts.
///
/// The defaults suit a cluster of three to some hundred nodes on one network. Change
/// fields before the machine is made; [`Sync::new`](crate::Sync::new) checks them.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_sync::{Config, ConfigError};
///
/// let mut config = Config::new("chat");
/// config.down_after = Duration::from_secs(2); // below two heartbeats of 1.5 s
/// assert!(matches!(config.check(), Err(ConfigError::DownTooSoon { .. })));
/// config.heartbeat = Duration::from_secs(1);
/// assert_eq!(config.check(), Ok(()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The name of the cluster. Messages of another one are refused aloud.
    pub cluster: Arc<str>,
    /// The shard that the machine holds; [`Shard::WHOLE`] for now.
    pub shard: Shard,
    /// Whose words are taken.
    pub trust: Trust,
    /// How often a node says that it lives, ±20 %. 1.5 s: three may be lost before
    /// [`down_after`](Self::down_after), and each costs 170 bytes a peer.
    pub heartbeat: Duration,
    /// How often a node compares what it knows of everybody with one random peer, under
    /// [`Trust::Relays`]. 5 s.
    pub compare: Duration,
    /// How long something may be missing before it is asked for: longer than messages
    /// overtake each other. 500 ms.
    pub repair_delay: Duration,
    /// How long an answer may take before the question counts as lost. 1 s.
    pub answer_timeout: Duration,
    /// Silent for so long is down. At least two heartbeats. 10 s.
    pub down_after: Duration,
    /// The same after the transport believed that a peer is lost
    /// ([`Hint::Lost`](crate::Hint::Lost)). 1 s.
    pub hint_grace: Duration,
    /// How long the peers stay visible, marked stale, if nobody at all is heard any
    /// more: then the fault is more likely on this side. 30 s.
    pub isolation_grace: Duration,
    /// How long a peer is down before its memory is freed. Above
    /// [`down_after`](Self::down_after). 20 min.
    pub forget_after: Duration,
    /// How long the entries of a node stay visible after it said goodbye, or after its
    /// successor was heard: who reconnects elsewhere within it never departs. 0 hides
    /// them at once. 5 s.
    pub handover: Duration,
    /// How long a fresh node that hears nobody considers itself unsettled. 5 s.
    pub settle_after: Duration,
    /// How long a peer is left alone that sends nothing but what is refused, or answers
    /// without end and without content. 30 s.
    pub patience: Duration,
    /// The most entries in one message. At most [`MAX_ENTRIES`]. 1,000.
    pub max_entries: usize,
    /// The most replicas that are known at once, those that are down included. Who comes
    /// on top is refused. 4,096.
    pub max_peers: usize,
    /// The most questions in flight, each to another peer. 8.
    pub max_questions: usize,
}

impl Config {
    /// The defaults, for the cluster of that name.
    ///
    /// ```
    /// let config = lattice_presence_sync::Config::new("chat");
    /// assert_eq!((&*config.cluster, config.max_entries), ("chat", 1_000));
    /// ```
    #[must_use]
    pub fn new(cluster: impl Into<Arc<str>>) -> Self {
        Self {
            cluster: cluster.into(),
            shard: Shard::WHOLE,
            trust: Trust::Owners,
            heartbeat: Duration::from_millis(1_500),
            compare: Duration::from_secs(5),
            repair_delay: Duration::from_millis(500),
            answer_timeout: Duration::from_secs(1),
            down_after: Duration::from_secs(10),
            hint_grace: Duration::from_secs(1),
            isolation_grace: Duration::from_secs(30),
            forget_after: Duration::from_secs(20 * 60),
            handover: Duration::from_secs(5),
            settle_after: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            max_entries: 1_000,
            max_peers: 4_096,
            max_questions: 8,
        }
    }

    /// Whether a machine can run like this. O(1).
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    ///
    /// ```
    /// use lattice_presence_sync::{Config, ConfigError};
    ///
    /// let mut config = Config::new("chat");
    /// config.max_entries = 0;
    /// assert_eq!(config.check(), Err(ConfigError::MaxEntries { given: 0 }));
    /// ```
    pub fn check(&self) -> Result<(), ConfigError> {
        let timers = [
            ("heartbeat", self.heartbeat),
            ("compare", self.compare),
            ("repair_delay", self.repair_delay),
            ("answer_timeout", self.answer_timeout),
            ("patience", self.patience),
        ];
        if let Some((timer, _)) = timers.into_iter().find(|(_, length)| length.is_zero()) {
            return Err(ConfigError::Zero { timer });
        }
        if self.down_after < self.heartbeat.saturating_mul(2) {
            let (down_after, heartbeat) = (self.down_after, self.heartbeat);
            return Err(ConfigError::DownTooSoon {
                down_after,
                heartbeat,
            });
        }
        if self.forget_after <= self.down_after {
            let (forget_after, down_after) = (self.forget_after, self.down_after);
            return Err(ConfigError::ForgottenTooSoon {
                forget_after,
                down_after,
            });
        }
        let others = [
            self.down_after,
            self.hint_grace,
            self.isolation_grace,
            self.forget_after,
            self.handover,
            self.settle_after,
        ];
        let mut all = timers.into_iter().map(|(_, length)| length).chain(others);
        if all.any(|length| length > LONGEST) {
            return Err(ConfigError::TooLong);
        }
        if !(1..=MAX_ENTRIES).contains(&self.max_entries) {
            let given = self.max_entries;
            return Err(ConfigError::MaxEntries { given });
        }
        if self.max_peers == 0 || self.max_questions == 0 {
            return Err(ConfigError::NoPeers);
        }
        if self.shard.index >= self.shard.count {
            return Err(ConfigError::Shard { shard: self.shard });
        }
        Ok(())
    }
}

/// Ten years: sums of times stay far from the end of a [`Duration`].
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Why a [`Config`] was refused.
///
/// ```
/// let mut config = lattice_presence_sync::Config::new("chat");
/// config.forget_after = config.down_after;
/// assert!(config.check().unwrap_err().to_string().contains("forget_after"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A timer of no length would fire without end.
    #[error("the timer `{timer}` has no length")]
    Zero {
        /// Its name.
        timer: &'static str,
    },
    /// One lost heartbeat would take a peer down.
    #[error("down_after ({down_after:?}) is less than two heartbeats of {heartbeat:?}")]
    DownTooSoon {
        /// What was given.
        down_after: Duration,
        /// The heartbeat beside it.
        heartbeat: Duration,
    },
    /// A peer would be forgotten before it is down.
    #[error("forget_after ({forget_after:?}) is not above down_after ({down_after:?})")]
    ForgottenTooSoon {
        /// What was given.
        forget_after: Duration,
        /// What it must be above.
        down_after: Duration,
    },
    /// A timer is longer than ten years.
    #[error("a timer is longer than ten years")]
    TooLong,
    /// A message must carry something, and no more than a peer takes.
    #[error("max_entries is {given}: it must lie between 1 and {MAX_ENTRIES}")]
    MaxEntries {
        /// What was given.
        given: usize,
    },
    /// Nobody could be heard, or asked.
    #[error("max_peers and max_questions must be above 0")]
    NoPeers,
    /// There is no such shard.
    #[error("there is no shard {} of {}", shard.index, shard.count)]
    Shard {
        /// What was given.
        shard: Shard,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_of_the_configuration_is_checked() {
        type Change = fn(&mut Config);
        let broken: [(Change, &str); 15] = [
            (|c| c.heartbeat = Duration::ZERO, "heartbeat"),
            (|c| c.repair_delay = Duration::ZERO, "repair_delay"),
            (
                |c| c.down_after = c.heartbeat * 2 - Duration::from_nanos(1),
                "two heartbeats",
            ),
            (|c| c.forget_after = c.down_after, "forget_after"),
            (|c| c.forget_after = Duration::MAX, "ten years"),
            (|c| c.compare = Duration::MAX, "ten years"),
            (|c| c.repair_delay = Duration::MAX, "ten years"),
            (|c| c.answer_timeout = Duration::MAX, "ten years"),
            (|c| c.hint_grace = Duration::MAX, "ten years"),
            (|c| c.handover = Duration::MAX, "ten years"),
            (|c| c.settle_after = Duration::MAX, "ten years"),
            (|c| c.max_entries = MAX_ENTRIES + 1, "max_entries"),
            (|c| c.max_peers = 0, "max_peers"),
            (|c| c.max_questions = 0, "max_questions"),
            (|c| c.shard.index = 1, "shard 1 of 1"),
        ];
        assert_eq!(Config::new("").check(), Ok(()));
        for (break_it, named) in broken {
            let mut config = Config::new("c");
            break_it(&mut config);
            let error = alloc::string::ToString::to_string(&config.check().unwrap_err());
            assert!(error.contains(named), "{error}");
        }
        let mut config = Config::new("c");
        config.handover = Duration::ZERO;
        config.isolation_grace = Duration::ZERO;
        assert_eq!(config.check(), Ok(()));
    }
}
