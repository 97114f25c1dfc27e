//! Watch-lists: keys across all topics.
//!
//! One task, while somebody watches, follows every topic of the node and keeps who is
//! where by key.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use lattice_presence_json::JsonMeta;
use lattice_presence_node::{Changes, Followed, Node};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::channel::Channel;
use crate::members::{Entry, Members, Told, push_presences};
use crate::outbox::Outbox;
use crate::phoenix::{self, ChannelId, Payload, Ref};
use crate::topic::Place;

type Keys = HashSet<Arc<str>>;

struct Watcher {
    keys: Keys,
    topic: Arc<str>,
    channel: ChannelId,
    join_ref: Option<Ref>,
    outbox: Arc<Outbox>,
}

enum Command {
    Subscribe(Place, Watcher),
    Fetch(Place),
    Leave(Place),
}

/// The way to the task.
pub(crate) struct Watch {
    batch: Duration,
    task: Mutex<Option<mpsc::UnboundedSender<Command>>>,
}

impl Watch {
    pub(crate) fn new(batch: Duration) -> Self {
        Self {
            batch,
            task: Mutex::default(),
        }
    }

    pub(crate) fn subscribe<U>(&self, node: &Node, channel: &Channel<U>, keys: Keys) {
        let inner = &channel.inner;
        let watcher = Watcher {
            keys,
            topic: inner.topic.clone(),
            channel: inner.id,
            join_ref: inner.join_ref.clone(),
            outbox: inner.outbox.clone(),
        };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::Subscribe(channel.place(), watcher);
        if let Some(task) = &*task {
            match task.send(command) {
                Ok(()) => return,
                Err(error) => command = error.0, // it has just ended
            }
        }
        let (sender, commands) = mpsc::unbounded_channel();
        let watching = Watching {
            node: node.clone(),
            batch: self.batch,
            members: Members::default(),
            watchers: HashMap::new(),
            by_key: HashMap::new(),
            flush_at: None,
        };
        tokio::spawn(watching.run(node.changes(), commands));
        // The receiver is in the task.
        let _ = sender.send(command);
        *task = Some(sender);
    }

    pub(crate) fn fetch(&self, place: Place) {
        self.send(Command::Fetch(place));
    }

    pub(crate) fn leave(&self, place: Place) {
        self.send(Command::Leave(place));
    }

    fn send(&self, command: Command) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            let _ = task.send(command);
        }
    }
}

struct Watching {
    node: Node,
    batch: Duration,
    members: Members,
    watchers: HashMap<Place, Watcher>,
    by_key: HashMap<Arc<str>, HashSet<Place>>,
    flush_at: Option<Instant>,
}

impl Watching {
    async fn run(
        mut self,
        mut changes: Changes<JsonMeta>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        self.read_all();
        self.members.flush();
        let mut live = true;
        let mut started = false;
        while !(started && self.watchers.is_empty()) {
            let due = self.flush_at;
            tokio::select! {
                biased;
                change = changes.next(), if live => match change {
                    Some(change) => {
                        match &change {
                            Followed::Change(change) => {
                                self.members.gather(change.joins(), change.leaves());
                            }
                            _ => self.read_all(),
                        }
                        self.flush_at.get_or_insert_with(|| Instant::now() + self.batch);
                    }
                    None => live = false,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.flush(),
                command = commands.recv() => match command {
                    Some(command) => { self.command(command); started = true; }
                    None => return,
                },
            }
        }
    }

    /// What is there now. Changes that were made before, and are yet to be read, change
    /// nothing then: a dot comes once, and goes once.
    fn read_all(&mut self) {
        let topics = self.node.topics().into_iter();
        let entries: Vec<Entry> = topics
            .flat_map(|topic| self.node.topic(topic).members())
            .collect();
        self.members.gather_snapshot(&entries);
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe(place, watcher) => {
                for key in &watcher.keys {
                    self.by_key.entry(key.clone()).or_default().insert(place);
                }
                self.send_state(&watcher);
                self.watchers.insert(place, watcher);
            }
            Command::Fetch(place) => {
                if let Some(watcher) = self.watchers.get(&place) {
                    watcher.outbox.caught_up(watcher.channel);
                    self.send_state(watcher);
                }
            }
            Command::Leave(place) => {
                let Some(watcher) = self.watchers.remove(&place) else {
                    return;
                };
                for key in watcher.keys {
                    if let Some(places) = self.by_key.get_mut(&key) {
                        places.remove(&place);
                        if places.is_empty() {
                            self.by_key.remove(&key);
                        }
                    }
                }
            }
        }
    }

    fn send_state(&self, watcher: &Watcher) {
        let mut keys: Vec<&Arc<str>> = watcher.keys.iter().collect();
        keys.sort_unstable();
        let here = |key: &&Arc<str>| self.members.of_key(key).next().is_some();
        let mut state = String::new();
        let members = keys
            .into_iter()
            .filter(here)
            .map(|key| (key, self.members.of_key(key)));
        push_presences(&mut state, members, true);
        watcher.push("presence_state", state);
    }

    /// Each watcher learns of its own keys. O(changes · watchers of the key).
    fn flush(&mut self) {
        self.flush_at = None;
        let Told { joins, leaves, .. } = self.members.flush();
        let mut concerned: BTreeMap<Place, [Vec<&Arc<str>>; 2]> = BTreeMap::new();
        for (side, changes) in [&joins, &leaves].into_iter().enumerate() {
            for key in changes.keys() {
                for place in self.by_key.get(key).into_iter().flatten() {
                    concerned.entry(*place).or_default()[side].push(key);
                }
            }
        }
        for (place, [came, gone]) in concerned {
            let Some(watcher) = self.watchers.get(&place) else {
                continue;
            };
            let mut diff = String::from("{\"joins\":");
            push_presences(
                &mut diff,
                came.into_iter().map(|key| (key, joins[key].iter())),
                true,
            );
            diff.push_str(",\"leaves\":");
            push_presences(
                &mut diff,
                gone.into_iter().map(|key| (key, leaves[key].iter())),
                true,
            );
            diff.push('}');
            watcher.push("presence_diff", diff);
        }
    }
}

impl Watcher {
    fn push(&self, event: &str, payload: String) {
        let payload = Payload::trusted(payload);
        let version = self.outbox.version();
        let wire = phoenix::encode_push(
            version,
            self.join_ref.as_ref(),
            &self.topic,
            event,
            &payload,
        );
        self.outbox.presence(self.channel, wire);
    }
}
