//! The rules that are easy to miss, one test for each. `docs/web.md` lists them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use core::time::Duration;

use lattice_presence_web::phoenix::{
    ChannelId, Limits, Output, Payload, Session, Status, Ticket, Version,
};

const START: Duration = Duration::from_secs(1000);

/// A client that sends, and what came of it.
struct Client {
    session: Session,
    now: Duration,
}

impl Client {
    fn new(version: Version) -> Self {
        Self::with(version, Limits::default())
    }

    fn with(version: Version, limits: Limits) -> Self {
        Self {
            session: Session::new(version, limits, START),
            now: START,
        }
    }

    fn joined(topic: &str) -> (Self, ChannelId) {
        let mut client = Self::new(Version::V2);
        let channel = client.join(&format!(r#"["1","1","{topic}","phx_join",{{}}]"#));
        (client, channel)
    }

    /// Joins, and passes over what the client gets for it.
    fn join(&mut self, frame: &str) -> ChannelId {
        let outputs = self.send(frame);
        let channel = joins(&outputs)[0];
        self.session
            .accept(self.now, channel, &Payload::empty(), true);
        self.outputs();
        channel
    }

    fn send(&mut self, frame: &str) -> Vec<Output> {
        self.session.receive_text(self.now, frame);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.session.poll()).collect()
    }

    fn texts(&mut self, frame: &str) -> Vec<String> {
        texts(&self.send(frame))
    }
}

fn texts(outputs: &[Output]) -> Vec<String> {
    let text = |output: &Output| match output {
        Output::Send(wire) => wire.text().map(str::to_owned),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

fn joins(outputs: &[Output]) -> Vec<ChannelId> {
    let join = |output: &Output| match output {
        Output::Join { channel, .. } => Some(*channel),
        _ => None,
    };
    outputs.iter().filter_map(join).collect()
}

fn tickets(outputs: &[Output]) -> Vec<Ticket> {
    let ticket = |output: &Output| match output {
        Output::Event { ticket, .. } => Some(ticket.clone()),
        Output::Track { ticket, .. } | Output::Broadcast { ticket, .. } => ticket.clone(),
        _ => None,
    };
    outputs.iter().filter_map(ticket).collect()
}

fn error(reason: &str) -> String {
    format!(r#""phx_reply",{{"status":"error","response":{{"reason":"{reason}"}}}}]"#)
}

#[test]
fn a_join_of_a_joined_topic_closes_the_former_channel_first() {
    let (mut client, former) = Client::joined("room");
    let outputs = client.send(r#"["5","5","room","phx_join",{}]"#);
    assert_eq!(texts(&outputs[..1]), [r#"["1","1","room","phx_close",{}]"#]);
    assert_eq!(
        outputs[1],
        Output::Left {
            channel: former,
            rejoins: true
        }
    );
    let channel = joins(&outputs)[0];
    assert_ne!(channel, former);
    client
        .session
        .accept(START, channel, &Payload::empty(), true);
    let outputs = client.outputs();
    assert!(texts(&outputs)[0].starts_with(r#"["5","5","room","phx_reply",{"status":"ok""#));
    // Diffs on their way would be applied after the state: it comes twice.
    assert_eq!(
        outputs[1],
        Output::Subscribe {
            channel,
            twice: true
        }
    );
}

#[test]
fn a_rejoin_before_the_join_was_answered_is_one_join() {
    let mut client = Client::new(Version::V2);
    let first = joins(&client.send(r#"["1","1","room","phx_join",{}]"#))[0];
    let second = joins(&client.send(r#"["2","2","room","phx_join",{}]"#))[0];
    client.session.accept(START, first, &Payload::empty(), true);
    assert!(
        client.outputs().is_empty(),
        "the answer to a channel that is gone"
    );
    client
        .session
        .accept(START, second, &Payload::empty(), true);
    assert_eq!(
        client.outputs()[1],
        Output::Subscribe {
            channel: second,
            twice: false
        }
    );
}

#[test]
fn messages_with_an_outdated_join_reference_are_dropped_in_silence() {
    let (mut client, _) = Client::joined("room");
    client.join(r#"["5","5","room","phx_join",{}]"#);
    assert!(client.send(r#"["1","6","room","say",{}]"#).is_empty());
    assert!(client.send(r#"["1","7","room","phx_leave",{}]"#).is_empty());
    assert_eq!(
        tickets(&client.send(r#"["5","8","room","say",{}]"#)).len(),
        1
    );
}

#[test]
fn a_null_join_reference_is_accepted() {
    let (mut client, _) = Client::joined("room");
    assert_eq!(
        tickets(&client.send(r#"[null,"6","room","say",{}]"#)).len(),
        1
    );
}

#[test]
fn a_late_reply_carries_the_join_reference_of_its_own_channel() {
    let (mut client, _) = Client::joined("room");
    let ticket = tickets(&client.send(r#"["1","2","room","say",{}]"#)).remove(0);
    client.join(r#"["5","5","room","phx_join",{}]"#);
    client.session.reply(&ticket, Status::Ok, &Payload::empty());
    let late = texts(&client.outputs());
    assert_eq!(
        late,
        [r#"["1","2","room","phx_reply",{"status":"ok","response":{}}]"#]
    );
}

#[test]
fn a_leave_is_answered_and_then_closed() {
    let (mut client, channel) = Client::joined("room");
    let outputs = client.send(r#"["1","9","room","phx_leave",{}]"#);
    assert_eq!(
        texts(&outputs),
        [
            r#"["1","9","room","phx_reply",{"status":"ok","response":{}}]"#,
            r#"["1","1","room","phx_close",{}]"#,
        ],
    );
    assert_eq!(
        outputs[2],
        Output::Left {
            channel,
            rejoins: false
        }
    );
}

#[test]
fn a_leave_of_a_topic_that_is_not_joined_is_answered_with_ok() {
    let mut client = Client::new(Version::V2);
    let reply = client.texts(r#"["1","9","room","phx_leave",{}]"#);
    assert_eq!(
        reply,
        [r#"["1","9","room","phx_reply",{"status":"ok","response":{}}]"#]
    );
}

#[test]
fn a_leave_may_come_before_the_join_was_answered() {
    let mut client = Client::new(Version::V2);
    let channel = joins(&client.send(r#"["1","1","room","phx_join",{}]"#))[0];
    let outputs = client.send(r#"["1","2","room","phx_leave",{}]"#);
    assert!(outputs.contains(&Output::Left {
        channel,
        rejoins: false
    }));
    client
        .session
        .accept(START, channel, &Payload::empty(), true);
    assert!(client.outputs().is_empty());
    assert_eq!(
        joins(&client.send(r#"["3","3","room","phx_join",{}]"#)).len(),
        1
    );
}

#[test]
fn messages_before_the_join_was_answered_wait_for_it() {
    let mut client = Client::new(Version::V2);
    let channel = joins(&client.send(r#"["1","1","room","phx_join",{}]"#))[0];
    for reference in 2..18 {
        assert!(
            client
                .send(&format!(r#"["1","{reference}","room","say",{{}}]"#))
                .is_empty()
        );
    }
    let over = client.texts(r#"["1","99","room","say",{}]"#);
    assert!(
        over[0].ends_with(&error("the join is not answered yet")),
        "{over:?}"
    );
    client
        .session
        .accept(START, channel, &Payload::empty(), false);
    assert_eq!(tickets(&client.outputs()).len(), 16);
}

#[test]
fn messages_that_waited_for_a_join_that_was_refused_are_unmatched() {
    let mut client = Client::new(Version::V2);
    let channel = joins(&client.send(r#"["1","1","room","phx_join",{}]"#))[0];
    client.send(r#"["1","2","room","say",{}]"#);
    client.session.refuse(channel, &Payload::reason("full"));
    let texts = texts(&client.outputs());
    assert!(texts[0].ends_with(&error("full")), "{texts:?}");
    assert!(
        texts[1].starts_with(r#"[null,"2","room""#)
            && texts[1].ends_with(&error("unmatched topic"))
    );
}

#[test]
fn a_topic_that_nobody_joined_is_unmatched_with_a_null_join_reference() {
    let mut client = Client::new(Version::V2);
    let reply = client.texts(r#"["1","2","room","say",{}]"#);
    assert_eq!(
        reply,
        [format!(r#"[null,"2","room",{}"#, error("unmatched topic"))]
    );
    assert!(
        client.texts(r#"[null,"3","phoenix","dance",{}]"#)[0].ends_with(&error("unmatched topic"))
    );
    assert!(
        client.texts(r#"[null,null,"room","say",{}]"#).is_empty(),
        "nobody waits"
    );
}

#[test]
fn a_message_without_a_reference_gets_no_reply() {
    let (mut client, _) = Client::joined("room");
    let ticket = tickets(&client.send(r#"["1",null,"room","say",{}]"#)).remove(0);
    client.session.reply(&ticket, Status::Ok, &Payload::empty());
    assert!(client.outputs().is_empty());
}

#[test]
fn a_failed_channel_gets_an_error_that_makes_the_client_join_again() {
    let (mut client, channel) = Client::joined("room");
    client.session.fail(channel);
    assert_eq!(
        texts(&client.outputs()),
        [r#"["1","1","room","phx_error",{}]"#]
    );
    client.session.fail(channel);
    assert!(client.outputs().is_empty(), "once");
}

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
fn a_frame_that_is_no_message_closes_the_socket_with_a_reason_and_never_with_1000() {
    let frames = [
        "",
        "{",
        "[1,2",
        "{}",
        "[]",
        "\u{0}",
        r#"["1","1",null,"phx_join",{}]"#,
    ];
    for frame in frames {
        let mut client = Client::new(Version::V2);
        match &*client.send(frame) {
            [Output::Close(closing)] => {
                assert_eq!(closing.code, 1007);
                assert!(!closing.reason.is_empty() && closing.reason.len() <= 123);
            }
            other => panic!("{frame}: {other:?}"),
        }
        assert!(
            client
                .send(r#"[null,"1","phoenix","heartbeat",{}]"#)
                .is_empty(),
            "closed"
        );
    }
}

#[test]
fn a_message_over_the_size_limit_closes_the_socket() {
    let mut client = Client::new(Version::V2);
    let frame = format!(r#"["1","1","room","phx_join","{}"]"#, "x".repeat(64 << 10));
    assert!(matches!(&*client.send(&frame), [Output::Close(closing)] if closing.code == 1009));
}

#[test]
fn silence_closes_the_socket_after_90_seconds_and_a_pong_is_no_silence() {
    let mut client = Client::new(Version::V2);
    client.session.heard(START + Duration::from_secs(60));
    client.session.advance(START + Duration::from_secs(149));
    assert!(client.outputs().is_empty());
    client.session.advance(START + Duration::from_secs(150));
    assert!(matches!(&*client.outputs(), [Output::Close(closing)] if closing.code == 1001));
}

#[test]
fn version_1_speaks_objects() {
    let mut client = Client::new(Version::V1);
    let frame = r#"{"topic":"room","event":"phx_join","payload":{},"ref":"1"}"#;
    let channel = joins(&client.send(frame))[0];
    client
        .session
        .accept(START, channel, &Payload::empty(), false);
    assert_eq!(
        texts(&client.outputs()),
        [
            r#"{"topic":"room","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}"#
        ],
    );
    let leave = r#"{"topic":"room","event":"phx_leave","payload":{},"ref":"2"}"#;
    let close = r#"{"topic":"room","event":"phx_close","payload":{},"ref":"1"}"#;
    assert_eq!(client.texts(leave)[1], close);
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

#[test]
fn a_leave_and_a_join_in_one_breath_get_the_state_twice_and_later_once() {
    let (mut client, _) = Client::joined("room:1");
    let twice = |client: &mut Client| {
        client.send(r#"["1","9","room:1","phx_leave",{}]"#);
        let outputs = client.send(r#"["1","1","room:1","phx_join",{}]"#);
        let channel = joins(&outputs)[0];
        client
            .session
            .accept(client.now, channel, &Payload::empty(), true);
        let outputs = client.outputs();
        outputs.iter().find_map(|output| match output {
            Output::Subscribe { twice, .. } => Some(*twice),
            _ => None,
        })
    };
    assert_eq!(twice(&mut client), Some(true), "diffs may be on their way");
    client.send(r#"["1","9","room:1","phx_leave",{}]"#);
    client.now += Duration::from_secs(60);
    assert_eq!(twice(&mut client), Some(false));
}

mod supabase {
    use super::*;

    const JOIN: &str = r#"["1","1","realtime:room","phx_join",{"config":{"broadcast":{"ack":false,"self":false},"presence":{"key":"u1","enabled":ENABLED}}}]"#;

    fn joined(enabled: bool) -> Client {
        let mut client = Client::new(Version::V2);
        client.join(&JOIN.replace("ENABLED", &enabled.to_string()));
        client
    }

    fn track(client: &mut Client, reference: u32, payload: &str) -> Vec<Output> {
        client.send(&format!(
            r#"["1","{reference}","realtime:room","presence",{{"type":"presence","event":"track","payload":{payload}}}]"#
        ))
    }

    fn tracked(outputs: &[Output]) -> Vec<&str> {
        let payload = |output: &'_ Output| match output {
            Output::Track { payload, .. } => Some(payload.as_json().unwrap().to_owned().leak()),
            _ => None,
        };
        outputs
            .iter()
            .filter_map(|output| payload(output).map(|text| &*text))
            .collect()
    }

    #[test]
    fn a_track_that_enables_presence_late_gets_the_state_before_it_is_seen() {
        let mut client = joined(false);
        let outputs = track(&mut client, 2, r#"{"name":"Ada"}"#);
        assert!(
            matches!(&*outputs, [Output::Subscribe { .. }, Output::Track { .. }]),
            "{outputs:?}"
        );
        let outputs = track(&mut client, 3, r#"{"name":"Bo"}"#);
        assert!(
            matches!(&*outputs, [Output::Track { .. }]),
            "subscribed once: {outputs:?}"
        );
    }

    #[test]
    fn the_same_payload_again_is_nothing_and_is_answered() {
        let mut client = joined(true);
        track(&mut client, 2, r#"{"a":1,"b":2}"#);
        let outputs = track(&mut client, 3, r#"{ "b": 2, "a": 1 }"#);
        assert_eq!(tracked(&outputs).len(), 0);
        assert!(
            texts(&outputs)[0]
                .starts_with(r#"["1","3","realtime:room","phx_reply",{"status":"ok""#)
        );
    }

    #[test]
    fn too_many_tracks_are_merged_and_the_last_one_wins() {
        let mut client = joined(true);
        let mut done = 0;
        for n in 0..50 {
            let outputs = track(&mut client, n, &format!(r#"{{"n":{n}}}"#));
            done += tracked(&outputs).len();
            // Those that are done now are answered by whoever does them.
            assert_eq!(texts(&outputs).len() + tracked(&outputs).len(), 1);
        }
        assert_eq!(done, 5);
        let due = client.session.next_timeout();
        assert_eq!(due, START + Duration::from_millis(200));
        client.session.advance(due);
        assert_eq!(tracked(&client.outputs()), [r#"{"n":49}"#]);
        client.session.advance(due + Duration::from_secs(1));
        assert!(client.outputs().is_empty());
    }

    #[test]
    fn an_untrack_forgets_the_track_that_waits() {
        let mut client = joined(true);
        for n in 0..7 {
            track(&mut client, n, &format!(r#"{{"n":{n}}}"#));
        }
        let frame = r#"["1","9","realtime:room","presence",{"type":"presence","event":"UNTRACK"}]"#;
        let outputs = client.send(frame);
        assert!(matches!(outputs[0], Output::Untrack { .. }));
        assert!(texts(&outputs)[0].contains("\"ok\""));
        client.session.advance(START + Duration::from_secs(10));
        assert!(client.outputs().is_empty());
    }

    #[test]
    fn a_track_of_something_else_than_a_map_is_an_error() {
        let mut client = joined(true);
        let outputs = track(&mut client, 2, "[1]");
        assert!(texts(&outputs)[0].ends_with(&error("Presence track payload must be a map")));
        let frame = r#"["1","3","realtime:room","presence",{"event":"dance"}]"#;
        assert!(client.texts(frame)[0].ends_with(&error("Unknown presence event")));
        let frame = r#"["1","4","realtime:room","presence",7]"#;
        assert!(client.texts(frame)[0].contains("\"error\""));
    }

    #[test]
    fn a_token_needs_no_reply() {
        let mut client = joined(true);
        let outputs =
            client.send(r#"["1","8","realtime:room","access_token",{"access_token":"x"}]"#);
        assert!(matches!(&*outputs, [Output::Token { token, .. }] if token == "x"));
    }

    #[test]
    fn a_broadcast_is_answered_only_where_the_join_asked_for_it() {
        let frame = r#"["1","5","realtime:room","broadcast",{"type":"broadcast","event":"x","payload":{}}]"#;
        let mut client = joined(true);
        assert!(matches!(
            &*client.send(frame),
            [Output::Broadcast {
                ticket: None,
                to_self: false,
                ..
            }]
        ));
        let mut client = Client::new(Version::V2);
        client.join(&JOIN.replace("ENABLED", "true").replace("false", "true"));
        assert!(matches!(
            &*client.send(frame),
            [Output::Broadcast {
                ticket: Some(_),
                to_self: true,
                ..
            }]
        ));
    }

    #[test]
    fn a_plain_channel_has_no_such_events() {
        let (mut client, _) = Client::joined("room");
        for event in ["presence", "broadcast", "access_token"] {
            let outputs = client.send(&format!(r#"["1","2","room","{event}",{{}}]"#));
            assert!(matches!(&*outputs, [Output::Event { .. }]));
        }
    }
}
