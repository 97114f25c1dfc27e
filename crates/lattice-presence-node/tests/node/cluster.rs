//! What the nodes of a cluster see of each other.

use core::time::Duration;
use std::collections::BTreeSet;

use lattice_presence_node::engine::{Faults, Memory};
use lattice_presence_node::{Node, Phase, StartError, TrackError, Update, View};

use crate::support::{Rng, builder, config, keys, node, until};

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_one_node_tracks_every_node_sees() {
    let memory = Memory::new();
    let (a, b, c) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
        node::<u32>("c", &memory).await,
    );
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    assert_eq!(keys(&a, "room"), set(&["alice"]), "at once on its own node");
    let bob = b.connect();
    bob.track("room", "bob", &1).unwrap();
    for node in [&a, &b, &c] {
        let see = || keys(node, "room");
        until("all see both", see, |keys| *keys == set(&["alice", "bob"])).await;
    }
    drop(alice);
    for node in [&a, &b, &c] {
        until(
            "alice left",
            || keys(node, "room"),
            |keys| *keys == set(&["bob"]),
        )
        .await;
    }
    assert_ne!(*bob.pid(), *b.connect().pid());
}

#[tokio::test]
async fn a_dropped_task_lets_everything_of_it_leave() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let task = {
        let a = a.clone();
        tokio::spawn(async move {
            let connection = a.connect();
            connection.track("room", "alice", &1).unwrap();
            connection.track("hall", "alice", &1).unwrap();
            core::future::pending::<()>().await;
        })
    };
    until("alice is there", || b.len(), |len| *len == 2).await;
    task.abort();
    until("alice left", || b.len(), |len| *len == 0).await;
}

#[tokio::test]
async fn entries_that_peers_would_refuse_are_refused_at_track_and_others_arrive() {
    let memory = Memory::new();
    memory.set_max_payload(4_000);
    let (a, b) = (
        node::<String>("a", &memory).await,
        node::<String>("b", &memory).await,
    );
    let connection = a.connect();
    let error = connection
        .track("room", "alice", &"x".repeat(5_000))
        .unwrap_err();
    assert!(matches!(error, TrackError::Entry(_)), "{error}");
    assert!(error.to_string().contains("limit"), "{error}");
    assert!(a.topic("room").is_empty(), "nothing changed");
    let long = connection.update_with("room", "alice", |_| unreachable!());
    assert!(matches!(long, Err(TrackError::Absent)));

    // As long as an entry may be, and many of them: messages are cut down to one entry.
    let mut longest = 4_000;
    while connection.track("room", "k", &"x".repeat(longest)).is_err() {
        longest -= 1;
    }
    assert!(longest > 1_500, "an entry of {longest} bytes is too little");
    for number in 0..20 {
        let key = format!("user-{number}");
        connection
            .track("room", &key, &"y".repeat(longest - 10))
            .unwrap();
    }
    until("all arrive", || b.topic("room").len(), |len| *len == 21).await;
    // If the new metadata is too long, the old one stays.
    let long = connection.update_with("room", "k", |_| "z".repeat(5_000));
    assert!(matches!(long, Err(TrackError::Entry(_))));
    assert_eq!(a.topic("room").get("k")[0].meta(), &"x".repeat(longest));
    assert_eq!(a.status().counts.unsent, 0);
}

#[tokio::test]
async fn nobody_is_there_and_we_do_not_know_yet_are_told_apart() {
    let memory = Memory::new();
    let a = node::<u32>("a", &memory).await;
    assert_eq!(a.status().view, View::Starting);
    assert!(!a.status().is_ready());
    until(
        "settled alone",
        || a.status().view,
        |view| *view == View::Settled,
    )
    .await;
    let connection = a.connect();
    connection.track("room", "alice", &1).unwrap();

    let b = node::<u32>("b", &memory).await;
    let status = b.status();
    assert!(
        status.view == View::Starting || status.entries == 1,
        "{status:?}"
    );
    until(
        "b knows a",
        || b.status(),
        |status| status.view == View::Settled,
    )
    .await;
    assert_eq!(b.topic("room").len(), 1, "settled means that alice is seen");
    let status = b.status();
    assert_eq!((status.peers.len(), status.peers[0].status), (1, "up"));
    assert_eq!(status.peers[0].node, "a");
    assert!(status.engine.connected && status.is_ready());

    // Nobody is heard any more: alice stays for a while, and the status says so.
    memory.cut("a", "b");
    until(
        "isolated",
        || b.status().view,
        |view| *view == View::Isolated,
    )
    .await;
    assert_eq!(b.topic("room").len(), 1);
    assert!(b.status().is_ready(), "its users are on it all the same");
    memory.mend();
    until(
        "settled again",
        || b.status().view,
        |view| *view == View::Settled,
    )
    .await;
    let json = serde_json::to_value(b.status()).unwrap();
    assert_eq!(
        (&json["view"], &json["phase"]["is"]),
        (&"settled".into(), &"running".into())
    );
}

#[tokio::test]
async fn a_node_that_vanishes_is_hidden_and_one_that_returns_is_seen_whole() {
    let memory = Memory::new();
    let (a, b, c) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
        node::<u32>("c", &memory).await,
    );
    let alice = a.connect();
    alice.track("room", "alice", &1).unwrap();
    until("seen", || b.topic("room").len(), |len| *len == 1).await;
    // c is still heard: a is down, not b isolated.
    memory.cut("a", "b");
    memory.cut("a", "c");
    until("hidden", || b.topic("room").len(), |len| *len == 0).await;
    let bob = a.connect();
    bob.track("room", "bob", &1).unwrap();
    drop(alice);
    memory.mend();
    for node in [&b, &c] {
        until(
            "bob, not alice",
            || keys(node, "room"),
            |keys| *keys == set(&["bob"]),
        )
        .await;
    }
}

#[tokio::test]
async fn a_shutdown_says_goodbye_ends_subscriptions_and_frees_the_name() {
    let memory = Memory::new();
    let (a, b) = (
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
    );
    let connection = a.connect();
    connection.track("room", "alice", &1).unwrap();
    until("seen", || b.topic("room").len(), |len| *len == 1).await;
    let mut updates = a.topic("room").subscribe();
    let mut messages = a.messages();
    let reader = tokio::spawn(async move {
        let mut last = None;
        while let Some(update) = updates.next().await {
            last = Some(update);
        }
        assert!(matches!(last, Some(Update::Snapshot(members)) if members.len() == 1));
        // Later subscriptions end at once.
        while messages.next().await.is_some() {}
    });
    // Sooner than silence would tell: it is `leaving` before it is `down`.
    let hears = {
        let b = b.clone();
        tokio::spawn(async move {
            let status = || b.status().peers[0].status;
            until("b hears the goodbye", status, |status| *status != "up").await;
            status()
        })
    };
    let start = tokio::time::Instant::now();
    a.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(a.status().phase, Phase::Stopped);
    assert!(matches!(
        connection.track("room", "bob", &1),
        Err(TrackError::Leaving)
    ));
    assert!(a.topic("room").subscribe().next().await.is_none());
    drop((a, connection));
    reader.await.unwrap();

    assert_eq!(hears.await.unwrap(), "leaving");
    until(
        "the handover is over",
        || b.topic("room").len(),
        |len| *len == 0,
    )
    .await;
    assert!(format!("{memory:?}").contains('b') && !format!("{memory:?}").contains(":a\""));
}

/// R8: who reconnects elsewhere within the handover never departs.
#[tokio::test]
async fn a_rolling_deployment_shows_no_departure() {
    let memory = Memory::new();
    let mut nodes = [
        node::<u32>("a", &memory).await,
        node::<u32>("b", &memory).await,
        node::<u32>("c", &memory).await,
    ];
    let watcher = node::<u32>("w", &memory).await;
    let mut seats: Vec<_> = (0..6)
        .map(|user| {
            let connection = nodes[user % 3].connect();
            connection
                .track("room", &format!("user-{user}"), &0)
                .unwrap();
            connection
        })
        .collect();
    until("all seen", || keys(&watcher, "room").len(), |len| *len == 6).await;
    let mut updates = watcher.topic("room").subscribe();
    updates.next().await.unwrap();
    let departures = tokio::spawn(async move {
        let mut departed: Vec<String> = Vec::new();
        while let Some(Update::Change(change)) = updates.next().await {
            departed.extend_from_slice(change.departed());
        }
        departed
    });
    for turn in 0..3 {
        nodes[turn].drain();
        for user in (0..6).filter(|user| user % 3 == turn) {
            // Its socket closes, and comes back elsewhere.
            let connection = nodes[(turn + 1) % 3].connect();
            connection
                .track("room", &format!("user-{user}"), &1)
                .unwrap();
            seats[user] = connection;
        }
        nodes[turn].shutdown().await;
        let name = ["a", "b", "c"][turn];
        nodes[turn] = node::<u32>(name, &memory).await;
        until(
            "it is up",
            || nodes[turn].status().view,
            |view| *view == View::Settled,
        )
        .await;
        // The users go back, so that the next turn moves everybody on its node.
        for user in (0..6).filter(|user| user % 3 == turn) {
            let connection = nodes[turn].connect();
            connection
                .track("room", &format!("user-{user}"), &2)
                .unwrap();
            seats[user] = connection;
        }
        tokio::time::sleep(config().handover * 2).await;
    }
    until("no ghost", || watcher.topic("room").len(), |len| *len == 6).await;
    watcher.shutdown().await;
    assert_eq!(departures.await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_newer_process_of_the_same_name_takes_over() {
    let memory = Memory::new();
    let older = node::<u32>("a", &memory).await;
    let ghost = older.connect();
    ghost.track("room", "ghost", &1).unwrap();
    let b = node::<u32>("b", &memory).await;
    until("seen", || b.topic("room").len(), |len| *len == 1).await;
    let newer = node::<u32>("a", &memory).await;
    let alice = newer.connect();
    alice.track("room", "alice", &1).unwrap();
    until(
        "only alice",
        || keys(&b, "room"),
        |keys| *keys == set(&["alice"]),
    )
    .await;
    let superseded = |phase: &Phase| matches!(phase, Phase::Superseded { .. });
    until("the older knows", || older.status().phase, superseded).await;
    let refused = ghost.track("room", "again", &1).unwrap_err();
    assert!(
        matches!(refused, TrackError::Superseded { .. }),
        "{refused}"
    );
    assert_eq!(newer.status().phase, Phase::Running);
}

#[tokio::test]
async fn a_bad_configuration_starts_nothing() {
    let memory = Memory::new();
    let builder = builder::<u32>("a", &memory).down_after(Duration::from_millis(60));
    assert!(matches!(builder.start().await, Err(StartError::Config(_))));
    let long = Node::<u32>::builder("x".repeat(5_000)).engine(memory.clone());
    assert!(matches!(
        long.start().await,
        Err(StartError::NameTooLong { .. })
    ));
    memory.set_max_payload(100);
    let short = Node::<u32>::builder("a")
        .engine(memory.clone())
        .start()
        .await;
    assert!(matches!(short, Err(StartError::PayloadTooShort { .. })));
    assert!(format!("{memory:?}").contains("nodes: []"), "{memory:?}");
}

#[tokio::test]
async fn the_last_handle_stops_the_node() {
    let memory = Memory::new();
    let a = node::<u32>("a", &memory).await;
    let topic = a.topic("room");
    drop(a);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        !format!("{memory:?}").contains("nodes: []"),
        "a topic holds it"
    );
    drop(topic);
    let is_gone = |shown: &String| shown.contains("nodes: []");
    until("it stops", || format!("{memory:?}"), is_gone).await;
}

/// Loss, delay, reordering, duplicates, cuts of either kind: one view at the end.
#[tokio::test]
async fn a_bad_network_ends_in_one_view() {
    let seed = 11;
    println!("seed {seed}");
    let memory = Memory::seeded(seed);
    let ms = Duration::from_millis;
    let faults = Faults::none()
        .with_loss(0.15)
        .with_reordering(0.3)
        .with_duplicates(0.1);
    memory.set_faults(faults.with_delay(ms(1), ms(20)));
    let names = ["a", "b", "c", "d"];
    let mut nodes = Vec::new();
    for name in names {
        nodes.push(node::<u64>(name, &memory).await);
    }
    let mut rng = Rng(seed);
    let mut kept = Vec::new();
    for step in 0..400 {
        let at = usize::try_from(rng.below(4)).unwrap();
        let connection = nodes[at].connect();
        connection
            .track("room", &format!("user-{step}"), &step)
            .unwrap();
        kept.push(connection);
        if kept.len() > 50 {
            kept.swap_remove(usize::try_from(rng.below(50)).unwrap());
        }
        match step {
            100 => memory.cut("a", "b"),
            150 => memory.cut_one_way("c", "d"),
            200 => memory.disconnect("d"),
            300 => memory.reconnect("d"),
            320 => memory.mend(),
            _ => {}
        }
        tokio::time::sleep(ms(4)).await;
    }
    let see = || {
        nodes
            .iter()
            .map(|node| keys(node, "room"))
            .collect::<Vec<_>>()
    };
    let agree =
        |seen: &Vec<BTreeSet<String>>| seen.iter().all(|keys| keys.len() == 50 && *keys == seen[0]);
    until("one view", see, agree).await;
}
