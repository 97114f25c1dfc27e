//! What repairs cost on the wire, in the loop of the README: pushes, and now and then a
//! digest that is answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lattice_presence::PresenceState;
use lattice_presence_json::{
    JsonMeta, delta_from_json, delta_to_json_string, digest_from_json, digest_to_json_string,
};

type State = PresenceState<JsonMeta>;

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn join(state: &mut State, n: usize) {
    let meta = r#"{"status":"online"}"#.parse().unwrap();
    let (pid, topic, key) = (
        format!("pid-{n}"),
        format!("room:{}", n % 50),
        format!("user{n}"),
    );
    let _ = state.join(&pid, &topic, &key, meta).unwrap();
}

enum Message {
    Push(String),
    Digest(usize, String),
    Answer(String),
}

/// Nodes that hear of everything one round late.
struct Cluster {
    nodes: Vec<State>,
    /// Who has joined where, so that somebody can leave.
    held: Vec<Vec<usize>>,
    mail: Vec<(usize, Message)>,
    numbers: Numbers,
    fresh: usize,
    /// Of a hundred pushes, how many get lost.
    loss: usize,
    cost: Cost,
}

#[derive(Debug, Default)]
struct Cost {
    pushed: usize,
    lost: usize,
    answers: usize,
}

impl Cluster {
    fn new(seed: u64, nodes: usize, entries: usize, loss: usize) -> Self {
        let mut all: Vec<State> = (0..nodes)
            .map(|n| State::new(format!("node-{n}")))
            .collect();
        let mut held = Vec::new();
        let mut fresh = 0;
        for state in &mut all {
            held.push((fresh..fresh + entries).collect::<Vec<_>>());
            (fresh..fresh + entries).for_each(|n| join(state, n));
            fresh += entries;
            let _ = state.take_delta();
        }
        let whole: Vec<_> = all.iter().map(State::snapshot).collect();
        for state in &mut all {
            for other in &whole {
                state.merge_delta(other).unwrap(); // its own is an echo
            }
        }
        Self {
            nodes: all,
            held,
            mail: Vec::new(),
            numbers: Numbers(seed),
            fresh,
            loss,
            cost: Cost::default(),
        }
    }

    /// One node's change: a join, a leave, or an update.
    fn change(&mut self, at: usize) {
        let state = &mut self.nodes[at];
        let place = self.numbers.below(self.held[at].len());
        match self.numbers.below(3) {
            0 => {
                join(state, self.fresh);
                self.held[at].push(self.fresh);
                self.fresh += 1;
            }
            1 => {
                let gone = self.held[at].swap_remove(place);
                let _ = state.leave_by_pid(&format!("pid-{gone}"));
            }
            _ => join(state, self.held[at][place]),
        }
    }

    /// Everybody changes something, pushes it, hears what was sent in the round before;
    /// one node sends everybody its digest.
    fn round(&mut self, changes: usize, number: usize) {
        let mut sent = Vec::new();
        for at in 0..self.nodes.len() {
            (0..changes).for_each(|_| self.change(at));
            let Some(delta) = self.nodes[at].take_delta() else {
                continue;
            };
            let text = delta_to_json_string(&delta).unwrap();
            for to in (0..self.nodes.len()).filter(|to| *to != at) {
                self.cost.pushed += text.len();
                if self.numbers.below(100) < self.loss {
                    self.cost.lost += text.len();
                } else {
                    sent.push((to, Message::Push(text.clone())));
                }
            }
        }
        let asker = number % self.nodes.len();
        let digest = digest_to_json_string(&self.nodes[asker].digest()).unwrap();
        for to in (0..self.nodes.len()).filter(|to| *to != asker) {
            sent.push((to, Message::Digest(asker, digest.clone())));
        }
        let mail = core::mem::replace(&mut self.mail, sent);
        for (to, message) in mail {
            self.receive(to, message);
        }
    }

    fn receive(&mut self, to: usize, message: Message) {
        match message {
            Message::Push(text) => self.nodes[to]
                .merge_delta(&delta_from_json(&text).unwrap())
                .unwrap(),
            Message::Digest(from, text) => {
                let lacks = self.nodes[to].delta_since(&digest_from_json(&text).unwrap());
                if !lacks.is_empty() {
                    let text = delta_to_json_string(&lacks).unwrap();
                    self.mail.push((from, Message::Answer(text)));
                }
            }
            Message::Answer(text) => {
                self.cost.answers += text.len();
                self.nodes[to]
                    .merge_delta(&delta_from_json(&text).unwrap())
                    .unwrap();
            }
        }
    }

    fn run(&mut self, rounds: usize, changes: usize) {
        (0..rounds).for_each(|number| self.round(changes, number));
    }

    /// Without changes and losses, everybody comes to one view.
    fn converge(&mut self) {
        self.loss = 0;
        for number in 0..6 * self.nodes.len() {
            self.round(0, number);
        }
        for state in &self.nodes {
            assert_eq!(state.digest(), self.nodes[0].digest());
        }
    }
}

/// What 30 rounds of 10 changes a node cost; then everybody comes to one view.
fn cost(seed: u64, nodes: usize, entries: usize, loss: usize) -> Cost {
    let mut cluster = Cluster::new(seed, nodes, entries, loss);
    cluster.run(30, 10);
    let cost = core::mem::take(&mut cluster.cost);
    cluster.converge();
    eprintln!("seed {seed}, {nodes} x {entries}, {loss} % loss: {cost:?}");
    cost
}

/// Nothing is lost: what answers repeat is in flight. It is less than twice the pushes,
/// though somebody sends everybody a digest in every round.
#[test]
fn without_loss_answers_say_what_is_in_flight() {
    for seed in 1..=3 {
        for (nodes, entries) in [(3, 1000), (6, 2000), (10, 1000)] {
            let cost = cost(seed, nodes, entries, 0);
            assert_eq!(cost.lost, 0);
            assert!(cost.answers < 2 * cost.pushed, "{cost:?}");
        }
    }
}

/// One in ten pushes is lost, and digests alone repair it.
#[test]
fn with_loss_few_answers_tell_a_replica_whole() {
    for seed in 1..=3 {
        let cost = cost(seed, 6, 2000, 10);
        assert!(cost.lost > 0);
        assert!(cost.answers < 6 * cost.pushed, "{cost:?}");
    }
}
