//! What the handles of a node and its task share.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;
use lattice_presence::{Diff, ReplicaId, Shard};
use lattice_presence_json::Encoder;
use lattice_presence_sync::{Cause, Event, Sync};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::Instant;

use crate::engine::MAX_PAYLOAD;
use crate::lock::lock;
use crate::messages::Message;
use crate::registry::Registry;
use crate::stats::Stats;
use crate::{Meta, wire};

/// The most changes of entries that wait to be told to subscribers. With more, each gets a
/// snapshot.
const MAX_PENDING: usize = 200_000;

/// The machine, and what it has said. Behind the lock that readers take.
pub(crate) struct Core<M> {
    pub(crate) sync: Sync<M>,
    /// The number of the last change of the view.
    pub(crate) number: u64,
    /// Whether it was settled at least once.
    pub(crate) has_settled: bool,
    pending: Vec<Told<M>>,
    pending_entries: usize,
    notices: Vec<Event<M>>,
}

/// Something to tell subscribers.
pub(crate) enum Told<M> {
    Changed {
        number: u64,
        diff: Diff<M>,
        cause: Cause,
    },
    /// Too much to tell one by one: a snapshot for everybody.
    TooMuch,
}

/// Whether there is a connection, as the engine says.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) is_connected: bool,
    pub(crate) since: Duration,
    pub(crate) reason: Option<String>,
}

pub(crate) struct Shared<M> {
    pub(crate) id: ReplicaId,
    pub(crate) cluster: Arc<str>,
    core: RwLock<Core<M>>,
    pub(crate) registry: Registry<M>,
    pub(crate) stats: Stats,
    pub(crate) connected: Mutex<Connected>,
    /// What a peer takes of one entry.
    encoder: Mutex<Encoder>,
    max_payload: AtomicUsize,
    started: Instant,
    /// Something was written: the task has work.
    pub(crate) wake: Notify,
    pub(crate) stop: watch::Sender<bool>,
    leaving: AtomicBool,
    stopped: AtomicBool,
    next_pid: AtomicU64,
    /// What the application sends to other nodes.
    pub(crate) outgoing: mpsc::Sender<Bytes>,
    /// To readers on this node; none once it has stopped.
    messages: Mutex<Option<broadcast::Sender<Message>>>,
}

/// The most messages of the application that wait to be sent.
pub(crate) const MAX_OUTGOING: usize = 1_024;

/// The most messages of the application that wait for a reader.
const MAX_MESSAGES: usize = 1_024;

impl<M: Meta> Shared<M> {
    pub(crate) fn new(
        id: ReplicaId,
        sync: Sync<M>,
        max_payload: usize,
        outgoing: mpsc::Sender<Bytes>,
    ) -> Self {
        let cluster = Arc::clone(&sync.config().cluster);
        let core = Core {
            sync,
            number: 0,
            has_settled: false,
            pending: Vec::new(),
            pending_entries: 0,
            notices: Vec::new(),
        };
        let shared = Self {
            id,
            cluster,
            core: RwLock::new(core),
            registry: Registry::new(),
            stats: Stats::default(),
            connected: Mutex::new(Connected {
                is_connected: false,
                since: Duration::ZERO,
                reason: None,
            }),
            encoder: Mutex::new(Encoder::new()),
            max_payload: AtomicUsize::new(0),
            started: Instant::now(),
            wake: Notify::new(),
            stop: watch::Sender::new(false),
            leaving: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            next_pid: AtomicU64::new(1),
            outgoing,
            messages: Mutex::new(Some(broadcast::Sender::new(MAX_MESSAGES))),
        };
        shared.set_max_payload(max_payload);
        shared
    }

    /// The time of the machine.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn at(&self, time: Duration) -> Instant {
        self.started + time
    }

    /// Reads the view.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Core<M>) -> T) -> T {
        read(&self.core.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls the machine, and takes what it says. Does not wake the task.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Sync<M>, Duration) -> T) -> T {
        let mut core = self.core.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: the machine must not see time run backwards.
        let now = self.now();
        let result = write(&mut core.sync, now);
        core.take_events();
        result
    }

    /// Writes for a connection, and lets the task send it.
    pub(crate) fn edit<T>(&self, write: impl FnOnce(&mut Sync<M>, Duration) -> T) -> T {
        let result = self.write(write);
        self.wake.notify_one();
        result
    }

    /// What is to be told since the last call.
    pub(crate) fn take_told(&self) -> (Vec<Told<M>>, Vec<Event<M>>) {
        let mut core = self.core.write().unwrap_or_else(PoisonError::into_inner);
        core.pending_entries = 0;
        let told = core::mem::take(&mut core.pending);
        (told, core::mem::take(&mut core.notices))
    }

    /// Hands a message of the application to whoever reads.
    pub(crate) fn hand_out(&self, message: Message) {
        if let Some(messages) = &*lock(&self.messages) {
            // An error means that nobody reads.
            let _ = messages.send(message);
        }
    }

    pub(crate) fn subscribe_to_messages(&self) -> broadcast::Receiver<Message> {
        let messages = lock(&self.messages);
        let messages = messages.as_ref().map(broadcast::Sender::subscribe);
        // Of a channel that is closed already.
        messages.unwrap_or_else(|| broadcast::channel(1).1)
    }

    pub(crate) fn next_pid(&self) -> u64 {
        self.next_pid.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.max_payload.load(Ordering::Relaxed)
    }

    /// The engine takes payloads of that length now.
    pub(crate) fn set_max_payload(&self, bytes: usize) {
        let bytes = bytes.min(MAX_PAYLOAD);
        if self.max_payload.swap(bytes, Ordering::Relaxed) != bytes {
            let frame = Encoder::push_frame_len(&self.cluster, Shard::WHOLE, &self.id);
            let one_entry = bytes.saturating_sub(wire::PREFIX + frame);
            *lock(&self.encoder) = Encoder::new().max_bytes(one_entry);
        }
    }

    pub(crate) fn encoder(&self) -> Encoder {
        lock(&self.encoder).clone()
    }

    /// Says goodbye, and writes no more.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.edit(Sync::leave_cluster);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends what readers wait for.
    pub(crate) fn set_stopped(&self) {
        self.stopped.store(true, Ordering::Release);
        lock(&self.messages).take();
        self.registry.close();
    }
}

impl<M> Core<M> {
    fn take_events(&mut self) {
        self.has_settled = self.has_settled || self.sync.is_settled();
        while let Some(event) = self.sync.poll_event() {
            match event {
                Event::Changed { diff, cause } => self.tell(diff, cause),
                notice => self.notices.push(notice),
            }
        }
    }

    fn tell(&mut self, diff: Diff<M>, cause: Cause) {
        self.number += 1;
        self.pending_entries += diff.len();
        if self.pending_entries > MAX_PENDING {
            self.pending.clear();
            self.pending.push(Told::TooMuch);
            // Counted on: whatever follows before it was told is told with it.
        } else {
            let number = self.number;
            self.pending.push(Told::Changed {
                number,
                diff,
                cause,
            });
        }
    }
}
