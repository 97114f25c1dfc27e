//! automerge: the root object of a document, one commit a change.

use automerge::sync::{self, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, Change, ROOT, ReadDoc};

use crate::peer::Peer;

pub(crate) struct Map {
    doc: AutoCommit,
}

impl Map {
    fn last_change(&mut self) -> Vec<u8> {
        let change = self.doc.get_last_local_change().expect("a change was made");
        change.raw_bytes().to_vec()
    }
}

impl Peer for Map {
    const NAME: &'static str = "automerge 0.12";
    const FEATURES: [&'static str; 8] = [
        "map, list, text, counter",
        "no",
        "changes",
        "any order, any number of times",
        "sync protocol, several rounds",
        "its whole history",
        "yes",
        "no",
    ];

    fn new(replica: u8) -> Self {
        let doc = AutoCommit::new().with_actor(ActorId::from([replica]));
        Self { doc }
    }

    fn put(&mut self, key: &str, value: &str) {
        self.doc.put(ROOT, key, value).expect("the root is a map");
        self.doc.commit();
    }

    fn remove(&mut self, key: &str) {
        self.doc.delete(ROOT, key).expect("the root is a map");
        self.doc.commit();
    }

    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8> {
        self.put(key, value);
        self.last_change()
    }

    fn remove_message(&mut self, key: &str) -> Vec<u8> {
        self.remove(key);
        self.last_change()
    }

    fn receive(&mut self, message: &[u8]) {
        let change = Change::from_bytes(message.to_vec()).expect("what this crate wrote");
        self.doc
            .apply_changes([change])
            .expect("what this crate wrote");
    }

    fn merge(&mut self, other: &mut Self) {
        self.doc
            .merge(&mut other.doc)
            .expect("they have no conflict");
    }

    fn catch_up(&mut self, other: &mut Self) -> Option<usize> {
        let (mut mine, mut theirs) = (sync::State::new(), sync::State::new());
        let mut bytes = 0;
        loop {
            let question = self.doc.sync().generate_sync_message(&mut mine);
            if let Some(message) = &question {
                let encoded = message.clone().encode();
                bytes += encoded.len();
                let message = sync::Message::decode(&encoded).expect("a message");
                let received = other.doc.sync().receive_sync_message(&mut theirs, message);
                received.expect("what this crate wrote");
            }
            let answer = other.doc.sync().generate_sync_message(&mut theirs);
            if let Some(message) = &answer {
                let encoded = message.clone().encode();
                bytes += encoded.len();
                let message = sync::Message::decode(&encoded).expect("a message");
                let received = self.doc.sync().receive_sync_message(&mut mine, message);
                received.expect("what this crate wrote");
            }
            if question.is_none() && answer.is_none() {
                return Some(bytes);
            }
        }
    }

    fn encode(&mut self) -> Vec<u8> {
        self.doc.save()
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let (value, _) = self.doc.get(ROOT, key).expect("the root is a map")?;
        value.into_string().ok()
    }

    fn len(&mut self) -> usize {
        self.doc.length(ROOT)
    }
}
