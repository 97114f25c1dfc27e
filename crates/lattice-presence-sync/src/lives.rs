//! The known incarnations of each node, in order (rule R9).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use lattice_presence::ReplicaId;

/// The peers whose ids have an order in time, by their base name. So the newer and the
/// older incarnations of one node are found without looking at other nodes.
///
/// # Invariants
///
/// Both lists of a base are sorted, oldest first. `heard` is a part of `known`. Only
/// `heard` may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives {
    bases: BTreeMap<Box<str>, OfBase>,
}

#[derive(Clone, Debug, Default)]
struct OfBase {
    known: Vec<ReplicaId>,
    /// The incarnations that were heard themselves.
    heard: Vec<ReplicaId>,
}

impl Lives {
    /// A peer is known.
    pub(crate) fn know(&mut self, life: &ReplicaId) {
        if life.is_ordered() {
            let of_base = match self.bases.get_mut(life.base()) {
                Some(of_base) => of_base,
                None => self.bases.entry(life.base().to_owned().into()).or_default(),
            };
            insert(&mut of_base.known, life);
        }
    }

    /// A peer that is known was heard.
    pub(crate) fn hear(&mut self, life: &ReplicaId) {
        if let Some(of_base) = self.bases.get_mut(life.base())
            && life.is_ordered()
        {
            insert(&mut of_base.heard, life);
        }
    }

    /// A peer is removed.
    pub(crate) fn forget(&mut self, life: &ReplicaId) {
        let Some(of_base) = self.bases.get_mut(life.base()) else {
            return;
        };
        for lives in [&mut of_base.known, &mut of_base.heard] {
            if let Some(at) = place_of(lives, life) {
                lives.remove(at);
            }
        }
        if of_base.known.is_empty() {
            self.bases.remove(life.base());
        }
    }

    /// The next newer incarnation of the same node that was heard. O(log).
    pub(crate) fn heard_after(&self, life: &ReplicaId) -> Option<&ReplicaId> {
        let heard = &self.bases.get(life.base())?.heard;
        let next = heard.get(newer_from(heard, life))?;
        // An incarnation without an order in time has no successor.
        next.is_newer_than(life).then_some(next)
    }

    /// The older incarnations of the same node. O(log + result).
    pub(crate) fn known_before(&self, life: &ReplicaId) -> &[ReplicaId] {
        let of_base = self.bases.get(life.base());
        let known = of_base.map_or(&[][..], |of_base| &of_base.known);
        let older = known.partition_point(|other| is_newer(life, other));
        &known[..older]
    }
}

/// The place at which the newer incarnations begin.
fn newer_from(lives: &[ReplicaId], life: &ReplicaId) -> usize {
    lives.partition_point(|other| !is_newer(other, life))
}

fn place_of(lives: &[ReplicaId], life: &ReplicaId) -> Option<usize> {
    // Two spellings of one UUID have the same age, and are next to each other.
    let older = lives.partition_point(|other| is_newer(life, other));
    let as_old = &lives[older..newer_from(lives, life).max(older)];
    as_old
        .iter()
        .position(|other| other == life)
        .map(|at| older + at)
}

fn insert(lives: &mut Vec<ReplicaId>, life: &ReplicaId) {
    if place_of(lives, life).is_none() {
        lives.insert(newer_from(lives, life), life.clone());
    }
}

fn is_newer(life: &ReplicaId, other: &ReplicaId) -> bool {
    steps::count();
    life.is_newer_than(other)
}

/// Comparisons of two ages, counted by the tests of this module.
mod steps {
    #[cfg(test)]
    std::thread_local! {
        pub(super) static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    }

    pub(super) fn count() {
        #[cfg(test)]
        STEPS.set(STEPS.get() + 1);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::time::Duration;

    use lattice_presence::{CausalContext, PresenceDelta, PresenceState};

    use super::*;
    use crate::{Body, Config, Message, Piece, Shard, Sync, Trust};

    fn life(base: &str, ms: u16) -> ReplicaId {
        let mut uuid = [0; 16];
        uuid[4..6].copy_from_slice(&ms.to_be_bytes());
        (uuid[6], uuid[8]) = (0x70, 0x80); // version 7
        ReplicaId::incarnation(base, uuid)
    }

    #[test]
    fn lives_are_found_by_age_within_their_base() {
        let mut lives = Lives::default();
        // Base64url does not keep the order: 0x3E and 0x3F are `-` and `_`.
        let ages = [250, 1, 62, 63, 64, 0, 26, 52];
        for age in ages {
            lives.know(&life("n", age));
            lives.know(&life("m", age + 1));
        }
        lives.know(&"n".into());
        for age in [52, 250] {
            lives.hear(&life("n", age));
        }
        assert_eq!(lives.heard_after(&life("n", 1)), Some(&life("n", 52)));
        assert_eq!(lives.heard_after(&life("n", 52)), Some(&life("n", 250)));
        assert_eq!(lives.heard_after(&life("n", 250)), None);
        for plain in ["n", "stranger"] {
            assert_eq!(lives.heard_after(&plain.into()), None);
            assert!(lives.known_before(&plain.into()).is_empty());
        }
        let older = [0, 1, 26].map(|age| life("n", age));
        assert_eq!(lives.known_before(&life("n", 30)), older);
        for age in ages {
            lives.forget(&life("n", age));
            lives.forget(&life("m", age + 1));
        }
        assert!(lives.bases.is_empty());
    }

    #[test]
    fn two_spellings_of_one_uuid_are_two_lives() {
        let plain = life("n", 7);
        let padded: ReplicaId = plain.as_str().replace(":n", "==:n").into();
        let mut lives = Lives::default();
        for known in [&plain, &padded] {
            lives.know(known);
            lives.hear(known);
            lives.hear(known);
        }
        assert_eq!(lives.known_before(&life("n", 8)).len(), 2);
        lives.forget(&plain);
        assert_eq!(lives.heard_after(&life("n", 1)), Some(&padded));
        lives.forget(&padded);
        assert!(lives.bases.is_empty());
    }

    /// Messages about former incarnations, 64 in each, until the machine knows thousands.
    #[test]
    fn r11_a_message_about_former_lives_costs_what_it_names_and_not_what_is_known() {
        let from = life("n", 60_000);
        let mut config = Config::new("c");
        config.trust = Trust::Relays;
        let mut node = Sync::<()>::new(PresenceState::new("a"), config, 1).unwrap();
        let mut most = 0;
        for message in 0..60_u16 {
            let lives = (0..64).map(|n| (life("n", 64 * message + n), (1..=1).into()));
            let context = CausalContext::from_iter(lives);
            let push = Body::Push {
                number: u64::from(message) + 1,
                piece: Piece::WHOLE,
                delta: PresenceDelta::from_parts(from.clone(), context, vec![]).unwrap(),
            };
            let push = Message::new("c", Shard::WHOLE, from.clone(), push);
            let before = steps::STEPS.get();
            node.receive(Duration::from_secs(1), &from, push).unwrap();
            most = most.max(steps::STEPS.get() - before);
        }
        assert_eq!(node.peers().count(), 60 * 64 + 1);
        // A search takes about 12 comparisons, and each incarnation takes a few searches.
        assert!(most <= 64 * 12 * 6, "{most} comparisons for 64 lives");
    }
}
