//! Any message, for properties.

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Dot, Held, MAX_CLOCK, Message, Part, Piece, Presence,
    PresenceDelta, Question, Refusal, ReplicaDigest, ReplicaId, Shard,
};
use lattice_presence_json::JsonMeta;
use quickcheck::{Arbitrary, Gen};

pub(crate) type Said = Message<JsonMeta>;

pub(crate) fn message(body: Body<JsonMeta>) -> Said {
    Message::new("chat", Shard::WHOLE, "a", body)
}

/// Any message, from a list of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Any(Vec<u64>);

impl Arbitrary for Any {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = 4 + usize::arbitrary(g) % 120;
        Self((0..len).map(|_| u64::arbitrary(g)).collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(
            self.0
                .shrink()
                .filter(|numbers| numbers.len() >= 4)
                .map(Self),
        )
    }
}

struct Numbers<'a>(core::slice::Iter<'a, u64>);

impl Numbers<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next().map_or(0, |number| number % bound)
    }

    fn clocks(&mut self) -> ClockSet {
        let mut clocks = ClockSet::new();
        let mut last = 0;
        for _ in 0..self.below(6) {
            let first = last + 1 + self.below(20);
            last = first + self.below(4);
            clocks.insert_range(first..=last);
        }
        if self.below(9) == 0 {
            clocks.insert(MAX_CLOCK);
        }
        clocks
    }

    fn replica(&mut self) -> ReplicaId {
        let names = ["a", "b", "c", "node \"é\"", "lattice-presence:v1:x:y"];
        names[usize::try_from(self.below(5)).unwrap()].into()
    }

    fn delta(&mut self) -> PresenceDelta<JsonMeta> {
        let mut context = CausalContext::new();
        let mut entries = Vec::new();
        for _ in 0..self.below(4) {
            let (replica, seen) = (self.replica(), self.clocks());
            if context.get(&replica).is_some() {
                continue;
            }
            for clock in seen.clocks() {
                if self.below(2) == 0 {
                    let length = usize::try_from(self.below(90)).unwrap();
                    let meta = JsonMeta::new(&"m\n".repeat(length)).unwrap();
                    let dot = Dot::new(replica.clone(), clock);
                    entries.push(Presence::new(dot, "room", "k\"ey", "pid", meta));
                }
            }
            context.insert_set(replica, &seen);
        }
        PresenceDelta::from_parts("a".into(), context, entries).unwrap()
    }

    fn line(&mut self) -> ReplicaDigest {
        let mut line = ReplicaDigest::new(self.clocks(), self.below(u64::MAX));
        line.live = (self.below(2) == 0).then(|| self.below(MAX_CLOCK));
        line.unwanted = self.clocks();
        line
    }

    fn asked(&mut self) -> Asked {
        let mut asked = Asked::default();
        asked.seen = self.clocks();
        asked.unwanted = self.clocks();
        let mut last = 0;
        for _ in 0..self.below(5) {
            let first = last + 1 + self.below(9);
            last = first + self.below(99);
            let fingerprint = self.below(u64::MAX);
            let held = match self.below(2) {
                0 => Held::Fingerprint(fingerprint),
                _ => Held::Dots {
                    clocks: self.clocks().intersection(&(first..=last).into()),
                    fingerprint,
                },
            };
            asked.parts.push(Part { first, last, held });
        }
        asked
    }

    fn piece(&mut self) -> Piece {
        if self.below(2) == 0 {
            return Piece::WHOLE;
        }
        let count = self.below(u64::from(u16::MAX)).max(1) as u16;
        let index = (self.below(u64::from(count) + 1) as u16).min(count - 1);
        Piece { index, count }
    }

    fn body(&mut self) -> Body<JsonMeta> {
        let number = self.below(MAX_CLOCK);
        match self.below(7) {
            0 => Body::Heartbeat {
                line: self.line(),
                pushes: number,
            },
            1 => Body::Push {
                number,
                piece: self.piece(),
                delta: self.delta(),
            },
            2 => {
                let mut question = Question::new();
                for _ in 0..self.below(4) {
                    question.insert(self.replica(), self.asked());
                }
                Body::Question {
                    id: number,
                    missed: self.clocks(),
                    question,
                }
            }
            3 => Body::Answer {
                id: number,
                delta: self.delta(),
                differs: (0..self.below(3))
                    .map(|_| (self.replica(), self.clocks()))
                    .collect(),
                resent: self.clocks(),
                more: self.below(2) == 0,
            },
            4 => Body::Compare {
                fingerprint: number,
                digest: (0..self.below(4))
                    .map(|_| (self.replica(), self.line()))
                    .collect(),
                reply: self.below(2) == 0,
            },
            5 => Body::Goodbye,
            _ => Body::Refusal {
                reason: Refusal::Shards { count: 7 },
            },
        }
    }
}

impl Any {
    pub(crate) fn message(&self) -> Said {
        let mut numbers = Numbers(self.0.iter());
        let shard = match numbers.below(2) {
            0 => Shard::WHOLE,
            _ => Shard { index: 3, count: 4 },
        };
        Message::new("chat", shard, "a", numbers.body())
    }
}
