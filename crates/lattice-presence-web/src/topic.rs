//! One topic on this node: a task that tells its sockets who is there.
//!
//! The task owns everything about the topic, so that a state and the diffs after it
//! have no gap and no overlap. It never waits for a socket.

use alloc::sync::Arc;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use lattice_presence_json::JsonMeta;
use lattice_presence_node::{Node, Subscription, Update};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::members::{Entry, Members, News};
use crate::outbox::Outbox;
use crate::phoenix::{self, Broadcast, ChannelId, Payload, Ref};

/// How long counts may be behind.
const COUNTS_EVERY: Duration = Duration::from_secs(1);
/// How long a state may wait for the own entry, which may have gone, or be hidden.
const OWN_WITHIN: Duration = Duration::from_millis(250);
/// Commands that may wait for a topic; who sends more, waits.
const COMMANDS: usize = 1024;

/// What a channel sees of its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    Everyone,
    /// Everyone, as Supabase's clients need it.
    Supabase,
    Counts,
    Page(usize),
}

/// One channel in the topic.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) channel: ChannelId,
    pub(crate) join_ref: Option<Ref>,
    pub(crate) outbox: Arc<Outbox>,
}

/// What a channel wants to see.
pub(crate) struct Wish {
    pub(crate) sees: Sees,
    /// The state twice.
    pub(crate) twice: bool,
    /// Its own entry: the state waits until that is in it.
    pub(crate) own: Option<Entry>,
}

pub(crate) enum Command {
    /// Broadcasts reach the channel from now on.
    Enter(SocketId, Listener),
    /// And presence too.
    Subscribe(Address, Wish),
    /// The socket was too slow: a state again.
    Fetch(Address),
    Leave(Address),
    Tell(Arc<Broadcast>, Option<Address>),
}

/// A socket of this process.
pub(crate) type SocketId = u64;
/// A channel of this process.
pub(crate) type Address = (SocketId, ChannelId);

/// The way to a topic. While one is held, the topic stays.
#[derive(Clone, Debug)]
pub(crate) struct Handle(mpsc::Sender<Command>);

impl Handle {
    /// Waits where the topic has much to do.
    pub(crate) async fn send(&self, command: Command) {
        // It ends only when no handle is left.
        let _ = self.0.send(command).await;
    }
}

/// The topics that somebody on this node is in.
#[derive(Default)]
pub(crate) struct Topics {
    open: Mutex<HashMap<Arc<str>, mpsc::WeakSender<Command>>>,
}

impl Topics {
    /// The topic, which is opened if need be. O(1).
    pub(crate) fn open(self: &Arc<Self>, node: &Node, topic: &Arc<str>, batch: Duration) -> Handle {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = open.get(topic).and_then(mpsc::WeakSender::upgrade) {
            return Handle(handle);
        }
        let (sender, commands) = mpsc::channel(COMMANDS);
        open.insert(topic.clone(), sender.downgrade());
        drop(open);
        let task = Topic {
            name: topic.clone(),
            batch,
            members: Members::default(),
            channels: HashMap::new(),
            pages: HashMap::new(),
            state: None,
            flush_at: None,
            flushed: None,
            counts_at: None,
            counted: None,
            wishes: Vec::new(),
        };
        let (topics, updates) = (self.clone(), node.topic(topic.clone()).subscribe());
        tokio::spawn(async move {
            let name = task.name.clone();
            task.run(updates, commands).await;
            topics.closed(&name);
        });
        Handle(sender)
    }

    /// The topic, if it is open.
    pub(crate) fn get(&self, topic: &str) -> Option<Handle> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(topic)
            .and_then(mpsc::WeakSender::upgrade)
            .map(Handle)
    }

    fn closed(&self, topic: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open
            .get(topic)
            .is_some_and(|sender| sender.upgrade().is_none())
        {
            open.remove(topic);
        }
    }
}

struct Enrolled {
    listener: Listener,
    sees: Option<Sees>,
}

struct Topic {
    name: Arc<str>,
    batch: Duration,
    members: Members,
    channels: HashMap<Address, Enrolled>,
    /// The keys that viewers of a page of this size see.
    pages: HashMap<usize, HashSet<Arc<str>>>,
    /// What `presence_state` says, until the next flush.
    state: Option<Payload>,
    flush_at: Option<Instant>,
    flushed: Option<Instant>,
    counts_at: Option<Instant>,
    counted: Option<(usize, usize)>,
    /// Channels whose state waits for their own entry, and until when.
    wishes: Vec<(Address, Wish, Instant)>,
}

impl Topic {
    async fn run(
        mut self,
        mut updates: Subscription<JsonMeta>,
        mut commands: mpsc::Receiver<Command>,
    ) {
        // The snapshot that a subscription begins with.
        if let Some(first) = updates.next().await {
            self.gather(&first);
            self.members.flush();
        }
        let mut live = true;
        loop {
            let wish = self.wishes.first().map(|(_, _, until)| *until);
            let due = [self.flush_at, self.counts_at, wish];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                biased;
                // Before commands: who has tracked and then subscribes finds itself.
                update = updates.next(), if live => match update {
                    Some(update) => self.update(&update),
                    None => live = false, // the node has shut down
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.due(),
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
            }
        }
    }

    /// The first change after a pause is told at once, the next ones together.
    fn update(&mut self, update: &Update<JsonMeta>) {
        self.gather(update);
        if !self.members.waits() {
            return;
        }
        let now = Instant::now();
        let next = self.flushed.map_or(now, |flushed| flushed + self.batch);
        if next <= now {
            self.flush();
        } else {
            self.flush_at = Some(next);
        }
    }

    fn gather(&mut self, update: &Update<JsonMeta>) {
        match update {
            Update::Snapshot(entries) => self.members.gather_snapshot(entries),
            Update::Change(change) => self.members.gather(change.joins(), change.leaves()),
            _ => {}
        }
    }

    fn due(&mut self) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush();
        }
        if self.counts_at.is_some_and(|at| at <= now) {
            self.tell_counts();
        }
        self.grant();
    }

    fn flush(&mut self) {
        self.flush_at = None;
        let told = self.members.flush();
        if told.is_empty() {
            return;
        }
        self.flushed = Some(Instant::now());
        self.state = None;
        if self.sees(&Sees::Everyone) {
            let diff = self.message("presence_diff", &told.payload());
            self.tell(&diff, |sees| *sees == Sees::Everyone);
        }
        if self.sees(&Sees::Supabase) {
            let diff = self.message("presence_diff", &self.members.supabase_payload(&told));
            self.tell(&diff, |sees| *sees == Sees::Supabase);
        }
        self.turn_pages(&told);
        if self.counts_at.is_none()
            && self
                .channels
                .values()
                .any(|channel| counts(channel.sees.as_ref()))
        {
            self.counts_at = Some(Instant::now() + COUNTS_EVERY);
        }
        self.grant();
    }

    fn sees(&self, what: &Sees) -> bool {
        self.channels
            .values()
            .any(|channel| channel.sees.as_ref() == Some(what))
    }

    fn message(&self, event: &str, payload: &str) -> Broadcast {
        Broadcast::new(&self.name, event, Payload::trusted(payload))
    }

    fn tell(&self, message: &Broadcast, to: impl Fn(&Sees) -> bool) {
        for channel in self.channels.values() {
            if channel.sees.as_ref().is_some_and(&to) {
                let outbox = &channel.listener.outbox;
                outbox.presence(channel.listener.channel, message.wire(outbox.version()));
            }
        }
    }

    /// Who is on a page stays there until it goes; then another one comes in.
    fn turn_pages(&mut self, told: &News) {
        let mut pages = core::mem::take(&mut self.pages);
        pages.retain(|size, _| {
            self.channels
                .values()
                .any(|channel| channel.sees == Some(Sees::Page(*size)))
        });
        for (size, page) in &mut pages {
            let turned = turn(&self.members, *size, page, told);
            if !turned.is_empty() {
                let diff = self.message("presence_diff", &turned.payload());
                self.tell(&diff, |sees| *sees == Sees::Page(*size));
            }
        }
        self.pages = pages;
    }

    fn counts_message(&self) -> Broadcast {
        let (keys, connections) = (self.members.keys(), self.members.connections());
        let payload = format!(r#"{{"keys":{keys},"connections":{connections}}}"#);
        self.message("presence_count", &payload)
    }

    fn tell_counts(&mut self) {
        self.counts_at = None;
        let counted = (self.members.keys(), self.members.connections());
        if self.counted.replace(counted) != Some(counted) {
            self.tell(&self.counts_message(), |sees| counts(Some(sees)));
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Enter(socket, listener) => {
                let address = (socket, listener.channel);
                self.channels.insert(
                    address,
                    Enrolled {
                        listener,
                        sees: None,
                    },
                );
            }
            Command::Subscribe(address, wish) => {
                self.wishes
                    .push((address, wish, Instant::now() + OWN_WITHIN));
                self.grant();
            }
            Command::Fetch(address) => {
                if let Some(channel) = self.channels.get(&address) {
                    channel.listener.outbox.caught_up(address.1);
                    self.send_state(address);
                }
            }
            Command::Leave(address) => {
                self.channels.remove(&address);
            }
            Command::Tell(message, except) => {
                for (address, channel) in &self.channels {
                    if Some(*address) != except {
                        let outbox = &channel.listener.outbox;
                        outbox.push(message.wire(outbox.version()));
                    }
                }
            }
        }
    }

    /// Sends the states that wait for nothing any more.
    fn grant(&mut self) {
        let now = Instant::now();
        let mut at = 0;
        while let Some((_, wish, until)) = self.wishes.get(at) {
            let told = wish
                .own
                .as_ref()
                .is_none_or(|own| self.members.is_told(own));
            if !told && *until > now {
                at += 1;
                continue;
            }
            let (address, wish, _) = self.wishes.remove(at);
            if let Some(channel) = self.channels.get_mut(&address) {
                channel.sees = Some(wish.sees);
                self.send_state(address);
                if wish.twice {
                    self.send_state(address);
                }
            }
        }
    }

    /// What the channel sees, from now on and up to the last flush.
    fn send_state(&mut self, address: Address) {
        let Some(sees) = self
            .channels
            .get(&address)
            .and_then(|channel| channel.sees.clone())
        else {
            return;
        };
        let state = match sees {
            Sees::Everyone | Sees::Supabase => {
                let state = || Payload::trusted(self.members.state());
                Some(self.state.get_or_insert_with(state).clone())
            }
            Sees::Counts => None,
            Sees::Page(size) => {
                let page = self.pages.entry(size).or_insert_with(|| {
                    let mut page = HashSet::new();
                    turn(&self.members, size, &mut page, &News::default());
                    page
                });
                let mut keys: Vec<&Arc<str>> = page.iter().collect();
                keys.sort_unstable();
                let mut state = String::new();
                let members = keys.into_iter().map(|key| (key, self.members.of_key(key)));
                crate::members::push_presences(&mut state, members, false);
                Some(Payload::trusted(state))
            }
        };
        let Some(channel) = self.channels.get(&address) else {
            return;
        };
        let Listener {
            channel: id,
            join_ref,
            outbox,
        } = &channel.listener;
        if let Some(state) = state {
            let version = outbox.version();
            let wire = phoenix::encode_push(
                version,
                join_ref.as_ref(),
                &self.name,
                "presence_state",
                &state,
            );
            outbox.presence(*id, wire);
        }
        if counts(Some(&sees)) {
            outbox.presence(*id, self.counts_message().wire(outbox.version()));
        }
    }
}

fn counts(sees: Option<&Sees>) -> bool {
    matches!(sees, Some(Sees::Counts | Sees::Page(_)))
}

/// Brings a page up to date; what changed for its viewers. O(changes + vacancies ·
/// size): among `size + 1` keys there is one that the page does not have.
fn turn(members: &Members, size: usize, page: &mut HashSet<Arc<str>>, told: &News) -> News {
    let mut turned = News::default();
    for (key, gone) in &told.leaves {
        if page.contains(key) {
            turned.leaves.insert(key.clone(), gone.clone());
        }
    }
    for (key, came) in &told.joins {
        if page.contains(key) {
            turned.joins.insert(key.clone(), came.clone());
        }
    }
    for key in told.leaves.keys() {
        if members.of_key(key).next().is_none() {
            page.remove(key);
        }
    }
    while page.len() < size {
        let Some(key) = members
            .told_keys()
            .find(|key| !page.contains(*key))
            .cloned()
        else {
            break;
        };
        turned
            .joins
            .insert(key.clone(), members.of_key(&key).cloned().collect());
        page.insert(key);
    }
    turned
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::outbox::Item;
    use crate::phoenix::{Limits, Output, Session, Version, Wire};

    /// A channel id, as a session gives them.
    pub(crate) fn channel() -> ChannelId {
        let mut session = Session::new(Version::V2, Limits::default(), Duration::ZERO);
        session.receive_text(Duration::ZERO, r#"["1","1","t","phx_join",{}]"#);
        match session.poll() {
            Some(Output::Join { channel, .. }) => channel,
            other => panic!("{other:?}"),
        }
    }

    async fn next(outbox: &Outbox) -> phoenix::Utf8Bytes {
        loop {
            match outbox.pop() {
                Some(Item::Send(Wire::Text(text))) => return text,
                Some(other) => panic!("{other:?}"),
                None => outbox.ready().await,
            }
        }
    }

    #[tokio::test]
    async fn a_change_is_serialized_once_for_each_version_and_its_bytes_are_shared() {
        let node: Node = Node::builder("n").start().await.unwrap();
        let topics = Arc::new(Topics::default());
        let handle = topics.open(&node, &"t".into(), Duration::ZERO);
        let channel = channel();
        let mut outboxes = Vec::new();
        for socket in 0..100 {
            let version = if socket % 2 == 0 {
                Version::V1
            } else {
                Version::V2
            };
            let outbox = Arc::new(Outbox::new(version, 8, 1 << 20));
            let listener = Listener {
                channel,
                join_ref: None,
                outbox: outbox.clone(),
            };
            handle.send(Command::Enter(socket, listener)).await;
            let address = (socket, channel);
            let wish = Wish {
                sees: Sees::Everyone,
                twice: false,
                own: None,
            };
            handle.send(Command::Subscribe(address, wish)).await;
            assert!(next(&outbox).await.contains("presence_state"));
            outboxes.push(outbox);
        }
        let connection = node.connect();
        connection
            .track("t", "ada", &JsonMeta::new(&1).unwrap())
            .unwrap();
        let mut addresses = HashSet::new();
        for outbox in &outboxes {
            let text = next(outbox).await;
            assert!(text.contains("presence_diff") && text.contains("ada"));
            addresses.insert(text.as_str().as_ptr() as usize);
        }
        assert_eq!(addresses.len(), 2, "one text for each version");
    }

    #[tokio::test]
    async fn a_topic_that_nobody_holds_is_closed_and_opens_again() {
        let node: Node = Node::builder("n").start().await.unwrap();
        let topics = Arc::new(Topics::default());
        for _ in 0..3 {
            drop(topics.open(&node, &"t".into(), Duration::ZERO));
            for _ in 0..1000 {
                if topics.open.lock().unwrap().is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(topics.open.lock().unwrap().is_empty());
            assert!(topics.get("t").is_none());
        }
    }
}
