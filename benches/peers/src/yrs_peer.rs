//! yrs: a root map of a document, one transaction a change.

use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, Map as _, MapRef, Out, ReadTxn, StateVector, Transact, Update};

use crate::peer::Peer;

pub(crate) struct Map {
    doc: Doc,
    map: MapRef,
}

impl Peer for Map {
    const NAME: &'static str = "yrs 0.28";
    const FEATURES: [&'static str; 8] = [
        "text, array, map, XML",
        "no",
        "updates",
        "any order, any number of times",
        "state vector; all removals each time",
        "its place, in runs",
        "yes",
        "no",
    ];

    fn new(replica: u8) -> Self {
        let doc = Doc::with_client_id(u64::from(replica) + 1);
        let map = doc.get_or_insert_map("map");
        Self { doc, map }
    }

    fn put(&mut self, key: &str, value: &str) {
        let mut change = self.doc.transact_mut();
        self.map.insert(&mut change, key, value);
    }

    fn remove(&mut self, key: &str) {
        let mut change = self.doc.transact_mut();
        self.map.remove(&mut change, key);
    }

    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8> {
        let mut change = self.doc.transact_mut();
        self.map.insert(&mut change, key, value);
        change.encode_update_v1()
    }

    fn remove_message(&mut self, key: &str) -> Vec<u8> {
        let mut change = self.doc.transact_mut();
        self.map.remove(&mut change, key);
        change.encode_update_v1()
    }

    fn receive(&mut self, message: &[u8]) {
        let update = Update::decode_v1(message).expect("what this crate wrote");
        let applied = self.doc.transact_mut().apply_update(update);
        applied.expect("what this crate wrote");
    }

    fn merge(&mut self, other: &mut Self) {
        let seen = self.doc.transact().state_vector();
        let update = other.doc.transact().encode_diff_v1(&seen);
        self.receive(&update);
    }

    fn catch_up(&mut self, other: &mut Self) -> Option<usize> {
        let question = self.doc.transact().state_vector().encode_v1();
        let seen = StateVector::decode_v1(&question).expect("a state vector");
        let answer = other.doc.transact().encode_diff_v1(&seen);
        self.receive(&answer);
        Some(question.len() + answer.len())
    }

    fn encode(&mut self) -> Vec<u8> {
        let nothing = StateVector::default();
        self.doc.transact().encode_state_as_update_v1(&nothing)
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let read = self.doc.transact();
        match self.map.get(&read, key)? {
            Out::Any(value) => Some(value.to_string()),
            Out::YText(text) => Some(text.get_string(&read)),
            _ => None,
        }
    }

    fn len(&mut self) -> usize {
        self.map.len(&self.doc.transact()) as usize
    }
}
