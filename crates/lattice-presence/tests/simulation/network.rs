//! A network that loses, repeats, delays and partitions.

use super::rng::Rng;
use lattice_presence::{Digest, PresenceDelta, ReplicaId};
use std::collections::BTreeMap;

/// What one process tells another.
#[derive(Clone, Debug)]
pub enum Message {
    /// Merge this: a delta, a snapshot or the answer to a digest.
    Gossip(PresenceDelta<u64>),
    /// Merge this if it is the sender's own and nothing else.
    Owned(PresenceDelta<u64>),
    /// Send back what I lack.
    Ask(Digest<ReplicaId>),
}

#[derive(Clone, Debug)]
pub struct Envelope {
    pub from: usize,
    pub sender: ReplicaId,
    pub to: usize,
    pub message: Message,
}

/// How bad the network is, in percent, and how late messages come.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: usize,
    pub duplication: usize,
    pub max_delay: usize,
}

pub struct Network {
    weather: Weather,
    in_flight: BTreeMap<(usize, usize), Envelope>,
    sent: usize,
    pub lost: usize,
    pub repeated: usize,
    /// Received after something that was sent later.
    pub overtaken: usize,
    pub cut_off: usize,
    latest: usize,
    /// The side of the partition on which each host is.
    side: Vec<usize>,
}

impl Network {
    pub fn new(hosts: usize, weather: Weather) -> Self {
        Self {
            weather,
            in_flight: BTreeMap::new(),
            sent: 0,
            lost: 0,
            repeated: 0,
            overtaken: 0,
            cut_off: 0,
            latest: 0,
            side: vec![0; hosts],
        }
    }

    pub fn send(&mut self, now: usize, rng: &mut Rng, envelope: &Envelope) {
        let copies = 1 + usize::from(rng.chance(self.weather.duplication));
        self.repeated += copies - 1;
        for _ in 0..copies {
            if rng.chance(self.weather.loss) {
                self.lost += 1;
            } else {
                let due = now + 1 + rng.below(self.weather.max_delay);
                self.sent += 1;
                self.in_flight.insert((due, self.sent), envelope.clone());
            }
        }
    }

    /// The next message that is due and whose ends are on one side.
    pub fn receive(&mut self, now: usize) -> Option<Envelope> {
        while let Some(first) = self.in_flight.first_entry() {
            let (due, sent) = *first.key();
            if due > now {
                return None;
            }
            let envelope = first.remove();
            self.overtaken += usize::from(sent < self.latest);
            self.latest = self.latest.max(sent);
            if self.connected(envelope.from, envelope.to) {
                return Some(envelope);
            }
            self.cut_off += 1;
        }
        None
    }

    fn connected(&self, a: usize, b: usize) -> bool {
        self.side[a] == self.side[b]
    }

    pub fn partition(&mut self, rng: &mut Rng) {
        for side in &mut self.side {
            *side = rng.below(2);
        }
    }

    pub fn heal(&mut self) {
        self.side.fill(0);
    }
}
