//! Reading and writing through serde, in any format.
//!
//! It is for formats between peers of this crate. The JSON that other
//! implementations read, with its limits and its error positions, is
//! `lattice-presence-json`.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use lattice_causal::{CausalContext, Dot};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{Presence, PresenceDelta, PresenceState, ReplicaId};

impl Serialize for ReplicaId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReplicaId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl<M: Serialize> Serialize for Presence<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("Presence", 5)?;
        entry.serialize_field("dot", self.dot())?;
        entry.serialize_field("topic", self.topic())?;
        entry.serialize_field("key", self.key())?;
        entry.serialize_field("pid", self.pid())?;
        entry.serialize_field("meta", self.meta())?;
        entry.end()
    }
}

/// The fields of an entry, none of which restricts another.
#[derive(serde::Deserialize)]
#[serde(rename = "Presence", bound = "M: Deserialize<'de>")]
struct EntryFields<'a, M> {
    dot: Dot<ReplicaId>,
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    pid: Cow<'a, str>,
    meta: M,
}

impl<'de, M: Deserialize<'de>> Deserialize<'de> for Presence<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = EntryFields::deserialize(deserializer)?;
        Ok(Self::new(
            read.dot,
            &*read.topic,
            &read.key,
            &read.pid,
            read.meta,
        ))
    }
}

impl<M: Serialize> Serialize for PresenceDelta<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut delta = serializer.serialize_struct("PresenceDelta", 3)?;
        delta.serialize_field("replica", self.replica())?;
        delta.serialize_field("context", self.context())?;
        delta.serialize_field("entries", &self.entries().collect::<Vec<_>>())?;
        delta.end()
    }
}

#[derive(serde::Deserialize)]
#[serde(rename = "PresenceDelta", bound = "M: Deserialize<'de>")]
struct DeltaFields<'a, M> {
    replica: ReplicaId,
    context: CausalContext<ReplicaId>,
    #[serde(borrow)]
    entries: Vec<EntryFields<'a, M>>,
}

/// Texts that many entries have in common, kept once.
#[derive(Default)]
struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(new.clone());
        new
    }
}

/// Refuses what [`PresenceDelta::from_parts`] refuses.
impl<'de, M: Deserialize<'de>> Deserialize<'de> for PresenceDelta<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = DeltaFields::deserialize(deserializer)?;
        let mut shared = Texts::default();
        let mut entry = |read: EntryFields<'_, M>| {
            let owner = ReplicaId::new(shared.text(read.dot.replica.as_str()));
            let topic = shared.text(&read.topic);
            let dot = Dot::new(owner, read.dot.clock);
            Presence::new(dot, topic, &read.key, &read.pid, read.meta)
        };
        let entries = read.entries.into_iter().map(&mut entry).collect();
        Self::from_parts(read.replica, read.context, entries).map_err(Error::custom)
    }
}

/// As its [`snapshot`](PresenceState::snapshot): what is local to the node, its
/// marks and filters, is not written (rule S8).
impl<M: Serialize> Serialize for PresenceState<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.snapshot().serialize(serializer)
    }
}

impl<'de, M: Deserialize<'de>> Deserialize<'de> for PresenceState<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PresenceDelta::deserialize(deserializer).map(Self::from_snapshot)
    }
}
