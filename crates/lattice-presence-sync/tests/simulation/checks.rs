//! What must hold of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lattice_presence::{Dot, Presence, ReplicaId};
use lattice_presence_sync::Liveness;

use super::host::Meta;
use super::world::World;

/// Every process shows exactly what the processes that run hold, and knows that it does.
pub(crate) fn one_view(world: &World) {
    let truth: BTreeMap<&Dot<ReplicaId>, &Presence<Meta>> = world
        .hosts
        .iter()
        .flatten()
        .flat_map(|host| host.own())
        .map(|entry| (entry.dot(), entry))
        .collect();
    for host in world.hosts.iter().flatten() {
        let shown: BTreeMap<_, _> = host.seen.iter().collect();
        let ghosts = shown.keys().filter(|dot| !truth.contains_key(*dot));
        let lost = truth.keys().filter(|dot| !shown.contains_key(*dot));
        let (ghosts, lost): (Vec<_>, Vec<_>) = (ghosts.collect(), lost.collect());
        assert!(
            ghosts.is_empty() && lost.is_empty(),
            "{}: ghosts {ghosts:?}, lost {lost:?}\n{:#?}",
            host.id,
            host.sync.peers().collect::<Vec<_>>(),
        );
        for (dot, entry) in &shown {
            assert_eq!(entry.meta(), truth[*dot].meta(), "{}: {dot:?}", host.id);
        }
        assert!(host.sync.is_settled(), "{}: R12, not settled", host.id);
    }
}

/// Every node that is up is known to be up, and no other one (rule R6).
pub(crate) fn one_membership(world: &World, except: &BTreeSet<ReplicaId>) {
    let alive: BTreeSet<&ReplicaId> = world.hosts.iter().flatten().map(|host| &host.id).collect();
    for host in world.hosts.iter().flatten() {
        let up: BTreeSet<&ReplicaId> = host
            .sync
            .peers()
            .filter(|peer| peer.liveness == Liveness::Up && !except.contains(peer.id))
            .map(|peer| peer.id)
            .collect();
        let mut expected = alive.clone();
        expected.remove(&host.id);
        assert_eq!(up, expected, "{}: R6, who is up", host.id);
    }
}

/// Nobody shows entries of a process that ended so long ago (rules R6, R8, R9).
pub(crate) fn no_ghosts(world: &World, after: Duration) {
    for (id, ended) in &world.ended {
        if world.now < *ended + after {
            continue;
        }
        for host in world.hosts.iter().flatten() {
            if host.frozen_until > world.now {
                continue;
            }
            let ghost = host.seen.keys().find(|dot| dot.replica == *id);
            assert!(
                ghost.is_none(),
                "{}: {ghost:?} is a ghost, {:?} after its end: {:?}",
                host.id,
                world.now - *ended,
                host.sync.peer(id),
            );
        }
    }
}

/// What a machine remembers is bounded by who is there and who was, lately (rule R13).
pub(crate) fn bounded_memory(world: &World, lives: usize) {
    for host in world.hosts.iter().flatten() {
        let known = host.sync.peers().count();
        assert!(
            known <= lives,
            "{}: R13, {known} peers are remembered",
            host.id
        );
        let state = host.sync.state();
        let seen = state.context().replicas().count();
        assert!(seen <= lives + 1, "{}: R13, {seen} contexts", host.id);
    }
}
