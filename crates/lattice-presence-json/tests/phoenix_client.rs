//! The official Phoenix JavaScript client shows what the state shows.
//!
//! Random operations on a small cluster; after each one, a client that gets
//! snapshots (`Presence.syncState`) and one that only gets diffs
//! (`Presence.syncDiff`) must list what `get_by_topic` lists. Needs `node`, `npm`
//! and, once, a registry within reach; without them the test says so and passes.
//!
//! A failure names its seed: `LATTICE_SEED=n` runs that one alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

extern crate alloc;

#[path = "../../lattice-presence-web/tests/support/npm.rs"]
#[allow(unreachable_pub, reason = "other tests share it")]
mod npm;
#[allow(dead_code, unreachable_pub, reason = "other tests share it")]
#[path = "../../../xtask/fuzz/src/replay.rs"]
mod replay;

use alloc::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lattice_presence::{Diff, PresenceState};
use lattice_presence_json::{JsonMeta, phoenix};
use replay::Random;
use serde_json::{Value, json};

const SEEDS: u64 = 4;
const OPERATIONS: usize = 150;
const TOPICS: [&str; 3] = ["room:lobby", "room:\"quoted\"", "räum"];
const KEYS: [&str; 4] = ["alice", "bob", "__proto__", "käthe"];
const PIDS: [&str; 3] = ["p1", "p2", "p3"];

/// Key → `phx_ref` → the whole meta, in one canonical shape.
type Listed = BTreeMap<String, BTreeMap<String, Value>>;

#[test]
fn the_phoenix_client_lists_what_the_state_lists() {
    let folder = match installed_client() {
        Ok(folder) => folder,
        Err(reason) => {
            npm::skipped("phoenix_client", reason);
            return;
        }
    };
    let seeds = match std::env::var("LATTICE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=SEEDS).collect(),
    };
    for seed in seeds {
        run(seed, &folder);
    }
}

fn run(seed: u64, folder: &Path) {
    let mut cluster = Cluster::new(seed);
    let mut browser = Browser::start(folder);
    let (mut changes, mut updates) = (0, 0);
    for step in 0..OPERATIONS {
        let diff = cluster.step();
        let at = format!("LATTICE_SEED={seed}, step {step}");
        changes += diff.len();
        updates += check_diff(&mut browser, &cluster.watched, &diff, &at);
        for topic in TOPICS {
            let payload = phoenix::presence_state(&cluster.watched, topic).unwrap();
            let (listed, _) = browser.feed("presence_state", topic, &payload);
            assert_eq!(
                listed,
                expected(&cluster.watched, topic),
                "{at}, snapshot of {topic}"
            );
        }
    }
    assert!(
        changes > 100 && updates > 10,
        "{changes} changes, {updates} updates"
    );
}

/// Feeds the diff to its topics; how many updates were in it.
fn check_diff(
    browser: &mut Browser,
    state: &PresenceState<JsonMeta>,
    diff: &Diff<JsonMeta>,
    at: &str,
) -> usize {
    let messages = phoenix::presence_diff(diff).unwrap();
    let updates = diff.updates();
    for message in &messages {
        let (listed, previous) = browser.feed("presence_diff", &message.topic, &message.payload);
        assert_eq!(
            listed,
            expected(state, &message.topic),
            "{at}, diff of {}",
            message.topic
        );
        for (before, after) in &updates {
            if after.topic() == message.topic {
                let shown = previous.get(&after.dot().to_string());
                assert_eq!(shown, Some(&before.dot().to_string()), "{at}");
            }
        }
    }
    for topic in TOPICS {
        let (listed, _) = browser.feed("presence_diff", topic, r#"{"joins":{},"leaves":{}}"#);
        assert_eq!(listed, expected(state, topic), "{at}, {topic} by diffs");
    }
    updates.len()
}

/// What a client must list, from the state and the metadata alone.
fn expected(state: &PresenceState<JsonMeta>, topic: &str) -> Listed {
    let mut listed = Listed::new();
    for entry in state.get_by_topic(topic) {
        let reference = entry.dot().to_string();
        let mut meta = match entry.meta().parse::<Value>().unwrap() {
            Value::Object(fields) => fields,
            other => serde_json::Map::from_iter([("meta".to_owned(), other)]),
        };
        meta.remove("phx_ref_prev");
        meta.insert("phx_ref".to_owned(), reference.clone().into());
        let of_key = listed.entry(entry.key().to_owned()).or_default();
        of_key.insert(reference, meta.into());
    }
    listed
}

/// One replica that a server shows to its clients, and another in the cluster.
struct Cluster {
    watched: PresenceState<JsonMeta>,
    other: PresenceState<JsonMeta>,
    random: Random,
    online_at: u64,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        Self {
            watched: PresenceState::new("node-a"),
            other: PresenceState::new("node \"b\""),
            random: Random::new(seed),
            online_at: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn meta(&mut self) -> JsonMeta {
        self.online_at += 1;
        let n = self.online_at;
        let meta = match self.below(6) {
            0 => json!(n),
            1 => json!([n, "a list"]),
            2 => json!({}),
            3 => json!({"phx_ref": "forged", "phx_ref_prev": n, "n": n}),
            4 => json!(null),
            _ => json!({"online_at": n, "name": "ü \" \\ \u{1}", "nested": {"phx_ref": 1}}),
        };
        JsonMeta::new(&meta).unwrap()
    }

    fn step(&mut self) -> Diff<JsonMeta> {
        let (pid, topic, key) = (
            PIDS[self.below(PIDS.len())],
            TOPICS[self.below(TOPICS.len())],
            KEYS[self.below(KEYS.len())],
        );
        let id = self.other.replica().clone();
        match self.below(12) {
            0..=3 => {
                let meta = self.meta();
                self.watched.join(pid, topic, key, meta).unwrap()
            }
            4 => self.watched.leave(pid, topic, key),
            5 => self.watched.leave_by_pid(pid),
            6 => self.watched.replica_down(&id),
            7 => self.watched.replica_up(&id),
            kind => {
                for _ in 0..self.below(4) {
                    let (pid, key) = (PIDS[self.below(PIDS.len())], KEYS[self.below(KEYS.len())]);
                    let meta = self.meta();
                    let _ = self.other.join(pid, topic, key, meta).unwrap();
                }
                let _ = self.other.leave(pid, topic, key);
                if kind < 10 {
                    self.watched.merge_with_diff(&self.other).unwrap()
                } else {
                    let delta = self.other.delta_since(&self.watched.digest());
                    self.watched.merge_delta_with_diff(&delta).unwrap()
                }
            }
        }
    }
}

/// The client in a Node process.
struct Browser {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Browser {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new("node")
            .arg("client.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// What the client lists once it has taken the message, and each
    /// `phx_ref_prev` by its `phx_ref`.
    fn feed(
        &mut self,
        event: &str,
        topic: &str,
        payload: &str,
    ) -> (Listed, BTreeMap<String, String>) {
        writeln!(
            self.input,
            r#"{{"event":"{event}","topic":{},"payload":{payload}}}"#,
            json!(topic)
        )
        .unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Vec<(String, Vec<Value>)> = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: the client said {line:?} to {payload}"));
        let (mut listed, mut previous) = (Listed::new(), BTreeMap::new());
        for (key, metas) in answer {
            let of_key = listed.entry(key).or_default();
            for mut meta in metas {
                let reference = meta["phx_ref"].as_str().unwrap().to_owned();
                if let Some(before) = meta.as_object_mut().unwrap().remove("phx_ref_prev") {
                    previous.insert(reference.clone(), before.as_str().unwrap().to_owned());
                }
                assert!(
                    of_key.insert(reference, meta).is_none(),
                    "a phx_ref twice: {line}"
                );
            }
        }
        (listed, previous)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder in which the client is installed, or what is missing for that.
fn installed_client() -> Result<PathBuf, &'static str> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/phoenix");
    npm::install(
        &source,
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("phoenix"),
    )
}
