//! The endpoint over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod grace;
mod limits;
mod pressure;
mod supabase;
#[path = "../support/mod.rs"]
mod support;

extern crate alloc;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lattice_presence_node::Node;
use lattice_presence_node::engine::Memory;
use lattice_presence_web::Origins;
use serde_json::{Value, json};
use support::{keys, quick, serve, serve_on};
use tokio_tungstenite::tungstenite::{Bytes, Message};

#[tokio::test]
async fn the_state_comes_right_after_the_reply_and_diffs_after() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    assert_eq!(keys(&ada.enter("room:1", "ada").await), ["ada"]);
    let mut bob = server.client().await;
    assert_eq!(keys(&bob.enter("room:1", "bob").await), ["ada", "bob"]);
    let [join_ref, reference, topic, event, payload] = ada.next().await;
    assert_eq!((join_ref, reference), (Value::Null, Value::Null));
    assert_eq!(
        (&topic, &event),
        (&json!("room:1"), &json!("presence_diff"))
    );
    assert_eq!(
        (keys(&payload["joins"]), keys(&payload["leaves"])),
        (vec!["bob"], vec![])
    );
    drop(bob);
    let payload = ada.next().await[4].clone();
    assert_eq!(
        (keys(&payload["joins"]), keys(&payload["leaves"])),
        (vec![], vec!["bob"])
    );
}

#[tokio::test]
async fn an_update_is_a_join_with_the_former_reference_and_a_leave() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    let state = ada.enter("room:1", "ada").await;
    assert_eq!(
        ada.ask("room:1", "status", &json!({"away": true})).await["status"],
        "ok"
    );
    let diff = ada.event("presence_diff").await[4].clone();
    let (before, after) = (
        &diff["leaves"]["ada"]["metas"][0],
        &diff["joins"]["ada"]["metas"][0],
    );
    assert_eq!(before["phx_ref"], state["ada"]["metas"][0]["phx_ref"]);
    assert_eq!(
        (&after["phx_ref_prev"], &after["away"]),
        (&before["phx_ref"], &json!(true))
    );
    // The same again is nothing.
    assert_eq!(
        ada.ask("room:1", "status", &json!({"away": true})).await["status"],
        "ok"
    );
    ada.silent(Duration::from_millis(100)).await;
    // A client that comes later also learns what it replaced.
    let mut bob = server.client().await;
    let state = bob.enter("room:1", "bob").await;
    assert_eq!(state["ada"]["metas"][0]["phx_ref_prev"], before["phx_ref"]);
}

#[tokio::test]
async fn joins_are_refused_with_a_reason_and_a_crash_is_an_error_too() {
    let server = serve(quick()).await;
    let mut client = server.client().await;
    for (topic, reason) in [
        ("room:full", "full"),
        ("nonsense", "no such topic"),
        ("room:1", "a name, please"),
        ("room:crash", "join crashed"),
    ] {
        let reply = client.join("1", topic, &json!({})).await;
        assert_eq!(
            reply,
            json!({"status": "error", "response": {"reason": reason}})
        );
    }
    let long = client
        .join("1", "room:1", &json!({"name": "x".repeat(256)}))
        .await;
    assert_eq!(long["response"]["reason"], "the key is too long");
    let empty = client.join("1", "room:1", &json!({"name": ""})).await;
    assert_eq!(empty["response"]["reason"], "the key is empty");
    assert_eq!(
        keys(&client.enter("room:1", &"x".repeat(255)).await).len(),
        1
    );
}

#[tokio::test]
async fn events_are_answered_and_broadcasts_reach_the_topic() {
    let server = serve(quick()).await;
    let (mut ada, mut bob, mut other) = (
        server.client().await,
        server.connect("").await,
        server.client().await,
    );
    ada.enter("room:1", "ada").await;
    other.enter("room:2", "eve").await;
    bob.raw(r#"{"topic":"room:1","event":"phx_join","payload":{"name":"bob"},"ref":"1"}"#)
        .await;
    ada.event("presence_diff").await;
    assert_eq!(
        ada.ask("room:1", "echo", &json!([1])).await,
        json!({"status": "ok", "response": [1]})
    );
    assert_eq!(
        ada.ask("room:1", "dance", &json!({})).await["response"]["reason"],
        "unknown event"
    );
    ada.send("1", "room:1", "say", &json!({"text": "hi"})).await;
    assert_eq!(ada.event("said").await[4], json!({"text": "hi"}));
    // Version 1, by hand: the client of this test reads arrays.
    loop {
        let Some(Ok(Message::Text(text))) = bob.socket.next().await else {
            panic!("closed")
        };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["event"] == "said" {
            assert_eq!(
                frame,
                json!({"topic": "room:1", "event": "said", "payload": {"text": "hi"}, "ref": null})
            );
            break;
        }
    }
    ada.send("1", "room:1", "whisper", &json!({})).await;
    other.silent(Duration::from_millis(100)).await;
    assert_ne!(ada.ask("room:1", "echo", &json!(1)).await["status"], "said");
}

#[tokio::test]
async fn a_crash_in_an_event_fails_the_channel_and_not_the_socket() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    ada.send("1", "room:1", "crash", &json!({})).await;
    let error = ada.event("phx_error").await;
    assert_eq!((&error[0], &error[2]), (&json!("1"), &json!("room:1")));
    // The former channel may yet have been told that its entry leaves.
    ada.join("1", "room:1", &json!({"name": "ada"})).await;
    let state = ada.event("presence_state").await[4].clone();
    assert_eq!(keys(&state), ["ada"]);
    ada.send("1", "room:1", "close", &json!({})).await;
    ada.event("phx_close").await;
}

#[tokio::test]
async fn a_leave_takes_the_entry_out_and_the_application_is_told() {
    let server = serve(quick()).await;
    let (mut ada, mut bob) = (server.client().await, server.client().await);
    ada.enter("room:1", "ada").await;
    bob.enter("room:1", "bob").await;
    bob.send("1", "room:1", "phx_leave", &json!({})).await;
    ada.event("presence_diff").await;
    assert_eq!(
        keys(&ada.event("presence_diff").await[4]["leaves"]),
        ["bob"]
    );
    bob.event("phx_close").await;
    assert_eq!(*server.app.left.lock().unwrap(), ["room:1"]);
}

#[tokio::test]
async fn a_rejoin_over_a_live_channel_changes_nothing_for_others_and_sends_the_state_twice() {
    let server = serve(quick()).await;
    let (mut ada, mut bob) = (server.client().await, server.client().await);
    ada.enter("room:1", "ada").await;
    let first = bob.enter("room:1", "bob").await;
    ada.event("presence_diff").await;
    bob.raw(r#"["7","7","room:1","phx_join",{"name":"bob"}]"#)
        .await;
    assert_eq!(bob.next().await[3], "phx_close");
    assert_eq!(bob.next().await[3], "phx_reply");
    for _ in 0..2 {
        let state = bob.next().await;
        assert_eq!(
            (&state[0], &state[4]),
            (&json!("7"), &first),
            "the same references"
        );
    }
    ada.silent(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn observers_are_not_seen_and_an_entry_may_come_and_go_on_a_channel() {
    let server = serve(quick()).await;
    let (mut observer, mut ada) = (server.client().await, server.client().await);
    observer.join("1", "watch:1", &json!({})).await;
    assert_eq!(observer.next().await[4], json!({}));
    ada.enter("room:1", "ada").await;
    assert_eq!(ada.ask("room:1", "hide", &json!({})).await["status"], "ok");
    assert_eq!(
        keys(&ada.event("presence_diff").await[4]["leaves"]),
        ["ada"]
    );
    observer.silent(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn counts_come_instead_of_members_at_most_once_a_second() {
    let server = serve(quick()).await;
    let mut observer = server.client().await;
    observer
        .join(
            "1",
            "room:1",
            &json!({"name": "watcher", "presence": "counts"}),
        )
        .await;
    let first = observer.next().await;
    assert_eq!(
        (&first[3], &first[4]),
        (
            &json!("presence_count"),
            &json!({"keys": 1, "connections": 1})
        )
    );
    let mut clients = Vec::new();
    for n in 0..20 {
        let mut client = server.client().await;
        client
            .join("1", "room:1", &json!({"name": format!("user {}", n % 10)}))
            .await;
        clients.push(client);
    }
    let next = observer.next().await;
    assert_eq!(
        (&next[3], &next[4]),
        (
            &json!("presence_count"),
            &json!({"keys": 11, "connections": 21})
        )
    );
    observer.silent(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_page_is_stable_and_is_filled_again() {
    let server = serve(quick()).await;
    let mut clients = Vec::new();
    for name in ["b", "c", "d", "e"] {
        let mut client = server.client().await;
        client.enter("room:1", name).await;
        clients.push(client);
    }
    let mut reader = server.client().await;
    reader
        .join(
            "1",
            "room:1",
            &json!({"name": "z", "presence": {"page": 3}}),
        )
        .await;
    assert_eq!(keys(&reader.next().await[4]), ["b", "c", "d"]);
    assert_eq!(reader.next().await[4], json!({"keys": 5, "connections": 5}));
    let mut early = server.client().await;
    early.enter("room:1", "a").await; // sorts before all, and pushes nobody out
    drop(clients.remove(1)); // c
    let diff = reader.event("presence_diff").await[4].clone();
    assert_eq!(
        (keys(&diff["joins"]), keys(&diff["leaves"])),
        (vec!["a"], vec!["c"])
    );
}

#[tokio::test]
async fn a_watch_list_follows_keys_across_topics() {
    let server = serve(quick()).await;
    let (mut ada, mut bob, mut eve) = (
        server.client().await,
        server.client().await,
        server.client().await,
    );
    ada.enter("room:1", "ada").await;
    let mut watcher = server.client().await;
    watcher
        .join(
            "1",
            "watch:friends",
            &json!({"presence": {"keys": ["ada", "bob"]}}),
        )
        .await;
    let state = watcher.next().await[4].clone();
    assert_eq!(state["ada"]["metas"][0]["phx_topic"], "room:1");
    assert_eq!(keys(&state), ["ada"]);
    eve.enter("room:2", "eve").await;
    bob.enter("room:2", "bob").await;
    let diff = watcher.next().await[4].clone();
    assert_eq!(keys(&diff["joins"]), ["bob"]);
    assert_eq!(diff["joins"]["bob"]["metas"][0]["phx_topic"], "room:2");
    drop(ada);
    assert_eq!(keys(&watcher.next().await[4]["leaves"]), ["ada"]);
}

#[tokio::test]
async fn what_came_and_went_within_a_batch_is_not_told_and_a_burst_is_one_message() {
    let mut config = quick();
    config.batch = Duration::from_millis(300);
    let server = serve(config).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut first = server.client().await;
    first.enter("room:1", "first").await; // sent at once, and the next ones wait
    ada.event("presence_diff").await;
    let mut stay = Vec::new();
    for n in 0..5 {
        let (mut goes, mut stays) = (server.client().await, server.client().await);
        goes.join("1", "room:1", &json!({"name": format!("goes {n}")}))
            .await;
        stays
            .join("1", "room:1", &json!({"name": format!("stays {n}")}))
            .await;
        goes.ask("room:1", "phx_leave", &json!({})).await;
        stay.push(stays);
    }
    let diff = ada.event("presence_diff").await[4].clone();
    assert_eq!(keys(&diff["joins"]).len(), 5, "{diff}");
    assert_eq!(keys(&diff["leaves"]).len(), 0);
}

#[tokio::test]
async fn a_drain_closes_all_with_1012_spread_over_time_and_refuses_new_ones() {
    let server = serve(quick()).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(server.client().await);
    }
    let web = server.web.clone();
    let start = tokio::time::Instant::now();
    let drain = tokio::spawn(async move { web.drain(Duration::from_millis(500)).await });
    let mut times = Vec::new();
    let closings = clients.into_iter().map(|mut client| async move {
        let closed = client.closed().await;
        (closed, start.elapsed())
    });
    for (closed, at) in futures_util::future::join_all(closings).await {
        assert_eq!(closed, (1012, "the server restarts".into()));
        times.push(at);
    }
    times.sort();
    assert!(
        times[9] - times[0] > Duration::from_millis(300),
        "{times:?}"
    );
    assert_eq!(server.refusal("vsn=2.0.0", None).await.0, 503);
    drain.await.unwrap();
    assert_eq!(server.web.sockets(), 0);
}

#[tokio::test]
async fn two_nodes_share_rooms_and_broadcasts() {
    let network = Memory::new();
    let start = async |name: &str| {
        let node = Node::builder(name)
            .engine(network.clone())
            .start()
            .await
            .unwrap();
        serve_on(node, quick()).await
    };
    let (one, two) = (start("one").await, start("two").await);
    let (mut ada, mut bob) = (one.client().await, two.client().await);
    ada.enter("room:1", "ada").await;
    let state = bob.enter("room:1", "bob").await;
    if state.get("ada").is_none() {
        assert_eq!(keys(&bob.event("presence_diff").await[4]["joins"]), ["ada"]);
    }
    assert_eq!(keys(&ada.event("presence_diff").await[4]["joins"]), ["bob"]);
    bob.send("1", "room:1", "say", &json!({"text": "hi"})).await;
    assert_eq!(ada.event("said").await[4], json!({"text": "hi"}));
    assert_eq!(bob.event("said").await[4], json!({"text": "hi"}));
    ada.send("1", "room:1", "whisper", &json!({"text": "psst"}))
        .await;
    assert_eq!(bob.event("said").await[4], json!({"text": "psst"}));
    ada.silent(Duration::from_millis(100)).await;
}
