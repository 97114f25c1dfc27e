//! A fast, a slow and a stalled subscriber, replayed against the view under churn.

use core::time::Duration;
use std::collections::BTreeMap;

use lattice_presence_node::engine::{Faults, Memory};
use lattice_presence_node::{Connection, Followed, Node, Presence, Subscription, Update};

use crate::support::{Rng, node, until};

/// What a subscriber knows, by dot. Every step is checked: nothing joins twice, and only
/// what is there leaves.
#[derive(Default)]
struct Replay {
    entries: BTreeMap<String, u64>,
    snapshots: usize,
    changes: usize,
}

impl Replay {
    fn take(&mut self, update: Update<u64>) {
        match update {
            Update::Snapshot(members) => {
                self.snapshots += 1;
                self.entries = members.iter().map(named).collect();
                assert_eq!(
                    self.entries.len(),
                    members.len(),
                    "a dot twice in a snapshot"
                );
            }
            Update::Change(change) => {
                self.changes += 1;
                for entry in change.leaves() {
                    let (dot, meta) = named(entry);
                    assert_eq!(self.entries.remove(&dot), Some(meta), "{dot} was not there");
                }
                for entry in change.joins() {
                    let (dot, meta) = named(entry);
                    assert_eq!(self.entries.insert(dot.clone(), meta), None, "{dot} twice");
                }
            }
            _ => unreachable!("a kind of update that the test does not know"),
        }
    }

    fn take_all(&mut self, updates: &mut Subscription<u64>) {
        while let Some(update) = updates.try_next() {
            self.take(update);
        }
    }
}

fn named(entry: &Presence<u64>) -> (String, u64) {
    (entry.dot().to_string(), *entry.meta())
}

fn view(node: &Node<u64>) -> BTreeMap<String, u64> {
    node.topic("room").members().iter().map(named).collect()
}

/// Joins, updates and leaves on both nodes, by a seed.
struct Churn {
    rng: Rng,
    nodes: [Node<u64>; 2],
    connections: Vec<Connection<u64>>,
}

impl Churn {
    fn step(&mut self) {
        let (key, meta) = (format!("user-{}", self.rng.below(40)), self.rng.next());
        match self.rng.below(10) {
            0..4 => {
                let node = usize::try_from(self.rng.below(2)).unwrap();
                let connection = self.nodes[node].connect();
                connection.track("room", &key, &meta).unwrap();
                self.connections.push(connection);
            }
            4..7 if !self.connections.is_empty() => {
                let count = self.connections.len() as u64;
                let chosen = usize::try_from(self.rng.below(count)).unwrap();
                self.connections[chosen].track("room", &key, &meta).unwrap();
            }
            _ if !self.connections.is_empty() => {
                let count = self.connections.len() as u64;
                let chosen = usize::try_from(self.rng.below(count)).unwrap();
                drop(self.connections.swap_remove(chosen));
            }
            _ => {}
        }
    }
}

async fn replay(seed: u64) {
    println!("seed {seed}");
    let memory = Memory::seeded(seed);
    let (ms, faults) = (Duration::from_millis, Faults::none());
    memory.set_faults(
        faults
            .with_loss(0.1)
            .with_delay(ms(0), ms(5))
            .with_duplicates(0.1),
    );
    let (a, b) = (node("a", &memory).await, node("b", &memory).await);
    let subscribe = || b.topic("room").subscribe();
    let (mut fast, mut slow, mut stalled) = (subscribe(), subscribe(), subscribe());
    let mut all = b.changes();
    let (mut at_fast, mut at_slow, mut at_stalled) =
        (Replay::default(), Replay::default(), Replay::default());
    at_stalled.take_all(&mut stalled);

    let mut churn = Churn {
        rng: Rng(seed),
        nodes: [a.clone(), b.clone()],
        connections: Vec::new(),
    };
    for step in 0..4_000 {
        churn.step();
        if step % 7 == 0 {
            tokio::task::yield_now().await;
        }
        at_fast.take_all(&mut fast);
        if step % 700 == 699 {
            at_slow.take_all(&mut slow);
        }
        if step % 400 == 0 {
            tokio::time::sleep(ms(3)).await;
        }
    }
    // The same on both nodes, and then nothing more.
    let see = || {
        let (at_a, at_b) = (view(&a), view(&b));
        let differ: Vec<String> = at_a
            .iter()
            .filter(|(dot, _)| !at_b.contains_key(*dot))
            .map(|(dot, _)| format!("only a has {dot}"))
            .chain(
                at_b.keys()
                    .filter(|dot| !at_a.contains_key(*dot))
                    .map(|dot| format!("only b has {dot}")),
            )
            .collect();
        let peers = [a.status().peers, b.status().peers];
        (differ, peers, [a.status().counts, b.status().counts])
    };
    until("the nodes agree", see, |(differ, _, _)| differ.is_empty()).await;
    tokio::time::sleep(ms(200)).await;
    let expected = view(&b);
    assert!(
        expected.len() > 20,
        "the churn left {} entries",
        expected.len()
    );
    for (name, replay, updates) in [
        ("fast", &mut at_fast, &mut fast),
        ("slow", &mut at_slow, &mut slow),
        ("stalled", &mut at_stalled, &mut stalled),
    ] {
        replay.take_all(updates);
        assert_eq!(replay.entries, expected, "{name}, seed {seed}");
    }
    println!(
        "fast {} changes, slow {} and {} snapshots, stalled {}",
        at_fast.changes, at_slow.changes, at_slow.snapshots, at_stalled.snapshots
    );
    assert_eq!(at_fast.snapshots, 1, "the fast one was never too slow");
    assert!(at_slow.snapshots > 1, "the slow one was not slow");
    assert_eq!(
        at_stalled.snapshots, 2,
        "one at the start, one for all that waited"
    );
    assert_eq!(at_stalled.changes, 0, "what waited is replaced");
    assert!(matches!(all.next().await, Some(Followed::Missed)));
    assert!(b.status().counts.queue_resets > 0);
}

#[tokio::test]
async fn subscribers_see_each_change_once_or_a_fresh_snapshot() {
    for seed in [1, 2, 3] {
        replay(seed).await;
    }
}

/// Writers and readers run in several threads. Snapshots and changes fit together, even if a
/// subscription starts in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscription_that_starts_under_churn_has_no_gap() {
    let memory = Memory::new();
    let node = node::<u64>("a", &memory).await;
    let writer = {
        let node = node.clone();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for number in 0..3_000_u64 {
                let connection = node.connect();
                connection
                    .track("room", &format!("user-{number}"), &number)
                    .unwrap();
                kept.push(connection);
                if kept.len() > 30 {
                    kept.remove(0);
                }
                if number % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            kept
        })
    };
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut updates = node.topic("room").subscribe();
        readers.push(tokio::spawn(async move {
            let mut replay = Replay::default();
            while let Some(update) = updates.next().await {
                replay.take(update);
            }
            replay
        }));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let kept = writer.await.unwrap();
    let expected = view(&node);
    assert_eq!(expected.len(), kept.len());
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.shutdown().await;
    for reader in readers {
        assert_eq!(reader.await.unwrap().entries, expected);
    }
}
