//! What the machines of `lattice-presence-sync` tell each other.
//!
//! The types stand here, below the machine, so that a codec can write them without
//! knowing the machine.

use alloc::sync::Arc;

use lattice_causal::{CausalContext, ClockSet, Digest, Question, ReplicaDigest};
use thiserror::Error;

use crate::{PresenceDelta, ReplicaId};

/// The version of the messages that this release writes.
///
/// ```
/// assert_eq!(lattice_presence::MESSAGE_VERSION, 1);
/// ```
pub const MESSAGE_VERSION: u16 = 1;

/// One message between two nodes: what it is about, and what it says.
///
/// ```
/// use lattice_presence::{Body, MESSAGE_VERSION, Message, Shard};
///
/// let message = Message::<()>::new("chat", Shard::WHOLE, "node-a", Body::Goodbye);
/// assert_eq!((message.version, message.body.kind()), (MESSAGE_VERSION, "goodbye"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message<M> {
    /// The version of its form: [`MESSAGE_VERSION`].
    pub version: u16,
    /// The cluster that it is for; nodes of another one refuse it.
    pub cluster: Arc<str>,
    /// The shard that it is about.
    pub shard: Shard,
    /// Who says it.
    pub from: ReplicaId,
    /// What is said.
    pub body: Body<M>,
}

impl<M> Message<M> {
    /// A message of this release's version.
    ///
    /// ```
    /// use lattice_presence::{Body, Message, Shard};
    ///
    /// let message = Message::<()>::new("chat", Shard::WHOLE, "node-a", Body::Goodbye);
    /// assert_eq!(message.from.as_str(), "node-a");
    /// ```
    #[must_use]
    pub fn new(
        cluster: impl Into<Arc<str>>,
        shard: Shard,
        from: impl Into<ReplicaId>,
        body: Body<M>,
    ) -> Self {
        Self {
            version: MESSAGE_VERSION,
            cluster: cluster.into(),
            shard,
            from: from.into(),
            body,
        }
    }
}

/// One of several causal contexts that share the topics among them. Today there is one:
/// index 0 of 1.
///
/// ```
/// use lattice_presence::Shard;
///
/// assert_eq!(Shard::WHOLE, Shard { index: 0, count: 1 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Which one, from 0.
    pub index: u16,
    /// Out of how many: at least 1.
    pub count: u16,
}

impl Shard {
    /// The only shard of a cluster that is not cut.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// One of the pieces that a push was cut into. Each merges alone.
///
/// ```
/// use lattice_presence::Piece;
///
/// assert_eq!(Piece::WHOLE, Piece { index: 0, count: 1 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Which one, from 0.
    pub index: u16,
    /// Out of how many: at least 1.
    pub count: u16,
}

impl Piece {
    /// The only piece of a push that is not cut.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// What a message says.
///
/// ```
/// use lattice_presence::{Body, ReplicaDigest};
///
/// let body = Body::<()>::Heartbeat { line: ReplicaDigest::default(), pushes: 0 };
/// assert_eq!(body.kind(), "heartbeat");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Body<M> {
    /// "I live, and this is what I have written": to all, every few seconds, of
    /// constant size.
    Heartbeat {
        /// The sender's own line of its digest, as of its last push. Empty while
        /// changes wait to be pushed: there is nothing to compare then.
        line: ReplicaDigest,
        /// The number of the sender's last push; 0 where there was none.
        pushes: u64,
    },
    /// What the sender has just written: to all.
    Push {
        /// The sender's pushes are numbered from 1. A receiver sees from the numbers,
        /// and from them alone, what it has missed.
        number: u64,
        /// Which piece of the push this is, if a transport's payloads were too small for
        /// the whole. The push has arrived when all its pieces have.
        piece: Piece,
        /// The entries that joined, and the dots that left.
        delta: PresenceDelta<M>,
    },
    /// "Tell me what I lack": to one.
    Question {
        /// Number of the question, which the answer repeats.
        id: u64,
        /// Pushes of the receiver that the asker has missed, by their numbers.
        missed: ClockSet,
        /// What the asker knows of each replica that it asks about.
        question: Question<ReplicaId>,
    },
    /// What was asked for, as far as it fits: to one.
    Answer {
        /// The number of the question.
        id: u64,
        /// What the asker lacks.
        delta: PresenceDelta<M>,
        /// Where the two sides still differ: ask again about it.
        differs: CausalContext<ReplicaId>,
        /// The missed pushes whose content the answer covers.
        resent: ClockSet,
        /// Whether there is more than fitted.
        more: bool,
    },
    /// "This is what I know of everybody": to one peer at random, now and then, and the
    /// lines that differ in return. Who lacks something asks.
    Compare {
        /// A fingerprint of the sender's whole digest: where it is equal on both sides,
        /// there is nothing to say.
        fingerprint: u64,
        /// Lines of the digest: none in the first message, those that may differ in the
        /// replies.
        digest: Digest<ReplicaId>,
        /// Whether the receiver should reply with its own lines.
        reply: bool,
    },
    /// "I am leaving": to all, a few times, in place of heartbeats. What the sender
    /// holds is over.
    Goodbye,
    /// "I do not take what you say": to one, at a bounded rate.
    Refusal {
        /// Why.
        reason: Refusal,
    },
}

impl<M> Body<M> {
    /// The name of the kind, for logs and counters.
    ///
    /// ```
    /// assert_eq!(lattice_presence::Body::<()>::Goodbye.kind(), "goodbye");
    /// ```
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Heartbeat { .. } => "heartbeat",
            Self::Push { .. } => "push",
            Self::Question { .. } => "question",
            Self::Answer { .. } => "answer",
            Self::Compare { .. } => "compare",
            Self::Goodbye => "goodbye",
            Self::Refusal { .. } => "refusal",
        }
    }
}

/// Why a node refuses to talk.
///
/// ```
/// use lattice_presence::Refusal;
///
/// assert_eq!(Refusal::Version { reads: 1 }.to_string(), "it reads version 1 of the messages");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It reads another version of the messages.
    #[error("it reads version {reads} of the messages")]
    Version {
        /// The one that it reads.
        reads: u16,
    },
    /// It belongs to another cluster.
    #[error("it belongs to another cluster")]
    Cluster,
    /// Its topics are in another number of shards.
    #[error("its topics are in {count} shards")]
    Shards {
        /// In how many.
        count: u16,
    },
}
