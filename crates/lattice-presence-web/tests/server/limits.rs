//! What a browser may send, and what is over it.

use super::*;

#[tokio::test]
async fn origins_versions_and_users_are_refused_in_the_handshake() {
    let mut config = quick();
    config.origins = Origins::Of(vec!["https://chat.example".into()]);
    let server = serve(config).await;
    let (status, reason) = server
        .refusal("vsn=2.0.0", Some(("origin", "https://evil.example")))
        .await;
    assert_eq!((status, &*reason), (403, "not from this origin"));
    assert_eq!(server.refusal("vsn=9.0.0", None).await.0, 403);
    let (status, reason) = server.refusal("vsn=2.0.0&user=mallory", None).await;
    assert_eq!((status, &*reason), (403, "not you"));
    assert_eq!(server.web.sockets(), 0, "none of them counts");
}

#[tokio::test]
async fn one_socket_too_many_is_refused_and_room_is_made_when_one_ends() {
    let mut config = quick();
    config.sockets = 2;
    let server = serve(config).await;
    let (one, _two) = (server.client().await, server.client().await);
    assert_eq!(
        server.refusal("vsn=2.0.0", None).await,
        (503, "too many sockets".into())
    );
    drop(one);
    for _ in 0..100 {
        if server.web.sockets() < 2 {
            server.client().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no room");
}

#[tokio::test]
async fn an_auth_token_travels_as_a_subprotocol() {
    let server = serve(quick()).await;
    // "mallory"
    let offered = "phoenix, base64url.bearer.phx.bWFsbG9yeQ";
    let (status, _) = server
        .refusal("vsn=2.0.0", Some(("sec-websocket-protocol", offered)))
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn big_messages_close_the_socket_with_a_reason() {
    for size in [65 << 10, 10 << 20] {
        let server = serve(quick()).await;
        let client = server.client().await;
        let text = format!(r#"["1","1","room:1","phx_join","{}"]"#, "x".repeat(size));
        let (mut sink, stream) = client.socket.split();
        let sending = tokio::spawn(async move {
            let _ = sink.send(Message::text(text)).await;
            sink
        });
        let mut stream = stream;
        let mut code = None;
        while let Ok(Some(Ok(message))) = tokio::time::timeout(support::SOON, stream.next()).await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| u16::from(frame.code));
                break;
            }
        }
        assert_eq!(code, Some(1009), "{size}");
        sending.abort();
    }
}

#[tokio::test]
async fn garbage_closes_the_socket_with_a_reason_and_others_go_on() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut client = server.client().await;
    client.raw("{}").await;
    assert_eq!(client.closed().await.0, 1007);
    let mut client = server.client().await;
    client
        .socket
        .send(Message::Binary(Bytes::from_static(&[7, 7])))
        .await
        .unwrap();
    assert_eq!(client.closed().await.0, 1007);
    assert_eq!(ada.ask("room:1", "echo", &json!(1)).await["status"], "ok");
}

#[tokio::test]
async fn ten_thousand_joins_and_a_flood_end_one_socket_and_no_other() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut client = server.client().await;
    for n in 0..10_000 {
        let join = format!(r#"["{n}","{n}","room:{n}","phx_join",{{"name":"flood"}}]"#);
        if client.socket.send(Message::text(join)).await.is_err() {
            break;
        }
    }
    assert_eq!(client.closed().await.0, 1008);
    assert!(*server.app.calls.lock().unwrap() <= 101);
    assert_eq!(ada.ask("room:1", "echo", &json!(1)).await["status"], "ok");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_after_the_idle_limit() {
    let mut config = quick();
    config.limits.idle = Duration::from_millis(300);
    config.ping = Duration::from_secs(60);
    let server = serve(config).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(server.client().await);
    }
    for mut client in clients {
        assert_eq!(client.closed().await.0, 1001);
    }
}

#[tokio::test]
async fn a_client_that_answers_pings_is_not_idle() {
    let mut config = quick();
    config.limits.idle = Duration::from_millis(300);
    config.ping = Duration::from_millis(100);
    let server = serve(config).await;
    let mut client = server.client().await;
    let quiet = tokio::time::timeout(Duration::from_secs(1), client.closed()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_one_state_in_place_of_what_it_missed() {
    let mut config = quick();
    config.batch = Duration::from_millis(1);
    config.queue = 8;
    config.limits.bytes_rate = u32::MAX;
    // This one is slow, and not yet given up.
    config.patience = Duration::from_secs(120);
    let server = serve(config).await;
    let mut slow = server.client().await;
    slow.enter("room:1", "slow").await;
    let mut busy = server.client().await;
    busy.enter("room:1", "busy").await;
    // Some megabytes: more than the kernel keeps for a socket that is not read.
    let big = "x".repeat(50_000);
    for n in 0..400 {
        busy.ask("room:1", "status", &json!({"n": n, "big": big}))
            .await;
        tokio::time::sleep(Duration::from_millis(21)).await;
    }
    // All that it reads leads to what is there.
    let mut seen = Value::Null;
    let mut states = 0;
    for _ in 0..400 {
        let frame = slow.next().await;
        if frame[3] == "presence_state" {
            states += 1;
            seen = frame[4]["busy"]["metas"][0]["n"].clone();
        } else if frame[3] == "presence_diff" {
            seen = frame[4]["joins"]["busy"]["metas"][0]["n"].clone();
        }
        if seen == 399 {
            break;
        }
    }
    assert_eq!((seen, states), (json!(399), 1));
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_after_patience() {
    let mut config = quick();
    config.patience = Duration::from_millis(300);
    config.limits.bytes_rate = u32::MAX;
    let server = serve(config).await;
    let mut slow = server.client().await;
    slow.enter("room:1", "slow").await;
    let mut busy = server.client().await;
    busy.enter("room:1", "busy").await;
    let big = json!("x".repeat(60_000));
    for _ in 0..300 {
        busy.ask("room:1", "say", &big).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if server.web.sockets() == 1 {
            return;
        }
    }
    panic!("still open");
}
