//! The task that drives the machine: what comes in, what goes out, and when.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use lattice_presence::ReplicaId;
use lattice_presence_json::{Encoder, LeftOut};
use lattice_presence_sync::{Event as Notice, Hint, Liveness, To, Transmit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Meta;
use crate::engine::{Event, EventStream, MAX_PAYLOAD, PeerHint};
use crate::lock::lock;
use crate::messages::Message;
use crate::shared::{Shared, Told};
use crate::stats::Gauges;
use crate::throttle::Throttle;
use crate::wire::{self, Frame};
use crate::writer::Outgoing;

/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(1);

/// How often a goodbye is said, since one may get lost, and the pause between.
const GOODBYES: u32 = 3;
/// The most messages that are still sent at the end: what was written last, and goodbye.
const LAST_MESSAGES: usize = 64;

const BETWEEN_GOODBYES: Duration = Duration::from_millis(50);

pub(crate) struct Driver<M: Meta> {
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) received: EventStream,
    pub(crate) outbox: mpsc::Sender<Outgoing>,
    /// Parts of a message that wait for room.
    pub(crate) cut: VecDeque<Outgoing>,
    pub(crate) application: mpsc::Receiver<Bytes>,
    pub(crate) writer: JoinHandle<()>,
    pub(crate) throttles: Throttles,
}

/// What is logged at a bounded rate.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    unreadable: Throttle,
    refused: Throttle,
    lagged: Throttle,
    unwritable: Throttle,
    unsettled_since: Option<Duration>,
}

impl<M: Meta> Driver<M> {
    /// Until the node is told to stop, or the engine has ended.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut gauges = tokio::time::interval(GAUGES);
        gauges.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut engine_ended = false;
        loop {
            let capacity = self.step();
            let due = self.shared.read(|core| core.sync.next_timeout());
            let due = due.map_or_else(|| Instant::now() + GAUGES, |due| self.shared.at(due));
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                event = self.received.next(), if !engine_ended => match event {
                    Some(event) => self.take(event),
                    None => {
                        engine_ended = true;
                        tracing::error!("the engine has ended: the node is alone");
                        self.set_connected(false, Some("the engine has ended".into()));
                    }
                },
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep_until(due) => {}
                () = has_room(&self.outbox), if capacity == Capacity::Full => {}
                Some(payload) = self.application.recv(), if capacity == Capacity::Some => {
                    let outgoing = Outgoing { to: None, kind: "application", payload };
                    let _ = self.outbox.try_send(outgoing);
                }
                _ = gauges.tick() => self.gauges(),
            }
        }
        self.stop().await;
    }

    /// Does what is due, sends what there is room for, and tells subscribers.
    fn step(&mut self) -> Capacity {
        let is_due = |due: Option<Duration>, now: Duration| due.is_some_and(|due| due <= now);
        let now = self.shared.now();
        if self
            .shared
            .read(|core| is_due(core.sync.next_timeout(), now))
        {
            self.shared.write(|sync, now| sync.advance(now));
        }
        let capacity = self.transmit();
        self.tell();
        capacity
    }

    /// Sends while there is room and something to say.
    fn transmit(&mut self) -> Capacity {
        while self.outbox.capacity() > 0 {
            if let Some(outgoing) = self.cut.pop_front() {
                // There is room: this task alone fills the queue.
                let _ = self.outbox.try_send(outgoing);
                continue;
            }
            let transmit = self.shared.write(|sync, now| sync.poll_transmit(now));
            let Some(transmit) = transmit else {
                return Capacity::Some;
            };
            self.cut = self.cut(&transmit);
        }
        Capacity::Full
    }

    /// The message in as many payloads as the engine needs.
    fn cut(&mut self, transmit: &Transmit<M>) -> VecDeque<Outgoing> {
        let kind = transmit.message.body.kind();
        let limit = self.shared.max_payload().saturating_sub(wire::PREFIX);
        let parts = wire::encode(&Encoder::new().max_bytes(limit), &transmit.message);
        let parts = parts.unwrap_or_else(|error| {
            self.unwritable(kind, &error.to_string());
            Vec::new()
        });
        let to = match &transmit.to {
            To::All => None,
            To::One(peer) => Some(peer.as_str().to_string()),
        };
        let outgoing = |(payload, left_out): (Bytes, LeftOut)| {
            if !left_out.is_empty() {
                self.unwritable(kind, &alloc::format!("{left_out:?}"));
            }
            let to = to.clone();
            Outgoing { to, kind, payload }
        };
        parts.into_iter().map(outgoing).collect()
    }

    fn unwritable(&mut self, kind: &'static str, error: &str) {
        self.shared.stats.unsent("unwritable");
        if let Some(suppressed) = self.throttles.unwritable.pass() {
            tracing::error!(kind, error, suppressed, "something cannot be sent");
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Message { from, payload } => self.receive(&from, payload),
            Event::Lagged { from, messages } => {
                self.shared.stats.lagged(from.as_ref(), messages);
                if let Some(suppressed) = self.throttles.lagged.pass() {
                    let from = from.as_deref();
                    tracing::warn!(
                        from,
                        messages,
                        suppressed,
                        "messages for this node were lost"
                    );
                }
            }
            Event::Connected => self.set_connected(true, None),
            Event::Disconnected { reason } => self.set_connected(false, Some(reason)),
            Event::Hint { peer, hint } => {
                let hint = match hint {
                    PeerHint::Up => Hint::Up,
                    PeerHint::Lost => Hint::Lost,
                };
                let peer = ReplicaId::new(peer);
                self.shared.write(|sync, now| sync.hint(now, &peer, hint));
            }
        }
    }

    fn set_connected(&self, is_connected: bool, reason: Option<String>) {
        let mut connected = lock(&self.shared.connected);
        if connected.is_connected != is_connected {
            connected.since = self.shared.now();
            match &reason {
                Some(reason) => tracing::warn!(reason, "the engine is disconnected"),
                None => tracing::info!("the engine is connected"),
            }
        }
        connected.is_connected = is_connected;
        connected.reason = reason;
    }

    fn receive(&mut self, from: &Arc<str>, payload: Bytes) {
        let length = payload.len();
        let frame = match length {
            0..=MAX_PAYLOAD => wire::decode(payload).map_err(|error| error.to_string()),
            _ => Err("it is too long".into()),
        };
        match frame {
            Ok(Frame::Presence(message)) => {
                let kind = message.body.kind();
                self.shared.stats.received(kind, length);
                let from = ReplicaId::new(Arc::clone(from));
                let taken = self
                    .shared
                    .write(|sync, now| sync.receive(now, &from, *message));
                if let Err(refused) = taken {
                    self.shared.stats.refused(refused.kind());
                    if let Some(suppressed) = self.throttles.refused.pass() {
                        tracing::warn!(%from, kind, %refused, suppressed, "a message was refused");
                    }
                }
            }
            Ok(Frame::Application { topic, payload }) => {
                self.shared.stats.received("application", length);
                let from = ReplicaId::new(Arc::clone(from));
                self.shared.hand_out(Message::new(from, topic, payload));
            }
            Err(error) => {
                self.shared.stats.unreadable();
                if let Some(suppressed) = self.throttles.unreadable.pass() {
                    tracing::warn!(%from, length, error, suppressed, "a message cannot be read");
                }
            }
        }
    }

    /// Tells subscribers and the log what happened.
    fn tell(&self) {
        let (told, notices) = self.shared.take_told();
        for told in told {
            let resets = match told {
                Told::Changed {
                    number,
                    diff,
                    cause,
                } => self.shared.registry.tell(number, &diff, &cause),
                Told::TooMuch => self.shared.registry.reset(),
            };
            self.shared.stats.resets(resets);
        }
        for notice in notices {
            match notice {
                Notice::PeerUp { peer } => tracing::info!(%peer, "a peer is up"),
                Notice::PeerDown { peer } => tracing::info!(%peer, "a peer is down"),
                Notice::PeerForgotten { peer } => tracing::info!(%peer, "a peer is forgotten"),
                Notice::Superseded { by } => {
                    tracing::error!(%by, "a newer process has taken over the name of this node");
                }
                Notice::Conflict { peer, error } => {
                    tracing::error!(%peer, %error, "two processes write under one name");
                }
                _ => {}
            }
        }
    }

    fn gauges(&mut self) {
        let shared = &self.shared;
        let now = shared.now();
        let mut gauges = shared.read(|core| {
            let counters = core.sync.counters();
            let mut gauges = Gauges {
                entries: core.sync.state().len(),
                is_settled: core.sync.is_settled(),
                repairs: counters.repairs,
                unanswered: counters.unanswered,
                ..Gauges::default()
            };
            for peer in core.sync.peers() {
                match peer.liveness {
                    Liveness::Up => gauges.up += 1,
                    Liveness::Stale => gauges.stale += 1,
                    Liveness::Leaving => gauges.leaving += 1,
                    _ => gauges.down += 1,
                }
            }
            gauges
        });
        gauges.subscribers = shared.registry.subscribers();
        gauges.inbox = self.received.waiting();
        let inbox = crate::stats::wide(gauges.inbox);
        shared
            .stats
            .inbox
            .store(inbox, core::sync::atomic::Ordering::Relaxed);
        gauges.is_connected = lock(&shared.connected).is_connected;
        gauges.publish();
        if !gauges.is_settled {
            self.throttles.unsettled_since.get_or_insert(now);
        } else if let Some(since) = self.throttles.unsettled_since.take() {
            shared.stats.settled(now.saturating_sub(since));
        }
    }

    /// Says goodbye, and lets the engine end.
    async fn stop(mut self) {
        self.shared.leave();
        let mut last: Vec<Outgoing> = self.cut.drain(..).collect();
        for _ in 0..LAST_MESSAGES {
            let Some(transmit) = self.shared.write(|sync, now| sync.poll_transmit(now)) else {
                break;
            };
            last.extend(self.cut(&transmit));
        }
        for turn in 0..GOODBYES {
            for outgoing in &last {
                if turn == 0 || outgoing.kind == "goodbye" {
                    let _ = self.outbox.send_timeout(outgoing.clone(), GAUGES).await;
                }
            }
            tokio::time::sleep(BETWEEN_GOODBYES).await;
        }
        self.tell();
        self.shared.set_stopped();
        self.received = crate::engine::events().1;
        // The writer sends what waits, and closes the engine.
        drop(self.outbox);
        let _ = self.writer.await;
    }
}

/// Until the queue to the engine takes more.
async fn has_room(outbox: &mpsc::Sender<Outgoing>) {
    if outbox.reserve().await.is_err() {
        // The writer has ended, by a panic of the engine: there is no room ever again.
        core::future::pending::<()>().await;
    }
}

/// Whether the queue to the engine takes more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Capacity {
    Some,
    Full,
}
