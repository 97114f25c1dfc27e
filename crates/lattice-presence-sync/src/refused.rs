//! What a machine refuses (rule R11).

use core::fmt;

use lattice_presence::{MergeError, Refusal, ReplicaId};
use thiserror::Error;

/// Why a message was refused. Nothing of it entered the state.
///
/// ```
/// use lattice_presence_sync::Refused;
///
/// assert_eq!(Refused::Muted.kind(), "muted");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The message names another sender than the transport does.
    #[error("the message names `{named}` as its sender, the transport another one")]
    Impostor {
        /// The sender that the message names.
        named: ReplicaId,
    },
    /// The sender belongs to another cluster, reads another version, or has another
    /// number of shards. It is told so, at a bounded rate.
    #[error("not one of ours: {0}")]
    Stranger(Refusal),
    /// Somebody else uses the name of this node.
    #[error("somebody else writes under the name of this node")]
    SameName,
    /// The merge was refused. The message spoke of others under
    /// [`Trust::Owners`](crate::Trust), or claimed own dots of this node that it never
    /// issued, or had one dot with two entries.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// An answer to a question that was not asked, or whose time is over.
    #[error("an answer that nobody waits for")]
    Unasked,
    /// More entries, claims, replicas or parts than one call accepts (rule R13).
    #[error("{what} beyond the bound of one message")]
    TooLarge {
        /// The kind of thing that is too many.
        what: &'static str,
    },
    /// A number that no honest sender writes.
    #[error("a number outside its range")]
    BadNumber,
    /// No more replicas can be known, because of
    /// [`Config::max_peers`](crate::Config::max_peers).
    #[error("too many replicas")]
    TooManyPeers,
    /// The sender said goodbye a short while ago. This is an old message that came late.
    #[error("it said goodbye")]
    Late,
    /// The sender has a newer incarnation, which was heard.
    #[error("superseded by `{by}`")]
    Superseded {
        /// The newer incarnation.
        by: ReplicaId,
    },
    /// The sender sent only messages that were refused. So it gets no answers for a
    /// while.
    #[error("not answered for a while")]
    Muted,
    /// A kind of message that this release does not know.
    #[error("an unknown kind of message")]
    UnknownKind,
}

/// The kinds of [`Refused`], in the order of [`Refused::index`].
const KINDS: [&str; 12] = [
    "impostor",
    "stranger",
    "same_name",
    "merge",
    "unasked",
    "too_large",
    "bad_number",
    "too_many_peers",
    "late",
    "superseded",
    "muted",
    "unknown_kind",
];

impl Refused {
    /// The name of the kind, for logs and counters.
    ///
    /// ```
    /// use lattice_presence_sync::Refused;
    ///
    /// assert_eq!(Refused::TooLarge { what: "entries" }.kind(), "too_large");
    /// ```
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        KINDS[self.index()]
    }

    const fn index(&self) -> usize {
        match self {
            Self::Impostor { .. } => 0,
            Self::Stranger(_) => 1,
            Self::SameName => 2,
            Self::Merge(_) => 3,
            Self::Unasked => 4,
            Self::TooLarge { .. } => 5,
            Self::BadNumber => 6,
            Self::TooManyPeers => 7,
            Self::Late => 8,
            Self::Superseded { .. } => 9,
            Self::Muted => 10,
            Self::UnknownKind => 11,
        }
    }

    /// Whether an honest sender may cause it, by a delay or by a restart.
    pub(crate) const fn is_innocent(&self) -> bool {
        matches!(
            self,
            Self::Unasked | Self::Late | Self::Superseded { .. } | Self::Muted | Self::Stranger(_)
        )
    }
}

/// How often something was refused, by kind.
///
/// ```
/// use lattice_presence_sync::RefusedCounts;
///
/// assert_eq!((RefusedCounts::default().total(), RefusedCounts::default().of("late")), (0, 0));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RefusedCounts {
    counts: [u64; KINDS.len()],
}

impl RefusedCounts {
    pub(crate) const fn count(&mut self, refused: &Refused) {
        let at = refused.index();
        self.counts[at] = self.counts[at].saturating_add(1);
    }

    /// The sum over all kinds.
    ///
    /// ```
    /// assert_eq!(lattice_presence_sync::RefusedCounts::default().total(), 0);
    /// ```
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The count of one [kind](Refused::kind). 0 if there is no such kind.
    ///
    /// ```
    /// assert_eq!(lattice_presence_sync::RefusedCounts::default().of("merge"), 0);
    /// ```
    #[must_use]
    pub fn of(&self, kind: &str) -> u64 {
        self.iter()
            .find(|(name, _)| *name == kind)
            .map_or(0, |(_, count)| count)
    }

    /// Every kind with its count.
    ///
    /// ```
    /// let counts = lattice_presence_sync::RefusedCounts::default();
    /// assert!(counts.iter().any(|(kind, count)| kind == "unasked" && count == 0));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, u64)> + '_ {
        KINDS.iter().copied().zip(self.counts.iter().copied())
    }
}

/// Only the kinds with a count above 0.
impl fmt::Debug for RefusedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().filter(|(_, count)| *count > 0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_under_its_own_name() {
        let refusals = [
            Refused::Impostor { named: "a".into() },
            Refused::Stranger(Refusal::Cluster),
            Refused::SameName,
            Refused::Merge(MergeError::SameReplica {
                replica: "a".into(),
            }),
            Refused::Unasked,
            Refused::TooLarge { what: "entries" },
            Refused::BadNumber,
            Refused::TooManyPeers,
            Refused::Late,
            Refused::Superseded { by: "a".into() },
            Refused::Muted,
            Refused::UnknownKind,
        ];
        let mut counts = RefusedCounts::default();
        for (times, refused) in refusals.iter().enumerate() {
            for _ in 0..=times {
                counts.count(refused);
            }
        }
        for (times, refused) in refusals.iter().enumerate() {
            assert_eq!(counts.of(refused.kind()), times as u64 + 1);
        }
        assert_eq!(counts.iter().len(), refusals.len());
        assert_eq!(counts.total(), 12 * 13 / 2);
    }
}
