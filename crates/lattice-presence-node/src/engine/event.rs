//! What an engine reports, through a queue that is bounded in bytes and in number, for all
//! and for each sender.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

mod room;

use room::{MAX_WAITING, Room, Taken};

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
        /// Who sent them, where that is known.
        from: Option<Arc<str>>,
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
/// It holds at most 8,192 messages and 32 MiB, and of one sender at most a quarter of both:
/// one that floods the node does not crowd out the others. A node makes one itself; this
/// call is for tests of engines.
///
/// ```
/// let (events, mut received) = lattice_presence_node::engine::events();
/// events.connected();
/// assert!(received.try_next().is_some());
/// ```
#[must_use]
pub fn events() -> (Events, EventStream) {
    // Signals are no messages: they are few, and must not get lost.
    let (signals, signal_queue) = mpsc::unbounded_channel();
    let (messages, message_queue) = mpsc::channel(MAX_WAITING);
    let room = Arc::new(Room::new());
    let events = Events {
        messages,
        signals,
        room: Arc::clone(&room),
    };
    let stream = EventStream {
        messages: message_queue,
        signals: signal_queue,
        room,
    };
    (events, stream)
}

/// A message that waits, and the room that it takes.
#[derive(Debug)]
enum Waiting {
    Message {
        from: Arc<str>,
        payload: Bytes,
        _room: Taken,
    },
    Hint {
        peer: Arc<str>,
        hint: PeerHint,
        _room: Taken,
    },
}

/// What must not get lost.
#[derive(Debug)]
enum Signal {
    Event(Event),
    /// Messages of that sender found no room; the count of them stands beside the queue.
    Lost(Option<Arc<str>>),
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
    signals: mpsc::UnboundedSender<Signal>,
    room: Arc<Room>,
}

impl Events {
    /// Reports a payload, or counts it as lost where the queue is full, or the sender's
    /// share of it. Never waits, so that it suits callbacks of a transport. Whether there
    /// was room. O(1).
    ///
    /// ```
    /// let (events, _received) = lattice_presence_node::engine::events();
    /// assert!(events.offer("berlin-1".into(), "hello".into()));
    /// ```
    pub fn offer(&self, from: Arc<str>, payload: Bytes) -> bool {
        let room = self.room.try_take(&from, payload.len());
        let taken = room.is_some_and(|room| self.put(Arc::clone(&from), payload, room));
        if !taken {
            self.lose(&from);
        }
        taken
    }

    fn put(&self, from: Arc<str>, payload: Bytes, room: Taken) -> bool {
        let waiting = Waiting::Message {
            from,
            payload,
            _room: room,
        };
        self.messages.try_send(waiting).is_ok()
    }

    fn lose(&self, from: &Arc<str>) {
        if let Some(name) = self.room.lose(from) {
            self.signal(Signal::Lost(name));
        }
    }

    /// Reports a payload, and waits for room where the queue is full, or the sender's share
    /// of it: for engines whose transport has a connection for each sender, and slows that
    /// one down. Where all senders come in on one connection, a slow reader would hold them
    /// all up: [`offer`](Self::offer) does not.
    ///
    /// A payload that can never fit, of 8 MiB and more, is counted as lost. `false` where
    /// nobody reads any more. Safe to cancel.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let (events, _received) = lattice_presence_node::engine::events();
    /// assert!(events.deliver("berlin-1".into(), "hello".into()).await);
    /// # });
    /// ```
    pub async fn deliver(&self, from: Arc<str>, payload: Bytes) -> bool {
        if !Room::fits(&from, payload.len()) {
            self.lose(&from);
            return !self.is_closed();
        }
        // Where nobody reads any more, nobody makes room either.
        let room = tokio::select! {
            room = self.room.take(&from, payload.len()) => room,
            () = self.messages.closed() => None,
        };
        let Some(room) = room else { return false };
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
    /// let lagged = Event::Lagged { from: None, messages: Some(3) };
    /// assert_eq!(received.try_next(), Some(lagged));
    /// ```
    pub fn lagged(&self, messages: Option<u64>) {
        self.signal(Signal::Event(Event::Lagged {
            from: None,
            messages,
        }));
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
        self.signal(Signal::Event(Event::Connected));
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
        self.signal(Signal::Event(Event::Disconnected { reason }));
    }

    /// Reports what the engine believes of a peer. Where the queue is full, or the peer's
    /// share of it, it is not heard.
    ///
    /// ```
    /// use lattice_presence_node::engine::{PeerHint, events};
    ///
    /// let (events, mut received) = events();
    /// events.hint("berlin-1".into(), PeerHint::Up);
    /// assert!(received.try_next().is_some());
    /// ```
    pub fn hint(&self, peer: Arc<str>, hint: PeerHint) {
        if let Some(room) = self.room.try_take(&peer, 0) {
            let _ = self.messages.try_send(Waiting::Hint {
                peer,
                hint,
                _room: room,
            });
        }
    }

    fn signal(&self, signal: Signal) {
        // An error means that nobody reads any more.
        let _ = self.signals.send(signal);
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
        self.signals.is_closed()
    }
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
    signals: mpsc::UnboundedReceiver<Signal>,
    room: Arc<Room>,
}

impl EventStream {
    /// The next event; `None` once the engine has ended. Signals come before messages.
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
            Some(signal) = self.signals.recv() => Some(self.event_of(signal)),
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
        if let Ok(signal) = self.signals.try_recv() {
            return Some(self.event_of(signal));
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
        self.signals.is_closed() && self.signals.is_empty() && self.messages.is_empty()
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

    fn event_of(&self, signal: Signal) -> Event {
        match signal {
            Signal::Event(event) => event,
            Signal::Lost(from) => {
                let messages = Some(self.room.lost(&from));
                Event::Lagged { from, messages }
            }
        }
    }
}

impl From<Waiting> for Event {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Message { from, payload, .. } => Self::Message { from, payload },
            Waiting::Hint { peer, hint, .. } => Self::Hint { peer, hint },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn lagged(from: &str, messages: usize) -> Event {
        Event::Lagged {
            from: Some(from.into()),
            messages: Some(messages.try_into().unwrap()),
        }
    }

    /// The events that wait, by their sender; how many were lost of whom is in `lost`.
    fn read(received: &mut EventStream, sender: &str) -> (usize, Vec<Event>) {
        let (mut messages, mut lost) = (0, Vec::new());
        while let Some(event) = received.try_next() {
            match event {
                Event::Message { from, .. } => messages += usize::from(&*from == sender),
                lagged => lost.push(lagged),
            }
        }
        (messages, lost)
    }

    #[test]
    fn what_finds_no_room_is_counted_and_reported_once() {
        let (events, mut received) = events();
        let long = Bytes::from(alloc::vec![0; 1024 * 1024]);
        let offer = |_: &usize| events.offer("a".into(), long.clone());
        let taken = (0..100).filter(offer).count();
        assert!((7..=8).contains(&taken), "{taken} MiB wait");
        let lost = alloc::vec![lagged("a", 100 - taken)];
        assert_eq!(read(&mut received, "a"), (taken, lost));
        assert!(events.offer("a".into(), long), "there is room again");
    }

    #[test]
    fn one_that_floods_does_not_crowd_out_the_others() {
        let megabyte = Bytes::from(alloc::vec![0; 1024 * 1024]);
        for (flood, count) in [(Bytes::new(), 10 * MAX_WAITING), (megabyte, 100)] {
            let (events, mut received) = events();
            let mut honest = 0;
            for number in 0..count {
                events.offer("mallory".into(), flood.clone());
                if number % (count / 10) == 0 {
                    honest += 1;
                    let taken = events.offer("b".into(), "a heartbeat".into());
                    assert!(taken, "heartbeat {honest} found no room");
                }
            }
            let waiting = received.waiting() - honest;
            assert!(waiting <= MAX_WAITING / 4, "{waiting} of mallory wait");
            let lost = alloc::vec![lagged("mallory", count - waiting)];
            assert_eq!(read(&mut received, "b"), (honest, lost));
        }
    }

    #[test]
    fn many_senders_are_bounded_together() {
        let (events, received) = events();
        for number in 0..2 * MAX_WAITING {
            events.offer(alloc::format!("{}", number % 8).into(), Bytes::new());
        }
        assert_eq!(received.waiting(), MAX_WAITING);
        let (events, mut received) = super::events();
        let long = Bytes::from(alloc::vec![0; 1024 * 1024]);
        for number in 0..100 {
            events.offer(alloc::format!("{}", number % 8).into(), long.clone());
        }
        assert!((30..=32).contains(&received.waiting()), "a MiB each");
        assert!(read(&mut received, "0").1.len() == 8, "each has its count");
    }

    #[test]
    fn a_flood_of_hints_takes_no_more_than_a_share() {
        let (events, received) = events();
        for _ in 0..2 * MAX_WAITING {
            events.hint("a".into(), PeerHint::Lost);
        }
        assert_eq!(received.waiting(), MAX_WAITING / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_gets_it_or_learns_that_nobody_reads() {
        let (events, mut received) = events();
        let long = Bytes::from(alloc::vec![0; 5 * 1024 * 1024]);
        assert!(events.deliver("a".into(), long.clone()).await);
        let waiting = {
            let (events, long) = (events.clone(), long.clone());
            tokio::spawn(async move { events.deliver("a".into(), long).await })
        };
        tokio::time::sleep(core::time::Duration::from_secs(1)).await;
        assert!(!waiting.is_finished(), "5 + 5 MiB are over the share");
        assert!(
            events.deliver("b".into(), long.clone()).await,
            "b has its own"
        );
        assert!(received.next().await.is_some());
        assert!(waiting.await.unwrap());
        let huge = Bytes::from(alloc::vec![0; 9 * 1024 * 1024]);
        assert!(events.deliver("c".into(), huge).await);
        assert_eq!(received.try_next(), Some(lagged("c", 1)), "it never fits");

        let waiting = tokio::spawn(async move { events.deliver("a".into(), long).await });
        tokio::time::sleep(core::time::Duration::from_secs(1)).await;
        drop(received);
        assert!(!waiting.await.unwrap());
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
