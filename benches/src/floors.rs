//! The floors: what the same work costs by plain means.
//!
//! F1 is a plain hash map under the same hasher; F2 is `serde_json` and plain
//! structs with owned strings and the metadata as raw text.

use lattice_presence_json::JsonMeta;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::workload::{Join, Slot, State};

/// F1: no replicas, no dots, no look-up but by the whole slot.
pub type PlainMap = hashbrown::HashMap<Slot, JsonMeta>;

/// F1: moves every join into the map.
pub fn insert_all(map: &mut PlainMap, joins: Vec<Join>) {
    for (slot, meta) in joins {
        map.insert(slot, meta);
    }
}

/// F1: removes every slot; what was there comes back, to be dropped elsewhere.
pub fn remove_all(map: &mut PlainMap, slots: &[Slot]) -> Vec<Join> {
    let mut removed = Vec::with_capacity(slots.len());
    removed.extend(slots.iter().filter_map(|slot| map.remove_entry(slot)));
    removed
}

/// F2: an entry and its dot, flat.
#[derive(Debug, Deserialize, Serialize)]
pub struct Plain {
    topic: String,
    key: String,
    pid: String,
    replica: String,
    clock: u64,
    meta: Box<RawValue>,
}

impl Plain {
    fn into_join(self) -> (Slot, Box<RawValue>) {
        ((self.topic, self.key, self.pid), self.meta)
    }
}

/// F2: the entries of `state` as plain structs.
///
/// # Panics
///
/// Never: the metadata is JSON.
#[must_use]
pub fn plain(state: &State) -> Vec<Plain> {
    let plain = |entry: &lattice_presence::Presence<JsonMeta>| Plain {
        topic: entry.topic().to_owned(),
        key: entry.key().to_owned(),
        pid: entry.pid().to_owned(),
        replica: entry.dot().replica.as_str().to_owned(),
        clock: entry.dot().clock,
        meta: RawValue::from_string(entry.meta().as_str().to_owned()).expect("JSON"),
    };
    state.entries().map(plain).collect()
}

/// F2: encodes.
///
/// # Panics
///
/// Never: plain structs serialize.
#[must_use]
pub fn encode(entries: &[Plain]) -> String {
    serde_json::to_string(entries).expect("plain structs serialize")
}

/// F2: decodes into owned structs.
///
/// # Panics
///
/// Where `text` is not what [`encode`] wrote.
#[must_use]
pub fn decode(text: &str) -> Vec<Plain> {
    serde_json::from_str(text).expect("written by the floor's encoder")
}

/// F1 with the metadata as F2 decodes it.
pub type DecodedMap = hashbrown::HashMap<Slot, Box<RawValue>>;

/// F2, then F1: decodes and moves everything into the map.
pub fn decode_into(map: &mut DecodedMap, text: &str) {
    for entry in decode(text) {
        let (slot, meta) = entry.into_join();
        map.insert(slot, meta);
    }
}
