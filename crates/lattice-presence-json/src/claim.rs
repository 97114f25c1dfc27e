//! What a payload claims of each replica, until the payload is read completely.

use lattice_presence::{CausalContext, ClockSet, ReplicaId};

use crate::intern::Replicas;

/// What a payload claims of one replica, without clouds, in one word. A payload can have
/// many short names. Its cost is mostly what is kept for each name.
///
/// A clock takes 53 bits. The two highest bits say which claims were made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claim(u64);

impl Claim {
    const PREFIX: u64 = 1 << 62;
    const CLOUD: u64 = 1 << 63;

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

    const fn prefix(self) -> u64 {
        self.0 & !(Self::PREFIX | Self::CLOUD)
    }
}

/// The clouds of a payload, each with the place of its replica.
#[derive(Default)]
pub(crate) struct ClaimedClouds(Vec<(usize, ClockSet)>);

impl ClaimedClouds {
    /// Adds a cloud for a replica that [`has_cloud`](Claim::has_cloud) and had none.
    pub(crate) fn push(&mut self, place: usize, cloud: ClockSet) {
        self.0.push((place, cloud));
    }

    /// Prefixes and clouds as one context. O(n log n) for `n` replicas.
    pub(crate) fn into_context(self, replicas: Replicas<Claim>) -> CausalContext<ReplicaId> {
        let Self(mut clouds) = self;
        // Here the heap is at its peak. It holds these tables and the context.
        clouds.shrink_to_fit();
        clouds.sort_unstable_by(|(a, _), (b, _)| replicas.id(*a).cmp(replicas.id(*b)));
        let mut clouds = clouds.into_iter().map(|(_, cloud)| cloud);
        let replicas = replicas.into_sorted().into_iter();
        let seen = replicas.map(|(replica, claim)| {
            let cloud = claim.has_cloud().then(|| clouds.next()).flatten();
            let mut seen = cloud.unwrap_or_default();
            seen.insert_range(1..=claim.prefix());
            (replica, seen)
        });
        seen.collect()
    }
}
