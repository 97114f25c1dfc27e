//! What a scenario expects, as recorded and as overridden.

use super::run::{Node, Step, meta};
use lattice_presence::PresenceState;
use lattice_presence_json::{JsonMeta, from_json, to_json_string};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What happens here instead.
#[derive(Debug, Deserialize)]
pub struct Ours {
    pub rules: Vec<String>,
    pub why: String,
    results: BTreeMap<usize, Value>,
    /// Null for a node that never comes to be.
    nodes: BTreeMap<String, Value>,
}

pub struct Vector {
    pub name: String,
    pub steps: Vec<Step>,
    results: Vec<Value>,
    nodes: BTreeMap<String, Value>,
    pub ours: Option<Ours>,
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    steps: Vec<Step>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    results: Vec<Value>,
    nodes: BTreeMap<String, Value>,
}

impl Vector {
    pub fn read(path: &Path) -> Self {
        // JavaScript kept a lone surrogate, which is no text: it is compared nowhere.
        let text = fs::read_to_string(path)
            .unwrap()
            .replace(r#""\ud800""#, r#""lone""#);
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let recorded = Recorded::deserialize(&mut deserializer)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let ours = fs::read_to_string(path.with_extension("ours.json")).ok();
        assert_eq!(recorded.steps.len(), recorded.expect.results.len());
        Self {
            name: recorded.name,
            steps: recorded.steps,
            results: recorded.expect.results,
            nodes: recorded.expect.nodes,
            ours: ours.map(|text| serde_json::from_str(&text).unwrap()),
        }
    }

    /// What a step must give here.
    pub fn expected_outcome(&self, step: usize) -> Value {
        let ours = self.ours.as_ref().and_then(|ours| ours.results.get(&step));
        in_order(ours.cloned().unwrap_or_else(|| self.recorded_outcome(step)))
    }

    /// The recording, without the implementation's own words for refusals.
    fn recorded_outcome(&self, step: usize) -> Value {
        let decodes = ["from_json", "roundtrip"].contains(&self.steps[step].op.as_str());
        let recorded = &self.results[step];
        match recorded.get("error") {
            Some(_) if decodes => json!({ "error": "Refused" }),
            Some(error) => json!({ "error": error["kind"] }),
            None => recorded.clone(),
        }
    }

    fn override_of(&self, node: &str) -> Option<&Value> {
        self.ours.as_ref().and_then(|ours| ours.nodes.get(node))
    }

    pub fn check_nodes(&self, nodes: &BTreeMap<String, Node>) {
        let absent = |name: &&String| self.override_of(name) != Some(&Value::Null);
        let expected: BTreeSet<_> = self.nodes.keys().filter(absent).collect();
        assert_eq!(
            nodes.keys().collect::<BTreeSet<_>>(),
            expected,
            "the nodes of {}",
            self.name
        );
        for (name, node) in nodes {
            let at = format!("{}, node {name}", self.name);
            let recorded = &self.nodes[name];
            let expected = self.override_of(name).unwrap_or(recorded);
            check_content(&at, &node.state, expected);
            check_text(&at, &node.state, expected);
            if self.override_of(name).is_none() {
                check_recorded(&at, &node.state, recorded["json"].as_str().unwrap());
                check_lookups(&at, &node.state, recorded);
            }
        }
    }

    /// An override that repeats the recording has lost its reason.
    pub fn check_overrides_are_needed(&self) {
        let ours = self.ours.as_ref().unwrap();
        for (step, outcome) in &ours.results {
            let recorded = in_order(self.recorded_outcome(*step));
            assert_ne!(
                in_order(outcome.clone()),
                recorded,
                "{}, step {step}",
                self.name
            );
        }
        for (name, node) in &ours.nodes {
            let recorded = &self.nodes[name];
            let same = !node.is_null()
                && canonical_state(&node["state"]) == canonical_state(&recorded["state"])
                && sorted(&node["online"]) == sorted(&recorded["online"]);
            assert!(!same, "{}, node {name}", self.name);
        }
        let overrides = ours.results.len() + ours.nodes.len();
        assert!(overrides > 0, "{} differs in nothing", self.name);
    }
}

/// The changes of an outcome in one order, without topics that did not change.
fn in_order(mut outcome: Value) -> Value {
    for side in ["joins", "leaves"] {
        let topics = outcome
            .pointer_mut(&format!("/ok/{side}"))
            .and_then(Value::as_object_mut);
        if let Some(topics) = topics {
            topics.retain(|_, changes| changes.as_array().is_some_and(|list| !list.is_empty()));
            topics
                .values_mut()
                .for_each(|changes| *changes = json!(sorted(changes)));
        }
    }
    outcome
}

fn check_content(at: &str, state: &PresenceState<JsonMeta>, expected: &Value) {
    assert_eq!(
        described(state),
        canonical_state(&expected["state"]),
        "{at}: the state"
    );
    let online = state
        .online_list()
        .map(|e| json!([e.pid(), e.topic(), e.key(), meta(e)]));
    assert_eq!(
        sorted_values(online.collect()),
        sorted(&expected["online"]),
        "{at}: online"
    );
}

/// What is written here is canonical.
fn check_text(at: &str, state: &PresenceState<JsonMeta>, expected: &Value) {
    let written = to_json_string(state).unwrap();
    let parsed: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(
        parsed,
        canonical_state(&expected["state"]),
        "{at}: what is written"
    );
    let read: PresenceState<JsonMeta> = from_json(&written).unwrap();
    assert_eq!(
        to_json_string(&read).unwrap(),
        written,
        "{at}: canonical bytes"
    );
}

/// What was written there decodes to the same.
fn check_recorded(at: &str, state: &PresenceState<JsonMeta>, recorded: &str) {
    let theirs: PresenceState<JsonMeta> = from_json(recorded).unwrap();
    assert_eq!(
        described(&theirs),
        described(state),
        "{at}: the recorded payload"
    );
    assert_eq!(
        theirs.digest(),
        state.digest(),
        "{at}: the digest of the recorded payload"
    );
}

fn check_lookups(at: &str, state: &PresenceState<JsonMeta>, recorded: &Value) {
    for (topic, members) in recorded["by_topic"].as_object().unwrap() {
        let here = state
            .get_by_topic(topic)
            .map(|e| json!([e.pid(), e.key(), meta(e)]));
        assert_eq!(
            sorted_values(here.collect()),
            sorted(members),
            "{at}: topic {topic}"
        );
        assert_eq!(
            state.topic_len(topic),
            members.as_array().unwrap().len(),
            "{at}"
        );
    }
    for lookup in recorded["by_key"].as_array().unwrap() {
        let (topic, key) = (
            lookup["topic"].as_str().unwrap(),
            lookup["key"].as_str().unwrap(),
        );
        let here = state
            .get_by_key(topic, key)
            .map(|e| json!([e.pid(), meta(e)]));
        assert_eq!(
            sorted_values(here.collect()),
            sorted(&lookup["result"]),
            "{at}: {topic}/{key}"
        );
    }
    let entries = recorded["entry_count"].as_u64().unwrap();
    assert_eq!(state.entries().count() as u64, entries, "{at}: entry_count");
}

/// A state in the shape of the wire, from its own accessors.
fn described(state: &PresenceState<JsonMeta>) -> Value {
    let mut context = BTreeMap::new();
    let mut clouds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (replica, clocks) in state.context().iter() {
        if clocks.prefix() > 0 {
            context.insert(replica.as_str(), clocks.prefix());
        }
        let cloud: Vec<u64> = clocks.cloud().flatten().collect();
        if !cloud.is_empty() {
            clouds.insert(replica.as_str(), cloud);
        }
    }
    let values: Vec<_> = state
        .entries()
        .map(|e| {
            let dot = e.dot();
            json!({
                "tag": { "replica": dot.replica.as_str(), "clock": dot.clock },
                "entry": { "topic": e.topic(), "key": e.key(), "pid": e.pid(), "meta": meta(e) },
            })
        })
        .collect();
    json!({
        "replica": state.replica().as_str(),
        "context": context,
        "clouds": clouds,
        "values": values,
    })
}

/// The same state with clouds folded into the context and everything sorted.
fn canonical_state(state: &Value) -> Value {
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (replica, clock) in state["context"].as_object().unwrap() {
        seen.entry(replica)
            .or_default()
            .extend(1..=clock.as_u64().unwrap());
    }
    for (replica, cloud) in state["clouds"].as_object().unwrap() {
        let clocks = cloud
            .as_array()
            .unwrap()
            .iter()
            .map(|clock| clock.as_u64().unwrap());
        seen.entry(replica).or_default().extend(clocks);
    }
    let (mut context, mut clouds) = (BTreeMap::new(), BTreeMap::new());
    for (replica, clocks) in seen {
        let prefix = clocks
            .iter()
            .zip(1..)
            .take_while(|(clock, n)| *clock == n)
            .count();
        if prefix > 0 {
            context.insert(replica, prefix);
        }
        let cloud: Vec<u64> = clocks.into_iter().skip(prefix).collect();
        if !cloud.is_empty() {
            clouds.insert(replica, cloud);
        }
    }
    let mut values = state["values"].as_array().unwrap().clone();
    values.sort_by_key(|value| {
        let tag = &value["tag"];
        (
            tag["replica"].as_str().unwrap().to_owned(),
            tag["clock"].as_u64().unwrap(),
        )
    });
    json!({ "replica": state["replica"], "context": context, "clouds": clouds, "values": values })
}

fn sorted(list: &Value) -> Vec<Value> {
    sorted_values(list.as_array().unwrap().clone())
}

fn sorted_values(mut list: Vec<Value>) -> Vec<Value> {
    list.sort_by_key(Value::to_string);
    list
}
