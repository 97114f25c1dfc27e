//! What real clients sent, and what the session says to it.
//!
//! The transcripts in `tests/transcripts` were recorded by `tests/clients/record.mjs`.
//! A line `> ` is the client's, `< ` what it gets, `! ` what the application is asked
//! for; here it says yes to everything. `LATTICE_RECORD=1` writes the lines of the
//! server anew: read the difference before you commit it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::path::PathBuf;

use lattice_presence_web::phoenix::{Limits, Output, Payload, Session, Status, Version, Wire};

#[test]
fn real_clients_get_what_the_transcripts_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    for path in names {
        let recorded = fs::read_to_string(&path).unwrap();
        let played = play(&recorded);
        if std::env::var_os("LATTICE_RECORD").is_some() {
            fs::write(&path, &played).unwrap();
            continue;
        }
        assert_eq!(recorded, played, "{}", path.display());
    }
}

/// The transcript with the server's lines written anew.
fn play(recorded: &str) -> String {
    let mut played = String::new();
    let mut session = None;
    for (step, line) in recorded.lines().enumerate() {
        let now = Duration::from_millis(200 * u64::try_from(step).unwrap());
        if let Some(query) = line.strip_prefix("# ") {
            let vsn = query.split('&').find_map(|pair| pair.strip_prefix("vsn="));
            let version = Version::of(vsn).unwrap();
            session = Some(Session::new(version, Limits::default(), now));
        }
        if line.starts_with(['#', '>']) {
            writeln!(played, "{line}").unwrap();
        }
        if let (Some(frame), Some(session)) = (line.strip_prefix("> "), session.as_mut()) {
            match frame.strip_prefix("0x") {
                Some(hex) => session.receive_binary(now, &unhex(hex).into()),
                None => session.receive_text(now, frame),
            }
            answer(now, session, &mut played);
        }
    }
    played
}

fn answer(now: Duration, session: &mut Session, played: &mut String) {
    while let Some(output) = session.poll() {
        match output {
            Output::Send(Wire::Text(text)) => writeln!(played, "< {text}").unwrap(),
            Output::Send(Wire::Binary(bytes)) => writeln!(played, "< 0x{}", hex(&bytes)).unwrap(),
            Output::Join {
                channel,
                topic,
                payload,
                supabase,
            } => {
                let supabase = supabase.map(|config| {
                    let listens = if config.presence {
                        "listens"
                    } else {
                        "does not listen"
                    };
                    format!(" as `{}`, {listens}", config.key)
                });
                writeln!(
                    played,
                    "! join {topic} {}{}",
                    show(&payload),
                    supabase.unwrap_or_default()
                )
                .unwrap();
                session.accept(now, channel, &Payload::empty(), true);
            }
            Output::Subscribe { .. } => writeln!(played, "! subscribe").unwrap(),
            Output::Event {
                ticket,
                event,
                payload,
                ..
            } => {
                writeln!(played, "! event {event} {}", show(&payload)).unwrap();
                session.reply(&ticket, Status::Ok, &payload);
            }
            Output::Track {
                ticket, payload, ..
            } => {
                writeln!(played, "! track {}", show(&payload)).unwrap();
                if let Some(ticket) = ticket {
                    session.reply(&ticket, Status::Ok, &Payload::empty());
                }
            }
            Output::Untrack { .. } => writeln!(played, "! untrack").unwrap(),
            Output::Broadcast {
                ticket,
                event,
                payload,
                to_self,
                ..
            } => {
                writeln!(
                    played,
                    "! broadcast {event} {} to_self={to_self}",
                    show(&payload)
                )
                .unwrap();
                if let Some(ticket) = ticket {
                    session.reply(&ticket, Status::Ok, &Payload::empty());
                }
            }
            Output::Token { token, .. } => writeln!(played, "! token {token}").unwrap(),
            Output::Left { rejoins, .. } => writeln!(played, "! left rejoins={rejoins}").unwrap(),
            Output::Close(closing) => writeln!(played, "! closed {closing:?}").unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn show(payload: &Payload) -> String {
    match (payload.as_json(), payload.as_binary()) {
        (Some(text), _) => text.to_owned(),
        (None, bytes) => format!("0x{}", hex(bytes.unwrap())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
