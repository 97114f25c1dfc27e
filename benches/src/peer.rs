//! The peer: the Orswot of the `crdts` crate, an add-wins set of the same
//! family, with the same strings and metadata as members.

use std::hash::{Hash, Hasher};

use crdts::{CmRDT, Orswot};
use lattice_presence_json::JsonMeta;

use crate::workload::{Join, Slot};

/// A join. Hashed by its slot alone, which is the faster for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    slot: Slot,
    meta: JsonMeta,
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.slot.hash(state);
    }
}

impl From<Join> for Member {
    fn from((slot, meta): Join) -> Self {
        Self { slot, meta }
    }
}

/// The peer's set. Its replicas are named by static strings: copying one is free.
pub type Set = Orswot<Member, &'static str>;

/// What the peer sends for one change.
pub type Op = crdts::orswot::Op<Member, &'static str>;

/// Adds one member and says what to send.
pub fn add(set: &mut Set, replica: &'static str, member: Member) -> Op {
    let context = set.read_ctx().derive_add_ctx(replica);
    let op = set.add(member, context);
    set.apply(op.clone());
    op
}

/// Removes one member and says what to send.
pub fn remove(set: &mut Set, member: Member) -> Op {
    let context = set.contains(&member).derive_rm_ctx();
    let op = set.rm(member, context);
    set.apply(op.clone());
    op
}

/// Adds every join. Local only: no operation is copied for sending.
pub fn add_all(set: &mut Set, replica: &'static str, joins: Vec<Join>) {
    for join in joins {
        let context = set.read_ctx().derive_add_ctx(replica);
        let op = set.add(join.into(), context);
        set.apply(op);
    }
}

/// Removes every member. Local only, as in [`add_all`].
pub fn remove_all(set: &mut Set, members: Vec<Member>) {
    for member in members {
        let context = set.contains(&member).derive_rm_ctx();
        let op = set.rm(member, context);
        set.apply(op);
    }
}

/// A set with every join.
#[must_use]
pub fn added(replica: &'static str, joins: Vec<Join>) -> Set {
    let mut set = Set::new();
    add_all(&mut set, replica, joins);
    set
}
