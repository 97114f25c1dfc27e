//! How long a payload at each limit takes: the figures of docs/wire-format.md.
//!
//! ```sh
//! cargo test --release -p lattice-presence-json --test at_the_limit -- --ignored --nocapture
//! ```
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use core::time::Duration;
use std::time::Instant;

use lattice_presence::PresenceState;
use lattice_presence_json::{Encoder, JsonMeta, delta_from_json, delta_to_json_string};

type State = PresenceState<JsonMeta>;

fn payload(context: &str, clouds: &str) -> String {
    format!(r#"{{"replica":"p","context":{{{context}}},"clouds":{{{clouds}}},"values":[]}}"#)
}

fn list(n: u64, item: impl FnMut(u64) -> String) -> String {
    (0..n).map(item).collect::<Vec<_>>().join(",")
}

/// As many entries as 2^28 bytes hold.
fn entries() -> String {
    let mut state = State::new("p");
    let mut i = 0;
    while i < 2_000_000 {
        let meta = format!(r#"{{"name":"user {i}","online_at":{i}}}"#);
        let (pid, topic) = (format!("pid-{i}"), format!("room:{}", i / 10));
        let user = format!("user{i}");
        let _ = state
            .join(&pid, &topic, &user, meta.parse().unwrap())
            .unwrap();
        i += 1;
    }
    let encoded = Encoder::new()
        .compact(true)
        .encode(&state.snapshot())
        .unwrap();
    assert!(
        encoded.text.len() > (1 << 28) - 1000,
        "{}",
        encoded.text.len()
    );
    encoded.text
}

/// The shortest of three runs: others use the machine, too.
fn best<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let runs = (0..3).map(|_| {
        let start = Instant::now();
        let result = run();
        (start.elapsed(), result)
    });
    runs.min_by_key(|(elapsed, _)| *elapsed).unwrap()
}

#[test]
#[ignore = "takes gigabytes and prints figures"]
fn times() {
    let names = |claim: &str| list(4095, |i| format!(r#""replica-{i}":{claim}"#));
    let far = |i: u64| (1_000_000_000 + 2 * i).to_string();
    let clocks = 1 << 20;
    let of = |clocks: String| format!(r#""a":[{clocks}]"#);
    let meta = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let one = format!(
        r#"{{"replica":"p","context":{{"p":1}},"clouds":{{}},"values":[{{"tag":{{"replica":"p","clock":1}},"entry":{{"topic":"t","key":"k","pid":"p","meta":{meta}}}}}]}}"#
    );
    for (name, text) in [
        ("max_bytes, all of it entries", entries()),
        ("max_replicas", payload(&names("1"), &names("[3]"))),
        ("max_clouds, ascending", payload("", &of(list(clocks, far)))),
        (
            "max_clouds, descending",
            payload("", &of(list(clocks, |i| far(clocks - i)))),
        ),
        ("max_meta_bytes", one),
    ] {
        let (decoded, delta) = best(|| delta_from_json::<JsonMeta>(&text).unwrap());
        let (merged, _) = best(|| {
            let mut state = State::new("reader");
            state.merge_delta(&delta).unwrap();
            state
        });
        let (encoded, length) = best(|| delta_to_json_string(&delta).unwrap().len());
        println!(
            "{name}: {} bytes, decode {decoded:.1?}, merge {merged:.1?}, encode {length} bytes {encoded:.1?}",
            text.len()
        );
    }
}
