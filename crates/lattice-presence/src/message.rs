//! What the machines of `lattice-presence-sync` tell each other.
//!
//! The types stand here, below the machine, so that a codec can write them without
//! knowing the machine.

use alloc::sync::Arc;

use lattice_causal::{CausalContext, ClockSet, Digest, Question, ReplicaDigest};

use crate::{PresenceDelta, ReplicaId};

/// The version of the messages that this release writes.
///
/// ```
/// assert_eq!(lattice_presence::MESSAGE_VERSION, 1);
/// ```
pub const MESSAGE_VERSION: u16 = 1;

/// One message between two nodes: what it is about, and what it says.
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

/// One of several causal contexts that share the topics among them. Today there is one:
/// index 0 of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Which one, from 0.
    pub index: u16,
    /// Out of how many: at least 1.
    pub count: u16,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Body<M> {
    /// "I live, and this is what I have written": to all, every few seconds, of
    /// constant size.
    Heartbeat {
        /// The sender's own line of its digest.
        line: ReplicaDigest,
        /// How many changes the sender has pushed so far.
        changes: u64,
    },
    /// What the sender has just written: to all.
    Push {
        /// The changes that it carries, numbered from 1 as the sender made them. A
        /// receiver sees from the numbers, and from them alone, what it has missed.
        changes: (u64, u64),
        /// The entries that joined, and the dots that left.
        delta: PresenceDelta<M>,
    },
    /// "Tell me what I lack": to one.
    Question {
        /// Number of the question, which the answer repeats.
        id: u64,
        /// Pushes of the receiver that the asker has missed, by the numbers of their
        /// changes.
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
        /// Missed changes that the answer covers.
        resent: ClockSet,
        /// Whether there is more than fitted.
        more: bool,
    },
    /// "This is what I know of everybody": to one peer at random, now and then, and the
    /// lines that differ in return. Who lacks something asks.
    Compare {
        /// The lines of the digest.
        digest: Digest<ReplicaId>,
        /// Whether the receiver should say what differs: false in a reply.
        reply: bool,
    },
    /// "I am leaving": to all. What the sender holds is over.
    Goodbye,
    /// "I do not take what you say": to one, at a bounded rate.
    Refusal {
        /// Why.
        reason: Refusal,
    },
}

/// Why a node refuses to talk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It reads another version of the messages.
    Version {
        /// The one that it reads.
        reads: u16,
    },
    /// It belongs to another cluster.
    Cluster,
    /// Its topics are in another number of shards.
    Shards {
        /// In how many.
        count: u16,
    },
}
