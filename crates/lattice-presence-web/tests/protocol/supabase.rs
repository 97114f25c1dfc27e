//! What Supabase's clients add.

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
        texts(&outputs)[0].starts_with(r#"["1","3","realtime:room","phx_reply",{"status":"ok""#)
    );
}

#[test]
fn too_many_tracks_are_merged_and_the_last_one_wins() {
    let mut client = joined(true);
    let mut done = 0;
    for n in 0..50 {
        let outputs = track(&mut client, n, &format!(r#"{{"n":{n}}}"#));
        done += tracked(&outputs).len();
        // Tracks that are done now are answered by the code that does them.
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
    let outputs = client.send(r#"["1","8","realtime:room","access_token",{"access_token":"x"}]"#);
    assert!(matches!(&*outputs, [Output::Token { token, .. }] if token == "x"));
}

#[test]
fn a_broadcast_is_answered_only_where_the_join_asked_for_it() {
    let frame =
        r#"["1","5","realtime:room","broadcast",{"type":"broadcast","event":"x","payload":{}}]"#;
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
