//! What a state takes from a payload: all but its writer's former lives, whose claims it
//! signs.

use lattice_presence::PresenceDelta;
use lattice_presence_json::JsonMeta;

/// `delta` without the entries of older incarnations of its writer's base. Their
/// context stays, and if the writer has no dot of its own, its first one is used up for
/// that claim (rule S7).
pub fn admitted(delta: &PresenceDelta<JsonMeta>) -> PresenceDelta<JsonMeta> {
    let writer = delta.replica();
    let entries = delta
        .entries()
        .filter(|entry| !writer.is_newer_than(&entry.dot().replica))
        .cloned()
        .collect();
    let mut context = delta.context().clone();
    let claims_former_lives = context.replicas().any(|known| writer.is_newer_than(known));
    if claims_former_lives && context.get(writer).is_none() {
        context.insert_range(writer.clone(), 1..=1);
    }
    PresenceDelta::from_parts(writer.clone(), context, entries)
        .expect("fewer entries need no more context")
}
