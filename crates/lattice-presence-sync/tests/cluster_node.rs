//! One node of the example `cluster`, talked to from outside. The cluster as a whole is
//! run by `cargo xtask ci`.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test that runs programs has the standard library"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lattice_presence::{Body, Message, ReplicaDigest, ReplicaId, Shard};
use lattice_presence_json::{Encoder, JsonMeta};

/// The built example. `cargo test` builds it with this test; alone, this test builds it.
fn cluster() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("…/<profile>/deps/<test>");
    let file = format!("cluster{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(file);
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--package",
            "lattice-presence-sync",
            "--example",
            "cluster",
        ]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success());
    }
    binary
}

/// A line that says that `from` lives, and has written nothing.
fn heartbeat(from: &ReplicaId) -> String {
    let body = Body::<JsonMeta>::Heartbeat {
        line: ReplicaDigest::default(),
        pushes: 0,
    };
    let message = Message::new("cluster", Shard::WHOLE, from.clone(), body);
    Encoder::new().encode(&message).expect("a message").text + "\n"
}

/// Nonsense and one stray message change nothing. A successor that goes on talking is
/// believed: the node stops, and says why.
#[test]
fn a_node_ends_where_its_successor_speaks_twice_and_at_nothing_less() {
    let mut node = Command::new(cluster())
        .args(["--as-node", "n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    // A node runs while its input is open. Closed in the end, so that one that does
    // not stop by itself fails this test instead of holding it up.
    let input = node.stdin.take();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(20));
        drop(input);
    });
    let mut reports = BufReader::new(node.stdout.take().expect("a pipe")).lines();
    let first = reports.next().expect("the node runs").expect("a report");
    let address = first.strip_prefix("listening ").expect("where");
    let connect = || TcpStream::connect(address).expect("the node listens");
    let tell = |text: &str| {
        let mut stream = connect();
        stream.write_all(text.as_bytes()).expect("it reads");
    };
    // A version 7 UUID of a distant future.
    let future = |time: u8| {
        let mut uuid = [time; 16];
        (uuid[6], uuid[8]) = (0x7F, 0xBF);
        ReplicaId::incarnation("n", uuid)
    };
    let (stray, real) = (future(0xF0), future(0xF1));

    tell("peer\nnonsense\n");
    tell(&format!("{stray}\n{}", heartbeat(&stray)));
    // One name on the connection, another one in the message.
    tell(&format!("peer\n{0}{0}", heartbeat(&future(0xF2))));

    let mut stream = connect();
    writeln!(stream, "{real}").expect("it reads");
    for _ in 0..10 {
        // It may stop in between.
        if stream.write_all(heartbeat(&real).as_bytes()).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = node.wait_with_output().expect("the node ends");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("cluster: another process took over as {real}\n")
    );
    assert_eq!(output.status.code(), Some(1));
}
