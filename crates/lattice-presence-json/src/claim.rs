//! What a payload claims of each replica, until all of it is read.

use lattice_presence::{CausalContext, ClockSet, ReplicaId};

use crate::intern::Replicas;
use crate::room;

/// Bytes that a cloud takes at least: `,"a":[]`.
const CLOUD: usize = 7;

/// What a payload claims of one replica, clouds apart, in one word: a payload of
/// many short names costs mostly what is kept for each of them.
///
/// A clock takes 53 bits; three of the others say which claims were made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claim(u64);

impl Claim {
    const CLOCK: u64 = (1 << 53) - 1;
    const PREFIX: u64 = 1 << 61;
    const CLOUD: u64 = 1 << 62;
    const CLOCKS: u64 = 1 << 63;

    /// Whether the context named the replica.
    pub(crate) const fn has_prefix(self) -> bool {
        self.0 & Self::PREFIX != 0
    }

    /// Whether the clouds named the replica.
    pub(crate) const fn has_cloud(self) -> bool {
        self.0 & Self::CLOUD != 0
    }

    pub(crate) const fn claim_prefix(&mut self, clock: u64) {
        self.0 |= Self::PREFIX | clock;
    }

    pub(crate) const fn claim_cloud(&mut self) {
        self.0 |= Self::CLOUD;
    }

    const fn claim_clocks(&mut self) {
        self.0 |= Self::CLOCKS;
    }

    /// Whether there are clocks in the cloud.
    const fn has_clocks(self) -> bool {
        self.0 & Self::CLOCKS != 0
    }

    const fn prefix(self) -> u64 {
        self.0 & Self::CLOCK
    }

    /// Whether anything was seen.
    const fn says_something(self) -> bool {
        self.has_clocks() || self.prefix() > 0
    }
}

/// The clouds of a payload, each with the place of its replica.
#[derive(Default)]
pub(crate) struct ClaimedClouds(Vec<(usize, ClockSet)>);

impl ClaimedClouds {
    /// The cloud of a replica that had none, and `claim` of it. The payload has `left`
    /// bytes behind it.
    pub(crate) fn push(&mut self, place: usize, claim: &mut Claim, cloud: ClockSet, left: usize) {
        if !cloud.is_empty() {
            claim.claim_clocks();
            room::push(&mut self.0, (place, cloud), left, CLOUD);
        }
    }

    /// Prefixes and clouds as one context. O(n log n) for `n` replicas.
    pub(crate) fn into_context(self, replicas: Replicas<Claim>) -> CausalContext<ReplicaId> {
        let Self(mut clouds) = self;
        // At its peak the heap holds these tables and the context.
        clouds.shrink_to_fit();
        clouds.sort_unstable_by(|(a, _), (b, _)| replicas.id(*a).cmp(replicas.id(*b)));
        let mut clouds = clouds.into_iter().map(|(_, cloud)| cloud);
        let replicas = replicas.into_sorted();
        let claiming = |(_, claim): &&(ReplicaId, Claim)| claim.says_something();
        // Exactly as long as it gets: the context is built in it.
        let mut seen = Vec::with_capacity(replicas.iter().filter(claiming).count());
        for (replica, claim) in replicas.into_iter().filter(|known| claiming(&known)) {
            let cloud = claim.has_clocks().then(|| clouds.next()).flatten();
            let mut clocks = cloud.unwrap_or_default();
            clocks.insert_range(1..=claim.prefix());
            seen.push((replica, clocks));
        }
        drop(clouds);
        seen.into_iter().collect()
    }
}
