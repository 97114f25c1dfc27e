//! One peer that sends well-formed nonsense.

use std::rc::Rc;

use lattice_presence::{
    Asked, CausalContext, ClockSet, Digest, MAX_CLOCK, Presence, PresenceDelta, Question,
    ReplicaDigest, ReplicaId,
};
use lattice_presence_sync::{Body, Message, Piece, Refusal, Shard};

use super::host::Meta;
use super::rng::Rng;
use super::world::World;

/// A peer that the transport knows by its own name, and that sends any content.
pub(crate) struct Hostile {
    pub(crate) id: ReplicaId,
    rng: Rng,
}

impl Hostile {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            id: ReplicaId::new("mallory"),
            rng: Rng::new(seed ^ 0xBAD),
        }
    }

    /// Says something to somebody.
    pub(crate) fn act(&mut self, world: &mut World) {
        let running = world.running();
        if running.is_empty() {
            return;
        }
        let place = running[self.rng.below(running.len())];
        let victims: Vec<ReplicaId> = world.hosts.iter().flatten().map(|h| h.id.clone()).collect();
        let victim = victims[self.rng.below(victims.len())].clone();
        let message = Rc::new(self.nonsense(&victim));
        let now = world.now;
        world.deliver(now, place, &self.id.clone(), &message);
        world.fault("hostile message");
    }

    fn nonsense(&mut self, victim: &ReplicaId) -> Message<Meta> {
        let number = self.rng.next() >> self.rng.below(64);
        let own = self.id.clone();
        let body = match self.rng.below(12) {
            0 => Body::Heartbeat {
                line: ReplicaDigest::new((1..=number.clamp(1, MAX_CLOCK)).into(), number),
                pushes: number,
            },
            1 => Body::Push {
                number,
                piece: self.piece(),
                delta: self.delta(victim),
            },
            2 => Body::Push {
                number: number % 1_000,
                piece: self.piece(),
                delta: self.delta(&own),
            },
            3 => Body::Question {
                id: number,
                missed: (1..=number.clamp(1, MAX_CLOCK)).into(),
                question: Question::new(),
            },
            4 => Body::Question {
                id: number,
                missed: ClockSet::new(),
                question: self.question(victim),
            },
            5 => Body::Answer {
                id: number % 64,
                delta: self.delta(victim),
                differs: [(victim.clone(), (1..=MAX_CLOCK).into())]
                    .into_iter()
                    .collect(),
                resent: (1..=MAX_CLOCK).into(),
                more: true,
            },
            6 => Body::Answer {
                id: number % 64,
                delta: self.delta(&own),
                differs: [(own, (1..=MAX_CLOCK).into())].into_iter().collect(),
                resent: ClockSet::new(),
                more: true,
            },
            7 => Body::Compare {
                fingerprint: number,
                digest: self.digest(10_000),
                reply: true,
            },
            8 => Body::Refusal {
                reason: Refusal::Cluster,
            },
            9 => Body::Goodbye,
            10 => {
                let mut message = self.say(Body::Goodbye);
                message.from = victim.clone();
                return message;
            }
            _ => {
                let mut message = self.say(Body::Goodbye);
                message.version = number as u16;
                return message;
            }
        };
        self.say(body)
    }

    fn say(&self, body: Body<Meta>) -> Message<Meta> {
        Message::new("simulation", Shard::WHOLE, self.id.clone(), body)
    }

    /// Usually the whole. Sometimes one with an impossible place.
    fn piece(&mut self) -> Piece {
        if self.rng.chance(0.5) {
            return Piece::WHOLE;
        }
        let (index, count) = (self.rng.below(9) as u16, self.rng.below(9) as u16);
        Piece { index, count }
    }

    /// Words about somebody.
    fn delta(&mut self, about: &ReplicaId) -> PresenceDelta<Meta> {
        let mut context = CausalContext::new();
        let last = self.rng.below(50) as u64 + 1;
        context.insert_range(about.clone(), 1..=last);
        let entries = (1..=last).filter(|_| self.rng.chance(0.1)).map(|clock| {
            let dot = lattice_presence::Dot::new(about.clone(), clock);
            Presence::new(dot, "room:0", "mallory", "pid", 0)
        });
        let entries = entries.collect();
        PresenceDelta::from_parts(self.id.clone(), context, entries).expect("a well-formed delta")
    }

    fn question(&mut self, victim: &ReplicaId) -> Question<ReplicaId> {
        let mut question = Question::new();
        let mut asked = Asked::default();
        asked.seen = (1..=MAX_CLOCK).into();
        question.insert(victim.clone(), asked);
        for n in 0..self.rng.below(20) {
            question.insert(ReplicaId::new(format!("x{n}")), Asked::default());
        }
        question
    }

    fn digest(&mut self, most: usize) -> Digest<ReplicaId> {
        let lines = (0..self.rng.below(most)).map(|n| {
            let line = ReplicaDigest::new((1..=9).into(), n as u64);
            (ReplicaId::new(format!("x{n}")), line)
        });
        lines.collect()
    }
}
