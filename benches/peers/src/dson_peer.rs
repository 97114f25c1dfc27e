//! dson: an `OrMap` of registers, by its functions and not by its transactions,
//! which copy the map.

use dson::crdts::mvreg::MvRegValue;
use dson::{CausalContext, CausalDotStore, Identifier, OrMap, api};

use crate::peer::Peer;

type Inner = CausalDotStore<OrMap<String>>;

pub(crate) struct Map {
    id: Identifier,
    map: Inner,
}

impl Map {
    fn put_delta(&mut self, key: &str, value: &str) -> Inner {
        let write = api::register::write(MvRegValue::String(value.to_owned()));
        let change = api::map::apply_to_register(write, key.to_owned());
        let delta = change(&self.map.store, &self.map.context, self.id);
        self.join(delta.clone());
        delta
    }

    fn remove_delta(&mut self, key: &str) -> Inner {
        let change = api::map::remove(key);
        let delta = change(&self.map.store, &self.map.context, self.id);
        self.join(delta.clone());
        delta
    }

    fn join(&mut self, delta: Inner) {
        self.map.join_or_replace_with(delta.store, &delta.context);
    }
}

impl Peer for Map {
    const NAME: &'static str = "dson 0.3";
    const FEATURES: [&'static str; 8] = [
        "map, array, register; extension types",
        "an extension trait",
        "states and deltas",
        "deltas: in causal order",
        "by context, removals left to the caller",
        "nothing",
        "no",
        "no",
    ];

    fn new(replica: u8) -> Self {
        Self {
            id: Identifier::new(replica, 0),
            map: Inner::default(),
        }
    }

    fn put(&mut self, key: &str, value: &str) {
        let _delta = self.put_delta(key, value);
    }

    fn remove(&mut self, key: &str) {
        let _delta = self.remove_delta(key);
    }

    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8> {
        bytes(&self.put_delta(key, value))
    }

    fn remove_message(&mut self, key: &str) -> Vec<u8> {
        bytes(&self.remove_delta(key))
    }

    fn receive(&mut self, message: &[u8]) {
        self.join(rmp_serde::from_slice(message).expect("what this crate wrote"));
    }

    fn merge(&mut self, other: &mut Self) {
        self.join(other.map.clone());
    }

    fn catch_up(&mut self, other: &mut Self) -> Option<usize> {
        let question = bytes(&self.map.context);
        let seen: CausalContext = rmp_serde::from_slice(&question).expect("a context");
        let answer = bytes(&other.map.subset_for_inflation_from(&seen));
        self.receive(&answer);
        Some(question.len() + answer.len())
    }

    fn encode(&mut self) -> Vec<u8> {
        bytes(&self.map)
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let value = self.map.store.get(key)?;
        let register = &value.reg;
        match dson::api::register::values(register).next()? {
            MvRegValue::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn len(&mut self) -> usize {
        self.map.store.len()
    }
}

fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("it can be written")
}
