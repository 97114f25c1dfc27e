//! What the application knows of keys, beside the entries.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lattice_presence_node::engine::Memory;
use lattice_presence_node::{EnrichedUpdate, Fetch, Fetched};
use tokio::sync::Notify;

use crate::support::{PATIENCE, node, until};

/// A database that answers when it is told to, and counts the questions.
#[derive(Clone, Default)]
struct Database {
    asked: Arc<AtomicUsize>,
    answer: Arc<Notify>,
}

impl Fetch for Database {
    type Extra = String;

    async fn fetch(&mut self, topic: &str, keys: Vec<String>) -> Fetched<String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer.notified().await;
        let name = |key: String| (key.clone(), format!("{key} of {topic}"));
        keys.into_iter().map(name).collect()
    }
}

#[tokio::test]
async fn a_slow_fetch_holds_up_its_own_reader_alone_and_ends_in_a_snapshot() {
    let memory = Memory::new();
    let node = node::<u32>("a", &memory).await;
    let alice = node.connect();
    alice.track("room", "alice", &0).unwrap();
    let database = Database::default();
    let reader = {
        let (mut updates, mut database) = (node.topic("room").subscribe(), database.clone());
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(update) = updates.next_with(&mut database).await {
                seen.push(update);
            }
            seen
        })
    };
    let asked = || database.asked.load(Ordering::SeqCst);
    until("it is asked for the snapshot", asked, |asked| *asked == 1).await;
    // Meanwhile the node goes on: more changes than a subscriber may leave unread.
    for round in 1..=1_000 {
        alice.track("room", "alice", &round).unwrap();
        if round % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let resets = || node.status().counts.queue_resets;
    until("what waits is replaced", resets, |resets| *resets == 1).await;
    assert_eq!(asked(), 1, "one question at a time");

    database.answer.notify_one();
    until("it is asked again", asked, |asked| *asked == 2).await;
    database.answer.notify_one();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(alice);
    until("alice left", || node.len(), |len| *len == 0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    node.shutdown().await;
    let seen = tokio::time::timeout(PATIENCE, reader).await;
    let seen = seen.unwrap().unwrap();
    let shown = format!("{seen:?}");
    let [
        EnrichedUpdate::Snapshot(first),
        EnrichedUpdate::Snapshot(second),
        EnrichedUpdate::Change { change, extra },
    ] = &seen[..]
    else {
        panic!("{shown}");
    };
    for (members, meta) in [(first, 0), (second, 1_000)] {
        assert_eq!(members[0].entry.meta(), &meta, "{shown}");
        assert_eq!(
            members[0].extra.as_deref(),
            Some("alice of room"),
            "{shown}"
        );
    }
    // Who leaves is not looked up.
    assert_eq!((change.departed().len(), extra.len(), asked()), (1, 0, 2));
}
