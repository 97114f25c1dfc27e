//! Runs the steps of a scenario.

use lattice_presence::{Diff, LifecycleError, MergeError, Presence, PresenceState, ReplicaId};
use lattice_presence_json::{JsonMeta, from_json, to_json_string};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// One step as it is in the file. Metadata keeps its text.
#[derive(Debug, Deserialize)]
pub struct Step {
    pub op: String,
    pub node: String,
    #[serde(default)]
    replica: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    pid: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    json: String,
    pub meta: Option<Box<RawValue>>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            op,
            node,
            replica,
            from,
            pid,
            topic,
            key,
            ..
        } = self;
        write!(f, "{op} {node} {replica}{from} {pid} {topic} {key}")
    }
}

pub struct Node {
    pub state: PresenceState<JsonMeta>,
}

pub struct Run {
    pub nodes: BTreeMap<String, Node>,
    pub outcomes: Vec<Value>,
}

/// The reason for which a step fails, in the words of the recordings if they have any.
struct Failure(&'static str);

type Outcome = Result<Value, Failure>;

pub fn run(steps: &[Step]) -> Run {
    let mut run = Run {
        nodes: BTreeMap::new(),
        outcomes: Vec::new(),
    };
    for step in steps {
        let outcome = match run.apply(step) {
            Ok(value) => json!({ "ok": value }),
            Err(Failure(kind)) => json!({ "error": kind }),
        };
        run.outcomes.push(outcome);
    }
    run
}

impl Run {
    fn apply(&mut self, step: &Step) -> Outcome {
        match step.op.as_str() {
            "new" => {
                self.put(
                    step,
                    PresenceState::new(ReplicaId::new(step.replica.as_str())),
                );
                Ok(Value::Null)
            }
            "copy" => {
                let copy = self.state(&step.from)?.clone();
                self.put(step, copy);
                Ok(Value::Null)
            }
            "from_json" => {
                let decoded = from_json(&step.json).map_err(|_| Failure("Refused"))?;
                self.put(step, decoded);
                Ok(Value::Null)
            }
            "roundtrip" => {
                let text =
                    to_json_string(self.state(&step.node)?).map_err(|_| Failure("Refused"))?;
                let decoded = from_json(&text).map_err(|_| Failure("Refused"))?;
                self.put(step, decoded);
                Ok(Value::Null)
            }
            "merge" => {
                let from = self.state(&step.from)?.clone();
                let merged = self.state(&step.node)?.merge_with_diff(&from);
                merged
                    .map(|diff| changes(&diff))
                    .map_err(|error| merge_failure(&error))
            }
            _ => self.mutate(step),
        }
    }

    fn mutate(&mut self, step: &Step) -> Outcome {
        let replica = ReplicaId::new(step.replica.as_str());
        let state = self.state(&step.node)?;
        let (pid, topic, key) = (step.pid.as_str(), step.topic.as_str(), step.key.as_str());
        match step.op.as_str() {
            "join" => {
                let text = step.meta.as_ref().expect("a join has metadata").get();
                let meta = JsonMeta::from_text(text).map_err(|_| Failure("TooDeep"))?;
                drop(state.join(pid, topic, key, meta).unwrap());
                Ok(Value::Null)
            }
            "leave" => {
                drop(state.leave(pid, topic, key));
                Ok(Value::Null)
            }
            "leave_by_pid" => {
                drop(state.leave_by_pid(pid));
                Ok(Value::Null)
            }
            // The representation is always compact.
            "compact" => Ok(Value::Null),
            "replica_down" => Ok(changes(&state.replica_down(&replica))),
            "replica_up" => Ok(changes(&state.replica_up(&replica))),
            "remove_down_replica" => match state.remove_down_replica(&replica) {
                Ok(_) => Ok(Value::Null),
                Err(LifecycleError::NotDown { .. }) => Err(Failure("NotDown")),
                Err(_) => Err(Failure("LocalReplica")),
            },
            "supersede" => match state.supersede(&replica) {
                Ok(diff) => Ok(changes(&diff)),
                Err(_) => Err(Failure("CannotSupersedeLocalReplica")),
            },
            other => panic!("unknown step {other}"),
        }
    }

    fn put(&mut self, step: &Step, state: PresenceState<JsonMeta>) {
        self.nodes.insert(step.node.clone(), Node { state });
    }

    fn state(&mut self, name: &str) -> Result<&mut PresenceState<JsonMeta>, Failure> {
        let node = self.nodes.get_mut(name).ok_or(Failure("Missing"))?;
        Ok(&mut node.state)
    }
}

fn merge_failure(error: &MergeError) -> Failure {
    match error {
        MergeError::SameReplica { .. } => Failure("SameReplica"),
        MergeError::ConflictingDot { .. } => Failure("ConflictingDot"),
        other => panic!("unexpected {other}"),
    }
}

fn changes(diff: &Diff<JsonMeta>) -> Value {
    json!({ "joins": grouped(diff.joins()), "leaves": grouped(diff.leaves()) })
}

fn grouped<'a>(entries: impl Iterator<Item = &'a Presence<JsonMeta>>) -> Value {
    let mut topics: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for entry in entries {
        let change = json!([entry.key(), entry.pid(), meta(entry)]);
        topics.entry(entry.topic()).or_default().push(change);
    }
    topics
        .values_mut()
        .for_each(|list| list.sort_by_key(Value::to_string));
    json!(topics)
}

pub fn meta(entry: &Presence<JsonMeta>) -> Value {
    entry.meta().parse().unwrap()
}
