//! What an engine reports, through a queue that is bounded in bytes and in number.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc::string::String;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most messages that wait to be read.
const MAX_WAITING: usize = 8_192;

/// The most bytes that wait to be read.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// What a message costs beside its bytes.
const OVERHEAD: usize = 128;

/// Something that an engine reports.
///
/// ```
/// use lattice_presence_node::engine::{Event, events};
///
/// let (events, mut received) = events();
/// events.offer("berlin-1".into(), "hello".into());
/// assert_eq!(
///     received.try_next(),
///     Some(Event::Message { from: "berlin-1".into(), payload: "hello".into() }),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A payload came in.
    Message {
        /// The sender's name.
        from: Arc<str>,
        /// What it sent.
        payload: Bytes,
    },
    /// Payloads for us were lost: nobody read them in time, or the engine was not
    /// connected.
    Lagged {
        /// How many, where that is known.
        messages: Option<u64>,
    },
    /// The engine can reach others from now on.
    Connected,
    /// The engine reaches nobody. It tries to connect again by itself.
    Disconnected {
        /// What happened.
        reason: String,
    },
    /// What the engine believes of a peer.
    Hint {
        /// The peer's name.
        peer: Arc<str>,
        /// What of it.
        hint: PeerHint,
    },
}

/// What an engine believes of a peer. It may be wrong: nodes judge by what they hear.
///
/// ```
/// use lattice_presence_node::engine::{Event, PeerHint, events};
///
/// let (events, mut received) = events();
/// events.hint("berlin-1".into(), PeerHint::Lost);
/// assert!(matches!(received.try_next(), Some(Event::Hint { hint: PeerHint::Lost, .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerHint {
    /// It is there.
    Up,
    /// It is gone.
    Lost,
}

/// A queue from an engine to its node: what is put in at one end comes out at the other.
///
/// It holds at most 8,192 messages and 32 MiB. A node makes one itself; this call is for
/// tests of engines.
///
/// ```
/// let (events, mut received) = lattice_presence_node::engine::events();
/// events.connected();
/// assert!(received.try_next().is_some());
/// ```
#[must_use]
pub fn events() -> (Events, EventStream) {
    // Words that are not messages are few, and must not get lost.
    let (words, word_queue) = mpsc::unbounded_channel();
    let (messages, message_queue) = mpsc::channel(MAX_WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let events = Events {
        messages,
        words,
        room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)),
        lost: Arc::clone(&lost),
    };
    let stream = EventStream {
        messages: message_queue,
        words: word_queue,
        lost,
    };
    (events, stream)
}

/// A message that waits, and the room that it takes.
#[derive(Debug)]
enum Waiting {
    Message {
        from: Arc<str>,
        payload: Bytes,
        _room: OwnedSemaphorePermit,
    },
    Hint {
        peer: Arc<str>,
        hint: PeerHint,
    },
}

/// What must not get lost.
#[derive(Debug)]
enum Word {
    Event(Event),
    /// Messages found the queue full; the count of them stands beside the queue.
    Full,
}

/// Where an engine reports what it sees. Cheap to clone.
///
/// When the last clone is dropped, the node knows that the engine has ended.
///
/// ```
/// let (events, mut received) = lattice_presence_node::engine::events();
/// drop(events);
/// assert!(received.is_closed());
/// ```
#[derive(Clone, Debug)]
pub struct Events {
    messages: mpsc::Sender<Waiting>,
    words: mpsc::UnboundedSender<Word>,
    room: Arc<Semaphore>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// Reports a payload, or counts it as lost where the queue is full. Never waits, so
    /// that it suits callbacks of a transport. Whether there was room. O(1).
    ///
    /// ```
    /// let (events, _received) = lattice_presence_node::engine::events();
    /// assert!(events.offer("berlin-1".into(), "hello".into()));
    /// ```
    pub fn offer(&self, from: Arc<str>, payload: Bytes) -> bool {
        let size = size(&payload);
        let taken = Arc::clone(&self.room)
            .try_acquire_many_owned(size)
            .is_ok_and(|room| self.put(from, payload, room));
        if !taken && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            self.say(Word::Full);
        }
        taken
    }

    fn put(&self, from: Arc<str>, payload: Bytes, room: OwnedSemaphorePermit) -> bool {
        let waiting = Waiting::Message {
            from,
            payload,
            _room: room,
        };
        self.messages.try_send(waiting).is_ok()
    }

    /// Reports a payload, and waits for room where the queue is full: for engines whose
    /// transport slows its sender down. `false` where nobody reads any more.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let (events, _received) = lattice_presence_node::engine::events();
    /// assert!(events.deliver("berlin-1".into(), "hello".into()).await);
    /// # });
    /// ```
    pub async fn deliver(&self, from: Arc<str>, payload: Bytes) -> bool {
        let room = Arc::clone(&self.room)
            .acquire_many_owned(size(&payload))
            .await;
        let Ok(room) = room else { return false };
        let waiting = Waiting::Message {
            from,
            payload,
            _room: room,
        };
        self.messages.send(waiting).await.is_ok()
    }

    /// Reports that payloads for us were lost; how many, where that is known.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Event, events};
    ///
    /// let (events, mut received) = events();
    /// events.lagged(Some(3));
    /// assert_eq!(received.try_next(), Some(Event::Lagged { messages: Some(3) }));
    /// ```
    pub fn lagged(&self, messages: Option<u64>) {
        self.say(Word::Event(Event::Lagged { messages }));
    }

    /// Reports that others can be reached from now on.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Event, events};
    ///
    /// let (events, mut received) = events();
    /// events.connected();
    /// assert_eq!(received.try_next(), Some(Event::Connected));
    /// ```
    pub fn connected(&self) {
        self.say(Word::Event(Event::Connected));
    }

    /// Reports that nobody can be reached.
    ///
    /// ```
    /// use lattice_presence_node::engine::{Event, events};
    ///
    /// let (events, mut received) = events();
    /// events.disconnected("the broker closed the connection");
    /// assert!(matches!(received.try_next(), Some(Event::Disconnected { .. })));
    /// ```
    pub fn disconnected(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.say(Word::Event(Event::Disconnected { reason }));
    }

    /// Reports what the engine believes of a peer. Where the queue is full, it is not
    /// heard.
    ///
    /// ```
    /// use lattice_presence_node::engine::{PeerHint, events};
    ///
    /// let (events, mut received) = events();
    /// events.hint("berlin-1".into(), PeerHint::Up);
    /// assert!(received.try_next().is_some());
    /// ```
    pub fn hint(&self, peer: Arc<str>, hint: PeerHint) {
        let _ = self.messages.try_send(Waiting::Hint { peer, hint });
    }

    fn say(&self, word: Word) {
        // An error means that nobody reads any more.
        let _ = self.words.send(word);
    }

    /// Whether the node reads no more: the engine may end. O(1).
    ///
    /// ```
    /// let (events, received) = lattice_presence_node::engine::events();
    /// drop(received);
    /// assert!(events.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.words.is_closed()
    }
}

/// The room that a payload takes. A payload over the whole room takes all of it.
fn size(payload: &Bytes) -> u32 {
    let size = (payload.len() + OVERHEAD).min(MAX_WAITING_BYTES);
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Where a node, or a test of an engine, reads what the engine reports.
///
/// ```
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let (events, mut received) = lattice_presence_node::engine::events();
/// events.connected();
/// drop(events);
/// assert!(received.next().await.is_some());
/// assert!(received.next().await.is_none());
/// # });
/// ```
#[derive(Debug)]
pub struct EventStream {
    messages: mpsc::Receiver<Waiting>,
    words: mpsc::UnboundedReceiver<Word>,
    lost: Arc<AtomicU64>,
}

impl EventStream {
    /// The next event; `None` once the engine has ended. Words come before messages.
    /// Safe to cancel.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let (events, mut received) = lattice_presence_node::engine::events();
    /// events.connected();
    /// assert!(received.next().await.is_some());
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            Some(word) = self.words.recv() => Some(self.event_of(word)),
            Some(waiting) = self.messages.recv() => Some(waiting.into()),
            else => None,
        }
    }

    /// The next event, if one waits. O(1).
    ///
    /// ```
    /// let (_events, mut received) = lattice_presence_node::engine::events();
    /// assert!(received.try_next().is_none());
    /// ```
    pub fn try_next(&mut self) -> Option<Event> {
        if let Ok(word) = self.words.try_recv() {
            return Some(self.event_of(word));
        }
        self.messages.try_recv().ok().map(Event::from)
    }

    /// Whether the engine has ended and nothing waits. O(1).
    ///
    /// ```
    /// let (events, received) = lattice_presence_node::engine::events();
    /// assert!(!received.is_closed());
    /// # drop(events);
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.words.is_closed() && self.words.is_empty() && self.messages.is_empty()
    }

    /// How many messages wait. O(1).
    ///
    /// ```
    /// let (events, received) = lattice_presence_node::engine::events();
    /// events.offer("berlin-1".into(), "hello".into());
    /// assert_eq!(received.waiting(), 1);
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.messages.len()
    }

    fn event_of(&self, word: Word) -> Event {
        match word {
            Word::Event(event) => event,
            Word::Full => Event::Lagged {
                messages: Some(self.lost.swap(0, Ordering::Relaxed)),
            },
        }
    }
}

impl From<Waiting> for Event {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Message { from, payload, .. } => Self::Message { from, payload },
            Waiting::Hint { peer, hint } => Self::Hint { peer, hint },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_the_queue_full_is_counted_and_reported_once() {
        let (events, mut received) = events();
        let long = Bytes::from(alloc::vec![0; 1024 * 1024]);
        let taken = (0..100)
            .filter(|_| events.offer("a".into(), long.clone()))
            .count();
        assert!((31..=32).contains(&taken), "{taken} MiB wait");
        let lost = u64::try_from(100 - taken).unwrap();
        let lagged = Event::Lagged {
            messages: Some(lost),
        };
        assert_eq!(received.try_next(), Some(lagged));
        assert_eq!(core::iter::from_fn(|| received.try_next()).count(), taken);
        assert!(events.offer("a".into(), long), "there is room again");
    }

    #[test]
    fn small_messages_are_bounded_by_number() {
        let (events, received) = events();
        for _ in 0..2 * MAX_WAITING {
            events.offer("a".into(), Bytes::new());
        }
        assert_eq!(received.waiting(), MAX_WAITING);
    }

    #[test]
    fn a_flood_of_hints_takes_no_more_than_the_queue() {
        let (events, received) = events();
        for _ in 0..2 * MAX_WAITING {
            events.hint("a".into(), PeerHint::Lost);
        }
        assert_eq!(received.waiting(), MAX_WAITING);
    }

    #[tokio::test]
    async fn the_stream_ends_with_the_last_sender_and_after_what_waits() {
        let (events, mut received) = events();
        events.offer("a".into(), Bytes::new());
        let other = events.clone();
        drop(events);
        assert!(received.next().await.is_some());
        other.disconnected("cable");
        drop(other);
        assert!(received.next().await.is_some());
        assert_eq!(received.next().await, None);
    }
}
