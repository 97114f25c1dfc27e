//! What a client has, apart from the socket that it is on: its pid and its entries.
//!
//! A socket that ends leaves its seat empty for a while. Whoever comes with the token
//! of the seat sits down, and the entries are the same ones.

use alloc::sync::{Arc, Weak};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lattice_presence_json::JsonMeta;
use lattice_presence_node::{Connection, Node, Presence};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// The question whether a socket is alive; it answers once it was.
pub(crate) type Probe = oneshot::Sender<()>;

/// How often a newcomer asks anew, because another one sat down while it asked.
const TRIES: usize = 3;

/// Whose seat it is, and which one of his.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeatId {
    pub(crate) owner: Option<String>,
    pub(crate) token: String,
}

/// What holds for all seats of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How long entries stay whose socket has ended.
    pub(crate) grace: Duration,
    /// How long a socket may take to say that it is alive.
    pub(crate) probe: Duration,
    /// Entries of one seat.
    pub(crate) entries: usize,
    /// Seats that wait for their client.
    pub(crate) waiting: usize,
}

/// The seats of an endpoint.
pub(crate) struct Seats {
    rules: Rules,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<SeatId, Arc<Seat>>,
    /// How many are empty and keep entries, with an id or without.
    waiting: usize,
}

struct Seat {
    connection: Connection<JsonMeta>,
    id: Option<SeatId>,
    seats: Weak<Seats>,
    kept: Mutex<Kept>,
}

/// # Invariants
///
/// `unclaimed` holds topics of `entries` alone; all of them where nobody sits.
#[derive(Default)]
struct Kept {
    entries: HashMap<Arc<str>, Presence<JsonMeta>>,
    /// Entries whose socket has ended, and until when they stay. Who sits down again
    /// moves no deadline: it has to join the topic.
    unclaimed: HashMap<Arc<str>, Instant>,
    /// Whose seat it is: counts those who sat down.
    sitting: u64,
    /// The socket that sits here, if any.
    socket: Option<mpsc::Sender<Probe>>,
    /// Whether a task waits for the deadlines.
    is_swept: bool,
    /// Whether it is among those that wait for their client.
    waits: bool,
}

/// The right to change what a seat keeps, until somebody else sits down there.
#[derive(Clone)]
pub(crate) struct Sitting {
    seat: Arc<Seat>,
    number: u64,
}

impl Seats {
    pub(crate) fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            inner: Mutex::default(),
        })
    }

    /// The seat of `id`, if nobody alive sits there; a new one otherwise.
    pub(crate) async fn take(
        self: &Arc<Self>,
        node: &Node,
        id: Option<SeatId>,
        socket: mpsc::Sender<Probe>,
    ) -> Sitting {
        if let Some(id) = id {
            for _ in 0..TRIES {
                let asked = self.sitting_at(&id);
                if let Some(asked) = &asked
                    && is_alive(asked, self.rules.probe).await
                {
                    break; // a copy of a tab, which copies its storage
                }
                if let Some(sitting) = self.sit(node, &id, &socket, asked.as_ref()) {
                    return sitting;
                }
            }
        }
        Seat::new(node, None, self).sit(socket)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket that has the seat of `id`.
    fn sitting_at(&self, id: &SeatId) -> Option<mpsc::Sender<Probe>> {
        let seat = self.inner().by_id.get(id)?.clone();
        seat.kept().socket.clone()
    }

    /// Sits down, unless somebody came in between who is not `dead`.
    fn sit(
        self: &Arc<Self>,
        node: &Node,
        id: &SeatId,
        socket: &mpsc::Sender<Probe>,
        dead: Option<&mpsc::Sender<Probe>>,
    ) -> Option<Sitting> {
        let mut inner = self.inner();
        let seat = inner
            .by_id
            .entry(id.clone())
            .or_insert_with(|| Seat::new(node, Some(id.clone()), self))
            .clone();
        let is_free = match &seat.kept().socket {
            Some(sits) => dead.is_some_and(|dead| sits.same_channel(dead)),
            None => true,
        };
        if !is_free {
            return None;
        }
        inner.waits_no_more(&mut seat.kept());
        let sitting = seat.sit(socket.clone());
        drop(inner);
        Some(sitting)
    }
}

impl Inner {
    fn waits_no_more(&mut self, kept: &mut Kept) {
        self.waiting -= usize::from(core::mem::take(&mut kept.waits));
    }
}

/// Only who is gone, or does not answer in time, is dead. A queue that is full is not.
async fn is_alive(socket: &mpsc::Sender<Probe>, within: Duration) -> bool {
    let (answer, answered) = oneshot::channel();
    let asked = async { socket.send(answer).await.is_ok() && answered.await.is_ok() };
    timeout(within, asked).await == Ok(true)
}

impl Seat {
    fn new(node: &Node, id: Option<SeatId>, seats: &Arc<Seats>) -> Arc<Self> {
        Arc::new(Self {
            connection: node.connect(),
            id,
            seats: Arc::downgrade(seats),
            kept: Mutex::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sit(self: Arc<Self>, socket: mpsc::Sender<Probe>) -> Sitting {
        let mut kept = self.kept();
        // Where the former one is dead, it has not stood up.
        if kept.socket.replace(socket).is_some() {
            self.abandon(&mut kept);
        }
        kept.sitting += 1;
        let number = kept.sitting;
        drop(kept);
        Sitting { seat: self, number }
    }

    /// Whoever had the entries is gone. Those that were unclaimed keep their deadline.
    fn abandon(self: &Arc<Self>, kept: &mut Kept) {
        let Some(seats) = self.seats.upgrade() else {
            return;
        };
        let until = Instant::now() + seats.rules.grace;
        for topic in kept.entries.keys() {
            kept.unclaimed.entry(topic.clone()).or_insert(until);
        }
        if !kept.unclaimed.is_empty() && !kept.is_swept {
            kept.is_swept = true;
            tokio::spawn(self.clone().sweep());
        }
    }

    /// Takes entries out when their time is over, until none is unclaimed.
    async fn sweep(self: Arc<Self>) {
        loop {
            let next = {
                let mut kept = self.kept();
                let now = Instant::now();
                let over = kept.unclaimed.iter().filter(|(_, until)| **until <= now);
                for topic in over.map(|(topic, _)| topic.clone()).collect::<Vec<_>>() {
                    self.remove(&mut kept, &topic);
                }
                let next = kept.unclaimed.values().min().copied();
                kept.is_swept = next.is_some();
                next
            };
            match next {
                Some(next) => sleep_until(next).await,
                None => break,
            }
        }
        self.close();
    }

    fn remove(&self, kept: &mut Kept, topic: &Arc<str>) {
        kept.unclaimed.remove(topic);
        if let Some(entry) = kept.entries.remove(topic) {
            self.connection.untrack(topic, entry.key());
        }
    }

    /// Forgets the seat, if nobody sits there and it keeps nothing.
    fn close(self: &Arc<Self>) {
        let Some(seats) = self.seats.upgrade() else {
            return;
        };
        let mut inner = seats.inner();
        let mut kept = self.kept();
        if kept.socket.is_some() || !kept.entries.is_empty() {
            return;
        }
        inner.waits_no_more(&mut kept);
        if let Some(id) = &self.id
            && let Some(seat) = inner.by_id.get(id)
            && Arc::ptr_eq(seat, self)
        {
            inner.by_id.remove(id);
        }
    }
}

impl Sitting {
    pub(crate) fn pid(&self) -> &Arc<str> {
        self.seat.connection.pid()
    }

    /// What is kept, unless another socket has sat down here since.
    fn kept(&self) -> Option<MutexGuard<'_, Kept>> {
        let kept = self.seat.kept();
        (kept.sitting == self.number).then_some(kept)
    }

    /// Makes the entry of `topic` this one. The same again changes nothing, so that
    /// whoever comes back takes over the same dot. On an error nothing changed.
    pub(crate) fn track(&self, topic: &Arc<str>, key: &str, meta: &JsonMeta) -> Result<(), String> {
        let Some(mut kept) = self.kept() else {
            return Err("another socket has taken over".into());
        };
        let had = kept.entries.get(topic);
        if had.is_some_and(|had| had.key() == key && had.meta() == meta) {
            kept.unclaimed.remove(topic);
            return Ok(());
        }
        let former = had.map(|had| Box::from(had.key()));
        let evicted = match former {
            Some(_) => None,
            None => self.room(&kept)?,
        };
        let connection = &self.seat.connection;
        let entry = connection
            .track(topic, key, meta)
            .map_err(|error| error.to_string())?;
        if let Some(former) = former
            && *former != *key
        {
            connection.untrack(topic, &former);
        }
        if let Some(evicted) = evicted {
            self.seat.remove(&mut kept, &evicted);
        }
        kept.unclaimed.remove(topic);
        kept.entries.insert(topic.clone(), entry);
        Ok(())
    }

    /// Which entry has to make room for another one: the one that waits longest.
    fn room(&self, kept: &Kept) -> Result<Option<Arc<str>>, String> {
        let seats = self.seat.seats.upgrade();
        if seats.is_none_or(|seats| kept.entries.len() < seats.rules.entries) {
            return Ok(None);
        }
        let oldest = kept.unclaimed.iter().min_by_key(|(_, until)| **until);
        match oldest {
            Some((topic, _)) => Ok(Some(topic.clone())),
            None => Err("too many entries".into()),
        }
    }

    pub(crate) fn untrack(&self, topic: &Arc<str>) {
        if let Some(mut kept) = self.kept() {
            self.seat.remove(&mut kept, topic);
        }
    }

    /// The entry in `topic`, if there is one.
    pub(crate) fn entry(&self, topic: &str) -> Option<Presence<JsonMeta>> {
        self.kept()?.entries.get(topic).cloned()
    }

    /// The socket has ended. What it has stays for the time of grace, if there is room
    /// for one that waits.
    pub(crate) fn stand_up(self) {
        if let Some(seats) = self.seat.seats.upgrade() {
            let mut inner = seats.inner();
            let Some(mut kept) = self.kept() else {
                return; // somebody else sits here
            };
            kept.socket = None;
            let room = !seats.rules.grace.is_zero() && inner.waiting < seats.rules.waiting;
            if room && !kept.entries.is_empty() {
                kept.waits = true;
                inner.waiting += 1;
                return self.seat.abandon(&mut kept);
            }
            drop(inner);
            let topics: Vec<_> = kept.entries.keys().cloned().collect();
            for topic in topics {
                self.seat.remove(&mut kept, &topic);
            }
        }
        self.seat.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn seats(entries: usize, waiting: usize) -> Arc<Seats> {
        Seats::new(Rules {
            grace: GRACE,
            probe: Duration::from_secs(1),
            entries,
            waiting,
        })
    }

    fn id(owner: Option<&str>) -> Option<SeatId> {
        Some(SeatId {
            owner: owner.map(str::to_owned),
            token: "the same".to_owned(),
        })
    }

    async fn node() -> Node {
        Node::builder("n").start().await.unwrap()
    }

    /// Sits down with a socket that answers nothing, and goes when it is dropped.
    async fn take(
        seats: &Arc<Seats>,
        node: &Node,
        owner: Option<&str>,
    ) -> (Sitting, mpsc::Receiver<Probe>) {
        let (socket, probes) = mpsc::channel(1);
        (seats.take(node, id(owner), socket).await, probes)
    }

    fn track(sitting: &Sitting, topic: &str) -> Result<(), String> {
        sitting.track(&topic.into(), "ada", &JsonMeta::new(&1).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn connecting_again_and_again_keeps_no_entry_that_is_not_claimed() {
        let (node, seats) = (node().await, seats(10, 10));
        let (mut sitting, _probes) = take(&seats, &node, None).await;
        track(&sitting, "claimed").unwrap();
        track(&sitting, "forgotten").unwrap();
        let start = Instant::now();
        while start.elapsed() < 3 * GRACE {
            sitting.stand_up();
            let held = node.topic("forgotten").len();
            assert_eq!(held, usize::from(start.elapsed() < GRACE));
            (sitting, _) = take(&seats, &node, None).await;
            track(&sitting, "claimed").unwrap();
            tokio::time::sleep(GRACE / 3).await;
        }
        assert_eq!(node.topic("claimed").len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_keeps_so_many_entries_and_who_waits_longest_makes_room() {
        let (node, seats) = (node().await, seats(2, 10));
        let (sitting, _probes) = take(&seats, &node, None).await;
        track(&sitting, "1").unwrap();
        track(&sitting, "2").unwrap();
        assert_eq!(track(&sitting, "3"), Err("too many entries".to_owned()));
        sitting.stand_up();
        let (sitting, _probes) = take(&seats, &node, None).await;
        track(&sitting, "2").unwrap();
        let long = "x".repeat(1 << 20);
        assert!(track(&sitting, &long).is_err(), "no topic that peers read");
        assert_eq!(node.topics(), ["1", "2"], "on an error nothing changed");
        track(&sitting, "3").unwrap();
        assert_eq!(node.topics(), ["2", "3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_another_owner_takes_nothing_over() {
        let (node, seats) = (node().await, seats(10, 10));
        let (ada, _probes) = take(&seats, &node, Some("ada")).await;
        track(&ada, "room").unwrap();
        let pid = ada.pid().clone();
        ada.stand_up();
        for owner in [Some("eve"), None] {
            let (other, _probes) = take(&seats, &node, owner).await;
            assert_ne!(*other.pid(), pid);
            assert!(other.entry("room").is_none());
        }
        let (ada, _probes) = take(&seats, &node, Some("ada")).await;
        assert_eq!(*ada.pid(), pid);
        assert!(ada.entry("room").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_of_probes_that_is_full_is_no_death() {
        let (node, seats) = (node().await, seats(10, 10));
        let (ada, mut probes) = take(&seats, &node, None).await;
        // Asked already; a socket that writes to a slow client is late with its answers.
        let socket = ada.seat.kept().socket.clone().unwrap();
        let (asked, _answer) = oneshot::channel();
        socket.try_send(asked).unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            while let Some(asked) = probes.recv().await {
                let _ = asked.send(());
            }
        });
        let (copy, _probes) = take(&seats, &node, None).await;
        assert_ne!(copy.pid(), ada.pid());
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_who_come_for_a_dead_one_the_second_does_not_displace_the_first() {
        let (node, seats) = (node().await, seats(10, 10));
        let (dead, _silent) = take(&seats, &node, None).await;
        let come = async || {
            let (socket, mut probes) = mpsc::channel::<Probe>(1);
            tokio::spawn(async move {
                while let Some(asked) = probes.recv().await {
                    let _ = asked.send(());
                }
            });
            seats.take(&node, id(None), socket).await
        };
        let (one, two) = tokio::join!(come(), come());
        assert_eq!(
            usize::from(one.pid() == dead.pid()) + usize::from(two.pid() == dead.pid()),
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_displaced_changes_nothing_any_more() {
        let (node, seats) = (node().await, seats(10, 10));
        let (dead, _silent) = take(&seats, &node, None).await;
        track(&dead, "room").unwrap();
        let (back, _probes) = take(&seats, &node, None).await;
        assert!(track(&dead, "other").is_err());
        dead.untrack(&"room".into());
        assert!(dead.entry("room").is_none());
        assert!(back.entry("room").is_some());
        dead.stand_up();
        track(&back, "room").unwrap();
        tokio::time::sleep(2 * GRACE).await;
        assert_eq!(node.topics(), ["room"]);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_seats_wait_for_their_clients_and_then_none_is_left() {
        let (node, seats) = (node().await, seats(10, 5));
        for n in 0..20 {
            let sitting = Seat::new(&node, None, &seats).sit(mpsc::channel(1).0);
            track(&sitting, &n.to_string()).unwrap();
            sitting.stand_up();
        }
        let (keyed, _probes) = take(&seats, &node, None).await;
        keyed.stand_up();
        assert_eq!(node.topics().len(), 5);
        assert_eq!(seats.inner().waiting, 5);
        tokio::time::sleep(2 * GRACE).await;
        assert_eq!(node.topics().len(), 0);
        assert_eq!(seats.inner().waiting, 0);
        assert!(seats.inner().by_id.is_empty());
    }

    #[tokio::test]
    async fn a_track_that_fails_changes_nothing() {
        let (node, seats) = (node().await, seats(10, 10));
        let (ada, _probes) = take(&seats, &node, None).await;
        track(&ada, "room").unwrap();
        let before = ada.entry("room").unwrap();
        let long = "x".repeat(1 << 20);
        let meta = JsonMeta::new(&2).unwrap();
        assert!(ada.track(&"room".into(), &long, &meta).is_err());
        assert_eq!(ada.entry("room").unwrap().dot(), before.dot());
        assert_eq!(node.topic("room").len(), 1);
    }
}
