//! Slow clients, slow applications, and members that send much.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async;

use super::*;

/// As many messages as the test wants, of any size.
fn unlimited() -> lattice_presence_web::Config {
    let mut config = quick();
    (config.limits.burst, config.limits.rate) = (u32::MAX, u32::MAX);
    (config.limits.bytes_burst, config.limits.bytes_rate) = (u32::MAX, u32::MAX);
    config
}

#[tokio::test]
async fn a_burst_of_one_member_closes_no_member_that_does_not_read_just_now() {
    let mut config = quick();
    (config.limits.burst, config.limits.rate) = (u32::MAX, u32::MAX);
    let server = serve(config).await;
    let (mut busy, mut slow) = (server.client().await, server.client().await);
    slow.enter("room:1", "slow").await;
    busy.enter("room:1", "busy").await;
    // 24 MB: more than the kernel keeps for a socket that is not read.
    let big = json!("x".repeat(60_000));
    let mut refused = 0;
    for _ in 0..400 {
        let reply = busy.ask("room:1", "say", &big).await;
        refused += usize::from(reply["response"]["reason"] == "too many bytes");
    }
    assert!(refused > 300, "{refused}");
    assert_eq!(slow.ask("room:1", "echo", &json!(1)).await["status"], "ok");
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_stays_and_gets_all() {
    let mut config = unlimited();
    config.patience = Duration::from_secs(1);
    // Who takes what is sent is not silent, though it says nothing.
    config.limits.idle = Duration::from_secs(3);
    config.ping = Duration::from_millis(500);
    config.queue_bytes = 64 << 20;
    config.limits.message_bytes = 1 << 20;
    let server = serve(config).await;
    // The client's side of the connection keeps little.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let stream = socket
        .connect(server.address.parse().unwrap())
        .await
        .unwrap();
    let request = format!("ws://{}/socket/websocket?vsn=2.0.0", server.address);
    let (mut slow, _) = client_async(request, stream).await.unwrap();
    let join = json!(["1", "1", "room:1", "phx_join", {"name": "slow"}]);
    slow.send(Message::text(join.to_string())).await.unwrap();
    let mut busy = server.client().await;
    busy.enter("room:1", "busy").await;
    let big = json!("x".repeat(500_000));
    for _ in 0..80 {
        busy.send("1", "room:1", "whisper", &big).await;
    }
    // 40 MB within eight times its patience. Then it is still served.
    let (mut got, mut is_served) = (0, false);
    while !is_served {
        let message = timeout(Duration::from_secs(20), slow.next()).await;
        match message.expect("no frame in time") {
            Some(Ok(Message::Text(text))) if text.contains("\"said\"") => {
                got += 1;
                sleep(Duration::from_millis(100)).await;
                if got == 80 {
                    let echo = json!(["1", "last", "room:1", "echo", {}]);
                    slow.send(Message::text(echo.to_string())).await.unwrap();
                }
            }
            Some(Ok(Message::Text(text))) => is_served = text.contains("\"last\""),
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("after {got}: {other:?}"),
        }
    }
    assert_eq!(got, 80);
}

#[tokio::test]
async fn calls_of_a_client_that_does_not_read_go_on_and_hold_up_nobody() {
    let mut config = unlimited();
    config.patience = Duration::from_secs(120);
    config.queue_bytes = 64 << 20;
    config.limits.message_bytes = 1 << 20;
    let server = serve(config).await;
    let (mut slow, mut busy) = (server.client().await, server.client().await);
    let mut other = server.client().await;
    slow.enter("room:1", "slow").await;
    busy.enter("room:1", "busy").await;
    other.enter("room:2", "other").await;
    slow.send("1", "room:1", "hold", &json!(2000)).await;
    // 30 MB: the socket of the slow one writes, and waits, before its call is done.
    let big = json!("x".repeat(500_000));
    for _ in 0..60 {
        busy.send("1", "room:1", "whisper", &big).await;
    }
    sleep(Duration::from_millis(500)).await;
    assert_eq!(other.ask("room:2", "hold", &json!(0)).await["status"], "ok");
}

#[tokio::test]
async fn what_was_answered_is_done_however_much_waits_for_the_application() {
    let server = serve(unlimited()).await;
    let (mut ada, mut bob) = (server.client().await, server.client().await);
    let (topic, config) = (
        "realtime:room",
        json!({"config": {"presence": {"key": "u1"}}}),
    );
    ada.join("1", topic, &config).await;
    bob.join("1", topic, &json!({"config": {}})).await;
    let call = |event: &str| json!({"type": "presence", "event": event, "payload": {}});
    ada.ask(topic, "presence", &call("track")).await;
    assert_eq!(keys(&bob.event("presence_diff").await[4]["joins"]), ["u1"]);
    ada.send("1", topic, "sleep", &json!(1000)).await;
    let mut events = Vec::new();
    for n in 0..1000 {
        events.push(ada.send("1", topic, "echo", &json!(n)).await);
    }
    let untracked = ada.ask(topic, "presence", &call("untrack")).await;
    assert_eq!(untracked["status"], "ok");
    assert_eq!(keys(&bob.event("presence_diff").await[4]["leaves"]), ["u1"]);
    for (n, event) in events.iter().enumerate() {
        let reply = ada.reply(event).await;
        assert_eq!(reply, json!({"status": "ok", "response": n}));
    }
}

#[tokio::test]
async fn a_slow_application_holds_its_client_and_no_other() {
    let mut config = unlimited();
    // A socket that is held back is not silent, and a probe gets an answer.
    config.limits.idle = Duration::from_millis(500);
    config.ping = Duration::from_millis(100);
    let server = serve(config).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    ada.send("1", "room:1", "sleep", &json!(4000)).await;
    let (sink, mut stream) = ada.socket.split();
    let count = Arc::new(AtomicUsize::new(0));
    let sent = count.clone();
    let sending = tokio::spawn(async move {
        let mut sink = sink;
        let big = "x".repeat(60_000);
        for n in 0..1000 {
            let frame = json!(["1", n.to_string(), "room:1", "echo", {"n": n, "big": big}]);
            sink.send(Message::text(frame.to_string())).await.unwrap();
            sent.fetch_add(1, Ordering::SeqCst);
        }
    });
    sleep(Duration::from_millis(2000)).await;
    // 60 MB: what the kernel keeps for both sides, and no more.
    let held = count.load(Ordering::SeqCst);
    assert!(
        held < 600,
        "{held} messages were taken from a client that has to wait"
    );
    let mut bob = server.client().await;
    bob.enter("room:1", "bob").await;
    // Nothing was lost.
    let mut next = 0;
    while next < 1000 {
        match timeout(Duration::from_secs(20), stream.next())
            .await
            .expect("held for ever")
        {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame[3] == "phx_reply" && frame[4]["response"]["n"] == next {
                    next += 1;
                }
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn a_leave_that_overtakes_the_answer_to_a_rejoin_takes_the_entry_out() {
    let server = serve(quick()).await;
    let (mut ada, mut bob) = (server.client().await, server.client().await);
    bob.enter("room:1", "bob").await;
    ada.enter("room:1", "ada").await;
    assert_eq!(keys(&bob.event("presence_diff").await[4]["joins"]), ["ada"]);
    let slowly = json!(["2", "2", "room:1", "phx_join", {"name": "ada", "sleep": 60_000}]);
    ada.raw(&slowly.to_string()).await;
    ada.send("2", "room:1", "phx_leave", &json!({})).await;
    assert_eq!(
        keys(&bob.event("presence_diff").await[4]["leaves"]),
        ["ada"]
    );
}

#[tokio::test]
async fn rejoins_in_a_loop_cost_a_few_states() {
    let server = serve(quick()).await;
    let mut ada = server.client().await;
    let mut answers = [0, 0];
    for n in 0..50 {
        let reply = ada
            .join(&n.to_string(), "room:1", &json!({"name": "ada"}))
            .await;
        let refused = reply["response"]["reason"] == "too many joins";
        answers[usize::from(refused)] += 1;
    }
    assert!(answers[0] <= 10, "{answers:?}");
    assert!(*server.app.calls.lock().unwrap() <= 10);
}

#[tokio::test]
async fn half_a_frame_costs_a_socket_and_no_more() {
    let mut config = quick();
    config.limits.idle = Duration::from_millis(500);
    let server = serve(config).await;
    let mut ada = server.client().await;
    ada.enter("room:1", "ada").await;
    let mut half = server.client().await;
    // The head of a masked text of 100 bytes, and ten of them.
    let mut bytes = vec![0x81, 0x80 | 100, 0, 0, 0, 0];
    bytes.extend_from_slice(&[b'x'; 10]);
    half.socket.get_mut().write_all(&bytes).await.unwrap();
    assert_eq!(half.closed().await.0, 1001);
    let mut bad = server.client().await;
    // A text that is no UTF-8, and a frame of no kind.
    bad.socket
        .get_mut()
        .write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .await
        .unwrap();
    assert_eq!(bad.closed().await.0, 1007);
    let mut bad = server.client().await;
    bad.socket
        .get_mut()
        .write_all(&[0x87, 0x80, 0, 0, 0, 0])
        .await
        .unwrap();
    assert_eq!(bad.closed().await.0, 1007);
    assert_eq!(server.refusal("vsn=2.0.0&resume=short", None).await.0, 403);
}
