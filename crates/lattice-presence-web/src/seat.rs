//! What a client has, apart from the socket that it is on: its pid and its entries.
//!
//! A socket that ends leaves its seat empty for a while. Whoever comes with the token
//! of the seat sits down, and the entries are the same ones.

use alloc::sync::Arc;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use core::time::Duration;
use lattice_presence_json::JsonMeta;
use lattice_presence_node::{Connection, Node, Presence};
use tokio::sync::{mpsc, oneshot};

/// The question whether a socket is alive; it answers once it was.
pub(crate) type Probe = oneshot::Sender<()>;

pub(crate) struct Seat {
    connection: Connection<JsonMeta>,
    inner: Mutex<Inner>,
}

struct Inner {
    entries: HashMap<Arc<str>, Presence<JsonMeta>>,
    /// Entries that the one who sat down again has not come back for.
    unclaimed: HashSet<Arc<str>>,
    /// Whose seat it is: counts those who sat down.
    sitting: u64,
    /// The socket that sits here, if any.
    socket: Option<mpsc::Sender<Probe>>,
}

impl Seat {
    pub(crate) fn pid(&self) -> &Arc<str> {
        self.connection.pid()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the entry of `topic` this one. The same again changes nothing, so that
    /// whoever comes back takes over the same dot.
    pub(crate) fn track(&self, topic: &Arc<str>, key: &str, meta: &JsonMeta) -> Result<(), String> {
        let mut inner = self.inner();
        inner.unclaimed.remove(topic);
        match inner.entries.get(topic) {
            Some(had) if had.key() == key && had.meta() == meta => return Ok(()),
            Some(had) if had.key() != key => {
                self.connection.untrack(topic, had.key());
            }
            _ => {}
        }
        match self.connection.track(topic, key, meta) {
            Ok(entry) => {
                inner.entries.insert(topic.clone(), entry);
                Ok(())
            }
            Err(error) => {
                if inner.entries.get(topic).is_some_and(|had| had.key() != key) {
                    inner.entries.remove(topic);
                }
                Err(error.to_string())
            }
        }
    }

    pub(crate) fn untrack(&self, topic: &Arc<str>) {
        let mut inner = self.inner();
        inner.unclaimed.remove(topic);
        if let Some(entry) = inner.entries.remove(topic) {
            self.connection.untrack(topic, entry.key());
        }
    }

    /// The entry in `topic`, if there is one.
    pub(crate) fn entry(&self, topic: &str) -> Option<Presence<JsonMeta>> {
        self.inner().entries.get(topic).cloned()
    }

    fn drop_unclaimed(&self, sitting: u64) {
        let topics: Vec<Arc<str>> = {
            let mut inner = self.inner();
            if inner.sitting != sitting {
                return;
            }
            inner.unclaimed.drain().collect()
        };
        for topic in &topics {
            self.untrack(topic);
        }
    }
}

/// The seats that have a token.
#[derive(Default)]
pub(crate) struct Seats {
    by_token: Mutex<HashMap<Box<str>, Arc<Seat>>>,
}

/// A seat that a socket has, until it [stands up](Self::stand_up).
pub(crate) struct Taken {
    pub(crate) seat: Arc<Seat>,
    seats: Arc<Seats>,
    token: Option<Box<str>>,
    sitting: u64,
    grace: Duration,
}

impl Seats {
    /// The seat of `token`, if nobody alive sits there; a new one otherwise.
    pub(crate) async fn take(
        self: &Arc<Self>,
        node: &Node,
        token: Option<&str>,
        socket: mpsc::Sender<Probe>,
        (grace, probe): (Duration, Duration),
    ) -> Taken {
        let found = token.and_then(|token| self.seats().get(token).cloned());
        let mut token = token;
        if let Some(seat) = &found {
            let asked = seat.inner().socket.clone();
            if let Some(asked) = asked
                && is_alive(&asked, probe).await
            {
                token = None; // a copy of a tab, which copies its storage
            }
        }
        let mut seats = self.seats();
        let seat = match token.and_then(|token| seats.get(token).cloned()) {
            Some(seat) => seat,
            None => {
                let seat = Arc::new(Seat {
                    connection: node.connect(),
                    inner: Mutex::new(Inner {
                        entries: HashMap::new(),
                        unclaimed: HashSet::new(),
                        sitting: 0,
                        socket: None,
                    }),
                });
                if let Some(token) = token {
                    seats.insert(token.into(), seat.clone());
                }
                seat
            }
        };
        let sitting = {
            let mut inner = seat.inner();
            inner.sitting += 1;
            inner.socket = Some(socket);
            inner.unclaimed = inner.entries.keys().cloned().collect();
            inner.sitting
        };
        drop(seats);
        let taken = Taken {
            seat,
            seats: self.clone(),
            token: token.map(Into::into),
            sitting,
            grace,
        };
        taken.drop_unclaimed_later();
        taken
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Seat>>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn is_alive(socket: &mpsc::Sender<Probe>, probe: Duration) -> bool {
    let (answer, answered) = oneshot::channel();
    // A full queue: it was asked already, and has not answered.
    socket.try_send(answer).is_ok()
        && matches!(tokio::time::timeout(probe, answered).await, Ok(Ok(())))
}

impl Taken {
    fn drop_unclaimed_later(&self) {
        let (seat, sitting, grace) = (self.seat.clone(), self.sitting, self.grace);
        if !seat.inner().unclaimed.is_empty() {
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                seat.drop_unclaimed(sitting);
            });
        }
    }

    /// Whether another socket has sat down here since.
    pub(crate) fn is_lost(&self) -> bool {
        self.seat.inner().sitting != self.sitting
    }

    /// The socket has ended. What it has stays for the time of grace.
    pub(crate) fn stand_up(self) {
        {
            let mut inner = self.seat.inner();
            if inner.sitting != self.sitting {
                return; // somebody else sits here
            }
            inner.socket = None;
        }
        if self.grace.is_zero() || self.seat.inner().entries.is_empty() {
            self.clear();
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(self.grace).await;
                self.clear();
            });
        }
    }

    /// Lets go of the seat, and with it of the entries.
    fn clear(self) {
        let mut seats = self.seats.seats();
        if self.is_lost() {
            return;
        }
        if let Some(token) = &self.token {
            seats.remove(token);
        }
        drop(seats);
        let topics: Vec<Arc<str>> = self.seat.inner().entries.keys().cloned().collect();
        for topic in &topics {
            self.seat.untrack(topic);
        }
    }
}
