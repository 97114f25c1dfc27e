//! What Supabase's clients get.

use super::*;

fn config(enabled: bool) -> Value {
    json!({"config": {"presence": {"key": "u1", "enabled": enabled}, "broadcast": {"ack": true, "self": false}}})
}

const TOPIC: &str = "realtime:room";

fn track(payload: &Value) -> Value {
    json!({"type": "presence", "event": "track", "payload": payload})
}

#[tokio::test]
async fn track_and_untrack_and_a_late_track_gets_the_state() {
    let server = serve(quick()).await;
    let (mut ada, mut late) = (server.client().await, server.client().await);
    let reply = ada.join("1", TOPIC, &config(true)).await;
    assert_eq!(reply["response"], json!({"postgres_changes": []}));
    assert_eq!(ada.next().await[4], json!({}));
    assert_eq!(
        ada.ask(TOPIC, "presence", &track(&json!({"name": "Ada"})))
            .await["status"],
        "ok"
    );
    assert_eq!(
        ada.event("presence_diff").await[4]["joins"]["u1"]["metas"][0]["name"],
        "Ada"
    );
    late.join("1", TOPIC, &config(false)).await;
    late.send("1", TOPIC, "presence", &track(&json!({"name": "Bo"})))
        .await;
    let state = late.event("presence_state").await;
    assert_eq!(state[4]["u1"]["metas"][0]["name"], "Ada");
    ada.event("presence_diff").await;
    ada.send(
        "1",
        TOPIC,
        "presence",
        &json!({"type": "presence", "event": "untrack"}),
    )
    .await;
    let leaves = ada.event("presence_diff").await[4]["leaves"].clone();
    // Then once more without its reference, for the client that has lost it.
    let names: Vec<_> = leaves["u1"]["metas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|meta| &meta["name"])
        .collect();
    assert_eq!(names, ["Ada", "Ada"]);
}

#[tokio::test]
async fn too_many_tracks_end_with_the_last_one_and_the_channel_open() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    ada.join("1", TOPIC, &config(true)).await;
    for n in 0..40 {
        assert_eq!(
            ada.ask(TOPIC, "presence", &track(&json!({"n": n}))).await["status"],
            "ok"
        );
    }
    loop {
        let diff = ada.event("presence_diff").await[4].clone();
        if diff["joins"]["u1"]["metas"][0]["n"] == 39 {
            return;
        }
    }
}

#[tokio::test]
async fn broadcasts_are_acknowledged_and_a_bad_token_closes_the_channel() {
    let server = serve(quick()).await;
    let (mut ada, mut bob) = (server.client().await, server.client().await);
    ada.join("1", TOPIC, &config(true)).await;
    bob.join("1", TOPIC, &config(true)).await;
    let message = json!({"type": "broadcast", "event": "x", "payload": {"y": 1}});
    assert_eq!(ada.ask(TOPIC, "broadcast", &message).await["status"], "ok");
    bob.next().await;
    let Some(Ok(Message::Binary(frame))) = bob.socket.next().await else {
        panic!("no binary frame")
    };
    assert_eq!(&frame[..], b"\x04\x0d\x01\x00\x01realtime:roomx{\"y\":1}");
    ada.send("1", TOPIC, "access_token", &json!({"access_token": "good"}))
        .await;
    ada.send("1", TOPIC, "access_token", &json!({"access_token": "bad"}))
        .await;
    let system = ada.event("system").await[4].clone();
    assert_eq!(
        system,
        json!({"extension": "system", "status": "error", "message": "Token has expired", "channel": "room"})
    );
    ada.event("phx_close").await;
}

#[tokio::test]
async fn an_empty_key_is_replaced_by_a_unique_one() {
    let server = serve(quick()).await;
    let mut clients = [server.client().await, server.client().await];
    for client in &mut clients {
        client.join("1", TOPIC, &json!({"config": {}})).await;
        client.ask(TOPIC, "presence", &track(&json!({}))).await;
    }
    let mut reader = server.client().await;
    reader.join("1", TOPIC, &json!({"config": {}})).await;
    assert_eq!(keys(&reader.next().await[4]).len(), 2);
}
