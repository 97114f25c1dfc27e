//! What a node counts, for its status and for the `metrics` facade.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use metrics::{counter, gauge, histogram};

use crate::lock::lock;

/// The most senders whose lost messages are counted by name.
const MAX_NAMED: usize = 256;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) messages_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// Messages that wait to be taken, as of the last second.
    pub(crate) inbox: AtomicU64,
    /// What could not be read.
    pub(crate) unreadable: AtomicU64,
    /// What the engine said was lost on its way here.
    pub(crate) lagged: AtomicU64,
    /// Those of them whose senders are known.
    lagged_by_sender: Mutex<BTreeMap<Arc<str>, u64>>,
    /// What was not sent.
    pub(crate) unsent: AtomicU64,
    /// Queues of subscribers that were replaced by a snapshot.
    pub(crate) resets: AtomicU64,
}

pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

pub(crate) fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

pub(crate) fn wide(length: usize) -> u64 {
    length.try_into().unwrap_or(u64::MAX)
}

impl Stats {
    pub(crate) fn received(&self, kind: &'static str, bytes: usize) {
        add(&self.messages_in, 1);
        add(&self.bytes_in, wide(bytes));
        counter!("lattice_messages_in_total", "kind" => kind).increment(1);
        counter!("lattice_bytes_in_total", "kind" => kind).increment(wide(bytes));
    }

    pub(crate) fn sent(&self, kind: &'static str, bytes: usize) {
        add(&self.messages_out, 1);
        add(&self.bytes_out, wide(bytes));
        counter!("lattice_messages_out_total", "kind" => kind).increment(1);
        counter!("lattice_bytes_out_total", "kind" => kind).increment(wide(bytes));
    }

    pub(crate) fn refused(&self, kind: &'static str) {
        counter!("lattice_refused_total", "kind" => kind).increment(1);
    }

    pub(crate) fn unreadable(&self) {
        add(&self.unreadable, 1);
        self.refused("unreadable");
    }

    pub(crate) fn lagged(&self, from: Option<&Arc<str>>, messages: Option<u64>) {
        let messages = messages.unwrap_or(1);
        if let Some(from) = from {
            let mut counts = lock(&self.lagged_by_sender);
            if let Some(count) = counts.get_mut(from) {
                *count += messages;
            } else if counts.len() < MAX_NAMED {
                counts.insert(Arc::clone(from), messages);
            }
        }
        add(&self.lagged, messages);
        counter!("lattice_lagged_total").increment(messages);
    }

    pub(crate) fn lagged_by_sender(&self) -> BTreeMap<String, u64> {
        let counts = lock(&self.lagged_by_sender);
        let counts = counts
            .iter()
            .map(|(from, count)| (from.to_string(), *count));
        counts.collect()
    }

    pub(crate) fn unsent(&self, reason: &'static str) {
        add(&self.unsent, 1);
        counter!("lattice_unsent_total", "reason" => reason).increment(1);
    }

    pub(crate) fn resets(&self, queues: u64) {
        if queues > 0 {
            add(&self.resets, queues);
            counter!("lattice_queue_resets_total").increment(queues);
        }
    }

    pub(crate) fn settled(&self, took: core::time::Duration) {
        histogram!("lattice_settle_seconds").record(took.as_secs_f64());
    }
}

/// What is true now, every second.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) entries: usize,
    pub(crate) subscribers: usize,
    pub(crate) inbox: usize,
    pub(crate) up: usize,
    pub(crate) stale: usize,
    pub(crate) leaving: usize,
    pub(crate) down: usize,
    pub(crate) is_settled: bool,
    pub(crate) is_connected: bool,
    pub(crate) repairs: u64,
    pub(crate) unanswered: u64,
}

impl Gauges {
    pub(crate) fn publish(&self) {
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let set = |name: &'static str, value: usize| gauge!(name).set(value as f64);
        set("lattice_entries", self.entries);
        set("lattice_subscribers", self.subscribers);
        set("lattice_inbox_messages", self.inbox);
        set("lattice_settled", usize::from(self.is_settled));
        set("lattice_engine_connected", usize::from(self.is_connected));
        let peers = [
            ("up", self.up),
            ("stale", self.stale),
            ("leaving", self.leaving),
            ("down", self.down),
        ];
        for (status, count) in peers {
            #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
            gauge!("lattice_peers", "status" => status).set(count as f64);
        }
        counter!("lattice_repairs_total").absolute(self.repairs);
        counter!("lattice_unanswered_total").absolute(self.unanswered);
    }
}
