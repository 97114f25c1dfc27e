//! Watch-lists: keys across all topics.
//!
//! One task, while somebody watches, follows every topic of the node and keeps who is
//! where by key.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lattice_presence_json::JsonMeta;
use lattice_presence_node::{Changes, Followed, Node};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::channel::Channel;
use crate::members::{Entry, Members, News, push_presences};
use crate::outbox::Outbox;
use crate::phoenix::{self, ChannelId, Payload, Ref};
use crate::topic::Address;

type Keys = HashSet<Arc<str>>;

struct Watcher {
    keys: Keys,
    topic: Arc<str>,
    channel: ChannelId,
    join_ref: Option<Ref>,
    outbox: Arc<Outbox>,
}

enum Command {
    Subscribe(Address, Watcher),
    Fetch(Address),
    Leave(Address),
}

/// The way to the task, while there is one. Commands are sent under the lock, and the
/// task ends under it.
type Task = Arc<Mutex<Option<mpsc::UnboundedSender<Command>>>>;

pub(crate) struct Watch {
    batch: Duration,
    task: Task,
}

impl Watch {
    pub(crate) fn new(batch: Duration) -> Self {
        Self {
            batch,
            task: Task::default(),
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
        self.begin(node, channel.address(), watcher);
    }

    fn begin(&self, node: &Node, address: Address, watcher: Watcher) {
        let command = Command::Subscribe(address, watcher);
        let mut task = lock(&self.task);
        // One that panicked has left its sender behind.
        let living = task.take().filter(|sender| !sender.is_closed());
        let sender = task.insert(living.unwrap_or_else(|| {
            let (sender, commands) = mpsc::unbounded_channel();
            let watching = Watching {
                node: node.clone(),
                batch: self.batch,
                members: Members::default(),
                watchers: HashMap::new(),
                by_key: HashMap::new(),
                flush_at: None,
            };
            tokio::spawn(watching.run(node.changes(), commands, self.task.clone()));
            sender
        }));
        // The receiver is in the task, which ends only where nothing was sent.
        let _ = sender.send(command);
    }

    pub(crate) fn fetch(&self, address: Address) {
        self.send(Command::Fetch(address));
    }

    pub(crate) fn leave(&self, address: Address) {
        self.send(Command::Leave(address));
    }

    fn send(&self, command: Command) {
        if let Some(task) = &*lock(&self.task) {
            let _ = task.send(command);
        }
    }
}

fn lock(task: &Task) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Command>>> {
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command that was sent in the meantime; where there is none, the task is no more.
fn next_or_end(task: &Task, commands: &mut mpsc::UnboundedReceiver<Command>) -> Option<Command> {
    let mut task = lock(task);
    let next = commands.try_recv().ok();
    if next.is_none() {
        *task = None;
    }
    next
}

struct Watching {
    node: Node,
    batch: Duration,
    members: Members,
    watchers: HashMap<Address, Watcher>,
    by_key: HashMap<Arc<str>, HashSet<Address>>,
    flush_at: Option<Instant>,
}

impl Watching {
    async fn run(
        mut self,
        mut changes: Changes<JsonMeta>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        task: Task,
    ) {
        self.read_all();
        self.members.flush();
        let mut live = true;
        loop {
            // The first command is there before the task is.
            if self.watchers.is_empty() {
                match next_or_end(&task, &mut commands) {
                    Some(command) => self.command(command),
                    None => return,
                }
                continue;
            }
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
                    Some(command) => self.command(command),
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
            Command::Subscribe(address, watcher) => {
                for key in &watcher.keys {
                    self.by_key.entry(key.clone()).or_default().insert(address);
                }
                self.send_state(&watcher);
                self.watchers.insert(address, watcher);
            }
            Command::Fetch(address) => {
                if let Some(watcher) = self.watchers.get(&address) {
                    watcher.outbox.caught_up(watcher.channel);
                    self.send_state(watcher);
                }
            }
            Command::Leave(address) => {
                let Some(watcher) = self.watchers.remove(&address) else {
                    return;
                };
                for key in watcher.keys {
                    if let Some(addresses) = self.by_key.get_mut(&key) {
                        addresses.remove(&address);
                        if addresses.is_empty() {
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
        let News { joins, leaves, .. } = self.members.flush();
        let mut concerned: BTreeMap<Address, [Vec<&Arc<str>>; 2]> = BTreeMap::new();
        for (side, changes) in [&joins, &leaves].into_iter().enumerate() {
            for key in changes.keys() {
                for address in self.by_key.get(key).into_iter().flatten() {
                    concerned.entry(*address).or_default()[side].push(key);
                }
            }
        }
        for (address, [came, gone]) in concerned {
            let Some(watcher) = self.watchers.get(&address) else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoenix::Version;
    use crate::topic::tests::channel;

    /// The window is between the task's look at its commands and its end: this sends
    /// into it, again and again.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_subscription_that_comes_as_the_task_ends_is_not_lost() {
        let node: Node = Node::builder("n").start().await.unwrap();
        let watch = Watch::new(Duration::ZERO);
        let (channel, outbox) = (channel(), Arc::new(Outbox::new(Version::V2, 8, 1 << 20)));
        for n in 0..20_000 {
            let address = (n, channel);
            let watcher = Watcher {
                keys: Keys::default(),
                topic: "watch".into(),
                channel,
                join_ref: None,
                outbox: outbox.clone(),
            };
            watch.begin(&node, address, watcher);
            let told = async {
                while outbox.pop().is_none() {
                    outbox.ready().await;
                }
            };
            let told = tokio::time::timeout(Duration::from_secs(10), told).await;
            assert!(told.is_ok(), "subscription {n} was lost");
            watch.leave(address);
            for _ in 0..n % 200 {
                core::hint::spin_loop();
            }
        }
    }
}
