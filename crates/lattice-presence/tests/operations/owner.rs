//! The owner has the last word: after it has spoken, others hold of it what it holds.
//!
//! Stated over what can be observed of two states before and after, not over how a merge
//! decides.

use super::compare::plain;
use super::model::{Dot, Entry, is_newer};
use super::world::Node;
use lattice_presence::{MergeError, PresenceState};
use std::collections::{BTreeMap, BTreeSet};

type State = PresenceState<u64>;
/// The slot of each live dot. Relays may write metadata in other words.
type Slots = BTreeMap<Dot, [String; 3]>;

/// Lets one node speak to another one, as it is their turn, and compares. Says what was
/// shown, or nothing if the two could not show it.
pub fn check(nodes: &[Node], turn: usize) -> Option<&'static str> {
    let count = nodes.len();
    let (owner, hearer) = (turn % count, turn / count % count);
    let way = turn / (count * count) % 5;
    if owner == hearer || nodes[owner].model.me == nodes[hearer].model.me {
        return None;
    }
    let (owner, hearer) = (&nodes[owner], &nodes[hearer]);
    // Dots that the owner never issued: forged, or by another process of its name.
    let name = &owner.model.me;
    let foreign = |dot: &&Dot| dot.0 == *name && !owner.model.context.contains(*dot);
    if hearer.model.context.iter().any(|dot| foreign(&dot)) {
        return None;
    }
    // An entry that the owner did not make, under a dot that it did: a conflict (S6).
    let (theirs, own) = (held(&hearer.real, name), held(&owner.real, name));
    let conflicts = |(dot, slot)| own.get(dot).is_some_and(|issued| issued != slot);
    if theirs.iter().any(conflicts) {
        return None;
    }
    match way {
        4 => two_ways(owner, hearer),
        _ => one_way(owner, hearer, way),
    }
}

/// Of all ways to speak, each must do.
fn speak(owner: &State, hearer: &mut State, way: usize) -> Result<(), MergeError> {
    let word = match way {
        0 => owner.snapshot(),
        1 => owner.owned_snapshot(),
        2 => owner.owned_delta_since(&hearer.digest()),
        _ => owner.delta_since(&hearer.digest()),
    };
    hearer.merge_delta(&word)
}

fn one_way(owner: &Node, hearer: &Node, way: usize) -> Option<&'static str> {
    let name = &owner.model.me;
    let before = held(&hearer.real, name);
    let mut after = hearer.real.clone();
    speak(&owner.real, &mut after, way).ok()?;
    let after = held(&after, name);
    if is_newer(&hearer.model.me, name) {
        assert!(after.is_empty(), "S7: {name} at a newer life: {after:?}");
        return Some("a newer life heard");
    }
    // What somebody else has claimed, and what was pruned here.
    let is_dead = |dot: &Dot| hearer.model.context.contains(dot) && !before.contains_key(dot);
    let mut expected = held(&owner.real, name);
    let all = expected.len();
    expected.retain(|dot, _| !is_dead(dot) && !hearer.model.refused.contains(dot));
    assert_eq!(after, expected, "S6: what is held of {name}, way {way}");
    let ghost = before.keys().any(|dot| !after.contains_key(dot));
    let pruned_life = hearer
        .model
        .refused
        .iter()
        .any(|dot| is_newer(&dot.0, name));
    Some(match (ghost, pruned_life, expected.len() < all) {
        (true, true, _) => "a ghost went though a newer life is pruned",
        (true, false, _) => "a ghost went",
        (_, _, true) => "an exception held",
        _ => "an owner spoke",
    })
}

/// Once both have heard each other, no exception is left but what was pruned, and those
/// who yield.
fn two_ways(owner: &Node, hearer: &Node) -> Option<&'static str> {
    let name = &owner.model.me;
    let pruned: BTreeSet<_> = hearer.model.refused.iter().map(|dot| &dot.0).collect();
    if pruned.contains(name) || is_newer(&hearer.model.me, name) {
        return None;
    }
    let (mut owner, mut hearer) = (owner.real.clone(), hearer.real.clone());
    for _ in 0..3 {
        owner
            .merge_delta(&hearer.delta_since(&owner.digest()))
            .ok()?;
        hearer
            .merge_delta(&owner.delta_since(&hearer.digest()))
            .ok()?;
    }
    if owner.superseded_by().is_some() {
        return None;
    }
    assert_eq!(
        held(&hearer, name),
        held(&owner, name),
        "S5, S6: what is held of {name} after both have spoken"
    );
    Some("both spoke")
}

fn held(state: &State, name: &str) -> Slots {
    let of_it = state
        .entries()
        .filter(|entry| entry.dot().replica.as_str() == name);
    let slot = |entry: Entry| [entry.topic, entry.key, entry.pid];
    of_it
        .map(plain)
        .map(|(dot, entry)| (dot, slot(entry)))
        .collect()
}
