//! What a state takes from a payload: all but its writer's former lives.

use lattice_presence::PresenceDelta;
use lattice_presence_json::JsonMeta;

/// `delta` without the entries of older incarnations of its writer's base. Their
/// context stays (rule S7).
pub fn admitted(delta: &PresenceDelta<JsonMeta>) -> PresenceDelta<JsonMeta> {
    let writer = delta.replica();
    let entries = delta
        .entries()
        .filter(|entry| !writer.is_newer_than(&entry.dot().replica))
        .cloned()
        .collect();
    PresenceDelta::from_parts(writer.clone(), delta.context().clone(), entries)
        .expect("fewer entries need no more context")
}
