//! What one socket may do, and what is over it.

use super::*;

#[test]
fn one_topic_too_many_is_refused_and_room_is_made_by_a_leave() {
    let mut limits = Limits::default();
    limits.topics = 3;
    let mut client = Client::with(Version::V2, limits);
    for n in 0..3 {
        client.join(&format!(r#"["{n}","{n}","room:{n}","phx_join",{{}}]"#));
    }
    let frame = r#"["7","7","room:7","phx_join",{}]"#;
    assert!(client.texts(frame)[0].ends_with(&error("too many channels joined")));
    client.join(r#"["8","8","room:2","phx_join",{}]"#); // again, not more
    client.send(r#"["1","9","room:1","phx_leave",{}]"#);
    assert_eq!(joins(&client.send(frame)).len(), 1);
}

#[test]
fn ten_thousand_joins_cost_a_hundred_channels_and_then_the_socket() {
    let mut client = Client::new(Version::V2);
    let mut asked = 0;
    for n in 0..10_000 {
        let outputs = client.send(&format!(r#"["{n}","{n}","room:{n}","phx_join",{{}}]"#));
        asked += joins(&outputs).len();
        assert!(outputs.len() <= 1);
        if let [Output::Close(closing)] = &*outputs {
            assert_eq!((closing.code, asked), (1008, 100));
            return;
        }
    }
    panic!("never closed");
}

#[test]
fn a_flood_is_answered_with_errors_and_heartbeats_go_on() {
    let (mut client, _) = Client::joined("room");
    let mut served = 0;
    for n in 0..200 {
        served += tickets(&client.send(&format!(r#"["1","{n}","room","say",{{}}]"#))).len();
    }
    assert_eq!(served, 99, "the join was one");
    let over = client.texts(r#"["1","300","room","say",{}]"#);
    assert!(over[0].ends_with(&error("too many messages")));
    assert!(client.texts(r#"[null,"301","phoenix","heartbeat",{}]"#)[0].contains("\"ok\""));
    client.now += Duration::from_secs(1);
    assert_eq!(
        tickets(&client.send(r#"["1","302","room","say",{}]"#)).len(),
        1
    );
}

#[test]
fn topics_and_events_at_their_limit_pass_and_over_it_get_an_error() {
    let mut client = Client::new(Version::V2);
    let at = "x".repeat(255);
    let channel = client.join(&format!(r#"["1","1","{at}","phx_join",{{}}]"#));
    assert_eq!(
        tickets(&client.send(&format!(r#"["1","2","{at}","{at}",{{}}]"#))).len(),
        1
    );
    let long = client.texts(&format!(r#"["2","3","{at}x","phx_join",{{}}]"#));
    assert!(long[0].ends_with(&error("the topic is too long")));
    let long = client.texts(&format!(r#"["1","4","{at}","{at}x",{{}}]"#));
    assert!(long[0].ends_with(&error("the event's name is too long")));
    client.session.close(channel);
}

#[test]
fn a_message_over_the_size_limit_closes_the_socket() {
    let mut client = Client::new(Version::V2);
    let frame = format!(r#"["1","1","room","phx_join","{}"]"#, "x".repeat(64 << 10));
    assert!(matches!(&*client.send(&frame), [Output::Close(closing)] if closing.code == 1009));
}

#[test]
fn bytes_over_the_rate_are_answered_with_an_error_and_heartbeats_go_on() {
    let (mut client, _) = Client::joined("room:1");
    let big = "x".repeat(60_000);
    let frame = format!(r#"["1","7","room:1","say","{big}"]"#);
    let passed = (0..20).filter(|_| !tickets(&client.send(&frame)).is_empty());
    // 256 KiB at once.
    assert_eq!(passed.count(), 4);
    assert!(client.texts(&frame)[0].ends_with(&error("too many bytes")));
    let heartbeat = r#"[null,"8","phoenix","heartbeat",{}]"#;
    assert!(client.texts(heartbeat)[0].contains(r#""ok""#));
    client.now += Duration::from_secs(1);
    assert_eq!(tickets(&client.send(&frame)).len(), 1);
}

#[test]
fn a_message_that_may_be_sent_is_never_too_many_bytes_for_ever() {
    let mut limits = Limits::default();
    limits.bytes_burst = 10;
    let mut client = Client::with(Version::V2, limits);
    let frame = format!(r#"["1","1","room:1","phx_join","{}"]"#, "x".repeat(60_000));
    assert_eq!(joins(&client.send(&frame)).len(), 1);
}

#[test]
fn what_waits_for_joins_is_bounded_in_bytes_for_all_channels_together() {
    let mut limits = Limits::default();
    (limits.bytes_burst, limits.bytes_rate) = (u32::MAX, u32::MAX);
    let mut client = Client::with(Version::V2, limits);
    let big = "x".repeat(60_000);
    let mut waiting = 0;
    for topic in 0..20 {
        let joining = client.send(&format!(r#"["1","1","room:{topic}","phx_join",{{}}]"#));
        for _ in 0..2 {
            let answered = client.texts(&format!(r#"["1","7","room:{topic}","say","{big}"]"#));
            waiting += usize::from(answered.is_empty());
        }
        // What is answered, refused or left makes room again.
        if topic >= 4 && topic % 2 == 0 {
            let channel = joins(&joining)[0];
            client.session.refuse(channel, &Payload::empty());
        }
    }
    assert_eq!(waiting, 4);
    for topic in [0, 1] {
        client.send(&format!(r#"["1","9","room:{topic}","phx_leave",{{}}]"#));
    }
    let frame = format!(r#"["1","7","room:3","say","{big}"]"#);
    assert!(client.texts(&frame).is_empty(), "there is room again");
}

#[test]
fn rejoins_over_the_rate_are_answered_with_an_error_and_the_channel_is_gone() {
    let mut client = Client::new(Version::V2);
    let join = |n| format!(r#"["{n}","{n}","room:1","phx_join",{{}}]"#);
    for n in 0..5 {
        client.join(&join(n));
    }
    let outputs = client.send(&join(5));
    assert_eq!(joins(&outputs), []);
    let texts = texts(&outputs);
    assert_eq!(texts[0], r#"["4","4","room:1","phx_close",{}]"#);
    assert!(texts[1].ends_with(&error("too many joins")), "{texts:?}");
    // The client has let go of the former channel: nothing of it stays.
    assert!(matches!(outputs[1], Output::Left { rejoins: false, .. }));
    assert_eq!(
        joins(&client.send(r#"["1","1","room:2","phx_join",{}]"#)).len(),
        1
    );
    client.now += Duration::from_secs(1);
    assert_eq!(joins(&client.send(&join(6))).len(), 1);
}
