//! The machine: what its calls cost beside those of the state alone.

use std::time::Duration;

use lattice_presence::{Body, ReplicaId};
use lattice_presence_json::{Encoder, JsonMeta};
use lattice_presence_sync::{Config, Sync, Transmit};

use crate::case::{Case, Ceiling, Operation, timed};
use crate::operations::memory::Footprint;
use crate::workload::{self, LOCAL, REMOTE, State};

/// Rule R13: no call takes longer.
const LONGEST: f64 = 5e6;

/// The machine.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "sync: join, push, receive, event",
        ceiling: Ceiling::Ratio(20.0),
        prepare: join,
    },
    Operation {
        name: "sync: a heartbeat received",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: heartbeat,
    },
    Operation {
        name: "sync: advance, a heartbeat sent",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: advance,
    },
    Operation {
        name: "sync: a fresh node pulls N",
        ceiling: Ceiling::Ratio(3.0),
        prepare: pull,
    },
    Operation {
        name: "sync: longest call of that pull",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: longest_of_pull,
    },
    Operation {
        name: "sync: longest call of a repair by ranges",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: longest_of_ranges,
    },
    Operation {
        name: "sync: longest call of pushing N at once",
        ceiling: Ceiling::Longest(LONGEST),
        prepare: longest_of_pushes,
    },
    Operation {
        name: "sync: a peer of N falls silent",
        ceiling: Ceiling::Stated,
        prepare: falls_silent,
    },
];

/// What is sent, in bytes of JSON.
pub const FOOTPRINTS: &[Footprint] = &[
    Footprint {
        name: "sync: a heartbeat, encoded",
        ceiling: 256.0,
        measure: heartbeat_bytes,
        floor: None,
        only: None,
    },
    Footprint {
        name: "sync: a join, encoded, beyond its own text",
        ceiling: 250.0,
        measure: join_bytes,
        floor: None,
        only: None,
    },
];

/// An incarnation of a node with a name of 12 letters, and N users.
fn named(n: usize) -> Node {
    let id = ReplicaId::incarnation("node-berlin1", [0xA5; 16]);
    node(workload::joined(id.as_str(), 0..n, n), 1)
}

fn bytes_of(node: &mut Node, now: Duration) -> f64 {
    let message = node.poll_transmit(now).expect("something to say").message;
    let encoded = Encoder::new().encode(&message);
    encoded.expect("a message can be written").text.len() as f64
}

fn heartbeat_bytes(n: usize) -> f64 {
    let mut node = named(n);
    node.advance(Duration::from_secs(1));
    bytes_of(&mut node, Duration::from_secs(1))
}

fn join_bytes(n: usize) -> f64 {
    let mut node = named(n);
    let now = Duration::from_secs(1);
    let ((topic, key, pid), meta) = (workload::slot(n, n), workload::meta(n));
    let text = topic.len() + key.len() + pid.len() + meta.as_str().len();
    let joined = node.join(now, &pid, &topic, &key, meta);
    joined.expect("clocks last");
    bytes_of(&mut node, now) - text as f64
}

type Node = Sync<JsonMeta>;

fn node(state: State, seed: u64) -> Node {
    Sync::new(state, Config::new("bench"), seed).expect("the defaults work")
}

/// Two machines that have met, their clock, and the longest call so far.
struct Pair {
    a: Node,
    b: Node,
    now: Duration,
    longest: Duration,
    /// Whether the state that a call changed is large: then each call is timed.
    watched: bool,
}

impl Pair {
    fn new(a: Node, b: Node) -> Self {
        Self {
            a,
            b,
            now: Duration::from_secs(1),
            longest: Duration::ZERO,
            watched: false,
        }
    }

    /// Both meet, and b gets all that a holds.
    fn settled(a: Node, b: Node) -> Self {
        let mut pair = Self::new(a, b);
        pair.settle();
        pair
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        if !self.watched {
            return call(self);
        }
        let mut result = None;
        let took = timed(|| result = Some(call(self)));
        self.longest = self.longest.max(took);
        result.expect("it was called")
    }

    /// Lets time pass until both hold the same, and know it.
    fn settle(&mut self) {
        loop {
            self.step();
            if self.a.is_settled() && self.b.is_settled() {
                assert_eq!(self.a.state().len(), self.b.state().len());
                return;
            }
        }
    }

    /// To the next timer, and everything that follows from it.
    fn step(&mut self) {
        let next = self.a.next_timeout().min(self.b.next_timeout());
        self.now = self.now.max(next.unwrap_or_default());
        let now = self.now;
        self.call(|pair| pair.a.advance(now));
        self.call(|pair| pair.b.advance(now));
        let (a, b) = (ReplicaId::new(LOCAL), ReplicaId::new(REMOTE));
        loop {
            let from_a = self.call(|pair| pair.a.poll_transmit(now));
            let from_b = self.call(|pair| pair.b.poll_transmit(now));
            if from_a.is_none() && from_b.is_none() {
                return;
            }
            // Between processes nothing is shared.
            if let Some(transmit) = from_a {
                let message = apart(transmit).message;
                self.call(|pair| pair.b.receive(now, &a, message).expect("an honest peer"));
            }
            if let Some(transmit) = from_b {
                let message = apart(transmit).message;
                self.call(|pair| pair.a.receive(now, &b, message).expect("an honest peer"));
            }
            while self.a.poll_event().is_some() {}
            while self.b.poll_event().is_some() {}
        }
    }
}

/// The message as another process gets it.
fn apart(mut transmit: Transmit<JsonMeta>) -> Transmit<JsonMeta> {
    match &mut transmit.message.body {
        Body::Push { delta, .. } | Body::Answer { delta, .. } => *delta = workload::received(delta),
        _ => {}
    }
    transmit
}

fn join(n: usize) -> Case {
    let (local, remote) = (workload::local(n), State::new(REMOTE));
    let mut pair = Pair::settled(node(local, 1), node(remote, 2));
    let (mut plain, mut other) = (workload::local(n), State::new(REMOTE));
    other.merge_delta(&plain.snapshot()).expect("two names");
    let (mut next, mut next_plain) = (n, n);
    let now = pair.now;
    let a = ReplicaId::new(LOCAL);
    Case::new(CHANGES, move || {
        let joins = workload::joins(next..next + CHANGES, n);
        next += CHANGES;
        timed(|| {
            for ((topic, key, pid), meta) in joins {
                pair.a
                    .join(now, &pid, &topic, &key, meta)
                    .expect("clocks last");
                let push = pair.a.poll_transmit(now).expect("a push");
                pair.b
                    .receive(now, &a, push.message)
                    .expect("an honest peer");
                let _ = pair.a.poll_event().expect("a join");
                let _ = pair.b.poll_event().expect("a join");
            }
        })
    })
    .floor(move || {
        let joins = workload::joins(next_plain..next_plain + CHANGES, n);
        next_plain += CHANGES;
        timed(|| {
            for ((topic, key, pid), meta) in joins {
                drop(plain.join(&pid, &topic, &key, meta).expect("clocks last"));
                let delta = plain.take_delta().expect("a join");
                drop(other.merge_delta_with_diff(&delta).expect("two names"));
            }
        })
    })
}

/// Joins of one sample.
const CHANGES: usize = 100;

fn heartbeat(n: usize) -> Case {
    let (local, remote) = (workload::local(n), State::new(REMOTE));
    let mut pair = Pair::settled(node(local, 1), node(remote, 2));
    let a = ReplicaId::new(LOCAL);
    Case::new(1, move || {
        pair.now += Duration::from_secs(2);
        let now = pair.now;
        pair.a.advance(now);
        let heartbeat = pair.a.poll_transmit(now).expect("a heartbeat").message;
        timed(|| pair.b.receive(now, &a, heartbeat))
    })
}

fn advance(n: usize) -> Case {
    let (local, remote) = (workload::local(n), State::new(REMOTE));
    let mut pair = Pair::settled(node(local, 1), node(remote, 2));
    Case::new(1, move || {
        pair.now += Duration::from_secs(2);
        let now = pair.now;
        timed(|| {
            pair.a.advance(now);
            pair.a.poll_transmit(now)
        })
    })
}

fn pull(n: usize) -> Case {
    let local = workload::local(n);
    let plain = workload::local(n);
    Case::new(n, move || {
        let mut pair = Pair::new(node(local.clone(), 1), node(State::new(REMOTE), 2));
        pair.watched = true;
        // The copying between processes is not the machine's.
        let mut took = Duration::ZERO;
        while !(pair.a.is_settled() && pair.b.is_settled()) {
            took += pair.timed_step();
        }
        took
    })
    .floor(move || {
        let snapshot = workload::received(&plain.snapshot());
        let mut fresh = State::new(REMOTE);
        timed(|| fresh.merge_delta_with_diff(&snapshot))
    })
}

impl Pair {
    /// [`step`](Self::step), and how long the calls of the machines took.
    fn timed_step(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        let next = self.a.next_timeout().min(self.b.next_timeout());
        self.now = self.now.max(next.unwrap_or_default());
        let now = self.now;
        took += timed(|| self.a.advance(now));
        took += timed(|| self.b.advance(now));
        let (a, b) = (ReplicaId::new(LOCAL), ReplicaId::new(REMOTE));
        loop {
            let (mut from_a, mut from_b) = (None, None);
            took += timed(|| from_a = self.a.poll_transmit(now));
            took += timed(|| from_b = self.b.poll_transmit(now));
            if from_a.is_none() && from_b.is_none() {
                return took;
            }
            if let Some(transmit) = from_a {
                let message = apart(transmit).message;
                took += timed(|| self.b.receive(now, &a, message));
            }
            if let Some(transmit) = from_b {
                let message = apart(transmit).message;
                took += timed(|| self.a.receive(now, &b, message));
            }
            while self.a.poll_event().is_some() {}
            while self.b.poll_event().is_some() {}
        }
    }
}

fn longest_of_pull(n: usize) -> Case {
    let local = workload::local(n);
    Case::new(1, move || {
        let mut pair = Pair::new(node(local.clone(), 1), node(State::new(REMOTE), 2));
        pair.watched = true;
        pair.settle();
        pair.longest
    })
}

/// One of N left, and the peer does not know which: not even that it was pushed.
fn longest_of_ranges(n: usize) -> Case {
    let whole = workload::local(n);
    let snapshot = workload::received(&whole.snapshot());
    let mut pruned = whole;
    let (_, _, pid) = workload::slot(n / 2, n);
    assert!(!pruned.leave_by_pid(&pid).is_empty());
    let _ = pruned.take_delta();
    let mut remote = State::new(REMOTE);
    remote.merge_delta(&snapshot).expect("two names");
    Case::new(1, move || {
        let mut pair = Pair::new(node(pruned.clone(), 1), node(remote.clone(), 2));
        pair.watched = true;
        pair.settle();
        pair.longest
    })
}

fn longest_of_pushes(n: usize) -> Case {
    Case::new(1, move || {
        let (local, remote) = (State::new(LOCAL), State::new(REMOTE));
        let mut pair = Pair::settled(node(local, 1), node(remote, 2));
        let now = pair.now;
        for ((topic, key, pid), meta) in workload::joins(0..n, n) {
            pair.a
                .join(now, &pid, &topic, &key, meta)
                .expect("clocks last");
            let _ = pair.a.poll_event();
        }
        pair.watched = true;
        pair.step();
        assert_eq!(pair.b.state().len(), n);
        pair.longest
    })
}

/// O(its entries), in one call: the exception from rule R13.
fn falls_silent(n: usize) -> Case {
    let (local, remote) = (workload::local(n), State::new(REMOTE));
    let pair = Pair::settled(node(local, 1), node(remote, 2));
    let (config, state) = (pair.b.config().clone(), pair.b.state().clone());
    Case::new(n, move || {
        let mut fresh = node(state.clone(), 2);
        fresh.advance(Duration::from_secs(1));
        let gone = Duration::from_secs(1) + config.down_after;
        // Step by step: a jump of the clock would be taken for a sleep.
        for step in 1..10 {
            fresh.advance(Duration::from_secs(1) + config.down_after * step / 10);
        }
        timed(|| fresh.advance(gone))
    })
}
