//! The rules that are easy to miss, one test for each. `docs/web.md` lists them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod limits;
mod supabase;

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
