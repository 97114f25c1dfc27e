//! The bounded queue of one socket.

use alloc::collections::VecDeque;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::phoenix::{ChannelId, Closing, Version, Wire, code};

/// One thing for the socket to do.
#[derive(Debug)]
pub(crate) enum Item {
    Send(Wire),
    /// Presence of this channel was dropped. Fetch its state.
    Fetch(ChannelId),
    Close(Closing),
}

#[derive(Debug)]
enum Queued {
    Wire(Wire),
    /// It may be dropped, if a state replaces it.
    Presence(ChannelId, Wire),
    Fetch(ChannelId),
}

/// The queue of everything that others send to a socket.
///
/// # Invariants
///
/// At most `items` and `bytes` of presence wait. What must arrive may take twice as much.
/// If more comes, the socket is closed.
#[derive(Debug)]
pub(crate) struct Outbox {
    version: Version,
    items: usize,
    bytes: usize,
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Queued>,
    bytes: usize,
    /// Channels that must fetch a state. Until then their presence is dropped.
    behind: HashSet<ChannelId>,
    /// How often states replaced presence, for tests and metrics.
    collapsed: u64,
    closing: Option<Closing>,
}

impl Outbox {
    pub(crate) fn new(version: Version, items: usize, bytes: usize) -> Self {
        Self {
            version,
            items,
            bytes,
            queue: Mutex::default(),
            ready: Notify::new(),
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// A panic in another place does not break an invariant of the queue.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something that must arrive. Over the bound, the socket is closed. O(1).
    pub(crate) fn push(&self, wire: Wire) {
        let mut queue = self.queue();
        if queue.waiting.len() >= 2 * self.items || queue.bytes >= 2 * self.bytes {
            let slow = Closing::new(code::POLICY, "the client does not read");
            queue.closing.get_or_insert(slow);
            queue.waiting.clear();
            queue.bytes = 0;
        } else if queue.closing.is_none() {
            queue.bytes += wire.len();
            queue.waiting.push_back(Queued::Wire(wire));
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// Adds presence of `channel`. Over the bound, all presence that waits is dropped,
    /// and a state of each channel replaces it. O(1), amortized.
    pub(crate) fn presence(&self, channel: ChannelId, wire: Wire) {
        let mut queue = self.queue();
        if queue.closing.is_some() || queue.behind.contains(&channel) {
            return;
        }
        if queue.waiting.len() >= self.items || queue.bytes >= self.bytes {
            queue.collapse(channel);
        } else {
            queue.bytes += wire.len();
            queue.waiting.push_back(Queued::Presence(channel, wire));
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// The channel has its state again. From now on presence is added.
    pub(crate) fn caught_up(&self, channel: ChannelId) {
        self.queue().behind.remove(&channel);
    }

    #[cfg(test)]
    pub(crate) fn is_behind(&self, channel: ChannelId) -> bool {
        self.queue().behind.contains(&channel)
    }

    /// Ends the socket, at once or after everything that waits was sent.
    pub(crate) fn close(&self, closing: Closing) {
        self.queue().closing.get_or_insert(closing);
        self.ready.notify_one();
    }

    pub(crate) fn pop(&self) -> Option<Item> {
        let mut queue = self.queue();
        match queue.waiting.pop_front() {
            Some(Queued::Wire(wire) | Queued::Presence(_, wire)) => {
                queue.bytes -= wire.len();
                Some(Item::Send(wire))
            }
            Some(Queued::Fetch(channel)) => Some(Item::Fetch(channel)),
            None => queue.closing.clone().map(Item::Close),
        }
    }

    /// Whether nothing waits, and the socket need not be closed.
    pub(crate) fn is_empty(&self) -> bool {
        let queue = self.queue();
        queue.waiting.is_empty() && queue.closing.is_none()
    }

    /// Waits until something may be in the queue.
    pub(crate) async fn ready(&self) {
        if self.is_empty() {
            self.ready.notified().await;
        }
    }
}

impl Queue {
    fn collapse(&mut self, channel: ChannelId) {
        self.behind.insert(channel);
        let waiting = core::mem::take(&mut self.waiting);
        self.bytes = 0;
        for item in waiting {
            match item {
                Queued::Presence(channel, _) => {
                    self.behind.insert(channel);
                    self.collapsed += 1;
                }
                Queued::Wire(wire) => {
                    self.bytes += wire.len();
                    self.waiting.push_back(Queued::Wire(wire));
                }
                Queued::Fetch(_) => {}
            }
        }
        let mut behind: Vec<ChannelId> = self.behind.iter().copied().collect();
        behind.sort_unstable();
        self.waiting.extend(behind.into_iter().map(Queued::Fetch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoenix::{Limits, Output, Session};

    fn channels() -> [ChannelId; 2] {
        let mut session = Session::new(Version::V2, Limits::default(), core::time::Duration::ZERO);
        core::array::from_fn(|n| {
            let join = format!(r#"["1","1","{n}","phx_join",{{}}]"#);
            session.receive_text(core::time::Duration::ZERO, &join);
            match session.poll() {
                Some(Output::Join { channel, .. }) => channel,
                other => panic!("{other:?}"),
            }
        })
    }

    fn drain(outbox: &Outbox) -> Vec<String> {
        let show = |item| match item {
            Item::Send(wire) => wire.text().map(str::to_owned).unwrap_or_default(),
            Item::Fetch(channel) => format!("fetch {channel:?}"),
            Item::Close(closing) => format!("close {}", closing.code),
        };
        let mut items = Vec::new();
        while let Some(item) = outbox.pop() {
            let last = matches!(item, Item::Close(_));
            items.push(show(item));
            if last {
                break;
            }
        }
        items
    }

    #[test]
    fn presence_over_the_bound_becomes_one_state_a_channel_and_the_rest_stays() {
        let [a, b] = channels();
        let outbox = Outbox::new(Version::V2, 4, 1 << 20);
        outbox.presence(a, Wire::Text("1".into()));
        outbox.push(Wire::Text("reply".into()));
        outbox.presence(b, Wire::Text("2".into()));
        for n in 0..100 {
            outbox.presence(a, Wire::Text(n.to_string().into()));
        }
        outbox.presence(b, Wire::Text("3".into()));
        assert_eq!(
            drain(&outbox),
            [
                "reply".to_owned(),
                format!("fetch {a:?}"),
                format!("fetch {b:?}")
            ]
        );
        outbox.presence(a, Wire::Text("passed over".into()));
        outbox.caught_up(a);
        outbox.presence(a, Wire::Text("again".into()));
        assert_eq!(drain(&outbox), ["again"]);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let [a, _] = channels();
        let outbox = Outbox::new(Version::V2, 100, 1000);
        for _ in 0..100 {
            outbox.presence(a, Wire::Text("x".repeat(300).into()));
        }
        assert_eq!(drain(&outbox), [format!("fetch {a:?}")]);
    }

    #[test]
    fn what_must_arrive_is_never_dropped_alone_the_socket_is_closed() {
        let outbox = Outbox::new(Version::V2, 4, 1 << 20);
        for n in 0..8 {
            outbox.push(Wire::Text(n.to_string().into()));
        }
        assert_eq!(drain(&outbox).len(), 8);
        for n in 0..9 {
            outbox.push(Wire::Text(n.to_string().into()));
        }
        assert_eq!(drain(&outbox), ["close 1008"]);
    }
}
