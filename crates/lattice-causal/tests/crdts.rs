//! The CRDTs against the naive model: every operation of every one kills some
//! live dots and may add one, and this is all that it does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::fmt::Debug;

use common::{Flat, Model, check, check_cases, dots};
use lattice_causal::laws::{self, Lattice};
use lattice_causal::{
    AwSet, Causal, CausalContext, CausalCrdt, ClockExhausted, DotSet, EwFlag, MAX_CLOCK,
    MvRegister, OrMap, RwSet,
};

/// What an operation does to the model: every live dot whose path begins with
/// `kills` dies, and a fresh dot comes alive at `adds`.
struct Effect {
    kills: Vec<u8>,
    adds: Option<Vec<u8>>,
}

fn effect(kills: &[u8], adds: Option<&[u8]>) -> Effect {
    Effect {
        kills: kills.to_vec(),
        adds: adds.map(<[u8]>::to_vec),
    }
}

type Outcome<T> = (Result<T, ClockExhausted>, Effect);

/// A CRDT under test: `act` performs the operation that `op` selects.
trait Subject: CausalCrdt<Store: Flat> + Lattice + Debug + Default {
    fn act(&mut self, replica: u8, op: u8, x: u8, y: u8) -> Outcome<Self>;
}

impl Subject for AwSet<u8, u8> {
    fn act(&mut self, replica: u8, op: u8, x: u8, _: u8) -> Outcome<Self> {
        match op % 8 {
            0 => (Ok(self.clear()), effect(&[], None)),
            1..=3 => (Ok(self.remove(&x)), effect(&[x], None)),
            _ => (self.add(&replica, x), effect(&[x], Some(&[x]))),
        }
    }
}

impl Subject for RwSet<u8, u8> {
    fn act(&mut self, replica: u8, op: u8, x: u8, _: u8) -> Outcome<Self> {
        match op % 8 {
            0 => (Ok(self.clear()), effect(&[], None)),
            1..=3 => (self.remove(&replica, x), effect(&[x], Some(&[x, 0]))),
            _ => (self.add(&replica, x), effect(&[x], Some(&[x, 1]))),
        }
    }
}

impl Subject for MvRegister<u8, u8> {
    fn act(&mut self, replica: u8, op: u8, x: u8, _: u8) -> Outcome<Self> {
        match op % 4 {
            0 => (Ok(self.clear()), effect(&[], None)),
            _ => (self.write(&replica, x), effect(&[], Some(&[x]))),
        }
    }
}

impl Subject for EwFlag<u8> {
    fn act(&mut self, replica: u8, op: u8, _: u8, _: u8) -> Outcome<Self> {
        match op % 3 {
            0 => (Ok(self.disable()), effect(&[], None)),
            _ => (self.enable(&replica), effect(&[], Some(&[]))),
        }
    }
}

impl Subject for OrMap<u8, AwSet<u8, u8>> {
    fn act(&mut self, replica: u8, op: u8, x: u8, y: u8) -> Outcome<Self> {
        match op % 8 {
            0 => (Ok(self.clear()), effect(&[], None)),
            1 => (Ok(self.remove(&x)), effect(&[x], None)),
            2 => (self.apply(x, |set| Ok(set.clear())), effect(&[x], None)),
            3 => (
                self.apply(x, |set| Ok(set.remove(&y))),
                effect(&[x, y], None),
            ),
            _ => (
                self.apply(x, |set| set.add(&replica, y)),
                effect(&[x, y], Some(&[x, y])),
            ),
        }
    }
}

impl Subject for OrMap<u8, OrMap<u8, EwFlag<u8>>> {
    fn act(&mut self, replica: u8, op: u8, x: u8, y: u8) -> Outcome<Self> {
        match op % 8 {
            0 => (Ok(self.remove(&x)), effect(&[x], None)),
            1 => (
                self.apply(x, |map| Ok(map.remove(&y))),
                effect(&[x, y], None),
            ),
            2 => (
                self.apply(x, |map| map.apply(y, |flag| Ok(flag.disable()))),
                effect(&[x, y], None),
            ),
            _ => (
                self.apply(x, |map| map.apply(y, |flag| flag.enable(&replica))),
                effect(&[x, y], Some(&[x, y])),
            ),
        }
    }
}

impl Model {
    /// The delta that the paper's mutators return for `effect`.
    fn act(&self, replica: u8, effect: &Effect) -> Self {
        let dies = |path: &Vec<u8>| path.starts_with(&effect.kills);
        let killed = self.live.iter().filter(|(_, path)| dies(path));
        let mut delta = Self {
            live: [].into(),
            seen: killed.map(|(dot, _)| *dot).collect(),
        };
        if let Some(path) = &effect.adds {
            let own = self.seen.iter().filter(|dot| dot.0 == replica);
            let clock = own.map(|dot| dot.1).max().unwrap_or(0) + 1;
            delta.seen.insert((replica, clock));
            delta.live.insert((replica, clock), path.clone());
        }
        delta
    }
}

const REPLICAS: usize = 3;

/// The same cluster twice: as CRDTs and as models.
struct Cluster<T> {
    nodes: Vec<(T, Model)>,
    deltas: Vec<(T, Model)>,
}

impl<T: Subject> Cluster<T> {
    fn new() -> Self {
        Self {
            nodes: (0..REPLICAS).map(|_| Default::default()).collect(),
            deltas: Vec::new(),
        }
    }

    fn merge(&mut self, at: usize, (crdt, model): (T, Model)) {
        self.nodes[at].0.join(&crdt);
        self.nodes[at].1 = self.nodes[at].1.join(&model);
    }

    fn step(&mut self, (kind, at, x, y): (u8, u8, u8, u8)) {
        let node = usize::from(at) % REPLICAS;
        let (x, y) = (x % 3, y % 3);
        match kind % 16 {
            // A whole state goes over.
            0 | 1 => self.merge(node, self.nodes[usize::from(x)].clone()),
            // What the other lacks goes over.
            2 | 3 => {
                let (crdt, model) = &self.nodes[usize::from(x)];
                let peer = &self.nodes[node];
                let delta = crdt.delta_for(&peer.0);
                let told = model.part(&dots(delta.as_causal().context()).unwrap());
                self.merge(node, (delta, told));
            }
            // Some delta of the past goes over, for the first time or again.
            4..=6 if !self.deltas.is_empty() => {
                let which = (usize::from(x) * 7 + usize::from(y)) % self.deltas.len();
                self.merge(node, self.deltas[which].clone());
            }
            op => self.act(node, op, x, y),
        }
        let (crdt, model) = &self.nodes[node];
        assert_eq!(Model::of(crdt.as_causal()).as_ref(), Some(model));
        for (replica, known) in crdt.as_causal().digest().iter() {
            assert_eq!(known.fingerprint, model.fingerprint(*replica).1);
        }
    }

    fn act(&mut self, node: usize, op: u8, x: u8, y: u8) {
        let replica = u8::try_from(node).unwrap();
        let (crdt, model) = &mut self.nodes[node];
        let before = crdt.clone();
        let (delta, effect) = crdt.act(replica, op, x, y);
        let delta = delta.unwrap();
        let plain = model.act(replica, &effect);
        assert_eq!(
            Model::of(delta.as_causal()).as_ref(),
            Some(&plain),
            "the delta"
        );
        *model = model.join(&plain);
        laws::check_mutators(&before, crdt, &before, std::slice::from_ref(&delta)).unwrap();
        self.deltas.push((delta, plain));
    }
}

fn behaves_like_the_model<T: Subject>() {
    fn property<T: Subject>(steps: Vec<(u8, u8, u8, u8)>) {
        let mut cluster = Cluster::<T>::new();
        for step in steps {
            cluster.step(step);
        }
        for at in 0..REPLICAS {
            for from in 0..REPLICAS {
                cluster.merge(at, cluster.nodes[from].clone());
            }
            cluster.merge(0, cluster.nodes[at].clone());
        }
        for (crdt, model) in &cluster.nodes[1..] {
            let whole = &cluster.nodes[0];
            let mut healed = crdt.clone();
            healed.join(&whole.0.delta_for(crdt));
            assert_eq!((healed, model.join(&whole.1)), whole.clone());
        }
    }
    check_cases(150, property::<T> as fn(Vec<(u8, u8, u8, u8)>));
}

#[test]
fn add_wins_sets_behave_like_the_model() {
    behaves_like_the_model::<AwSet<u8, u8>>();
}

#[test]
fn remove_wins_sets_behave_like_the_model() {
    behaves_like_the_model::<RwSet<u8, u8>>();
}

#[test]
fn registers_behave_like_the_model() {
    behaves_like_the_model::<MvRegister<u8, u8>>();
}

#[test]
fn flags_behave_like_the_model() {
    behaves_like_the_model::<EwFlag<u8>>();
}

#[test]
fn maps_of_sets_behave_like_the_model() {
    behaves_like_the_model::<OrMap<u8, AwSet<u8, u8>>>();
}

#[test]
fn maps_of_maps_behave_like_the_model() {
    behaves_like_the_model::<OrMap<u8, OrMap<u8, EwFlag<u8>>>>();
}

/// What a peer hears, all at once or delta by delta, is the same.
#[test]
fn a_history_of_deltas_is_the_state() {
    fn property(
        base: OrMap<u8, AwSet<u8, u8>>,
        peer: OrMap<u8, AwSet<u8, u8>>,
        ops: Vec<(u8, u8, u8)>,
    ) {
        let mut state = base.clone();
        let mut deltas = Vec::new();
        for (op, x, y) in ops.into_iter().take(6) {
            // A writer that nobody else is: the base may have spent all clocks of
            // the generated replicas.
            deltas.push(state.act(200, op, x % 3, y % 3).0.unwrap());
        }
        laws::check_mutators(&base, &state, &peer, &deltas).unwrap();
    }
    type Map = OrMap<u8, AwSet<u8, u8>>;
    check(property as fn(Map, Map, Vec<(u8, u8, u8)>));
}

fn exhausted<T: Subject>(mutators: &[u8]) {
    let mut context = CausalContext::new();
    context.insert_range(1, MAX_CLOCK..=MAX_CLOCK);
    let mut crdt = T::from_causal(Causal::from_context(context));
    for op in mutators {
        let before = crdt.clone();
        let (outcome, _) = crdt.act(1, *op, 0, 0);
        assert_eq!(outcome, Err(ClockExhausted));
        assert_eq!(crdt, before);
        // Another replica goes on.
        assert!(crdt.clone().act(2, *op, 0, 0).0.is_ok());
    }
}

#[test]
fn an_exhausted_clock_is_an_error_that_changes_nothing() {
    exhausted::<AwSet<u8, u8>>(&[4]);
    exhausted::<RwSet<u8, u8>>(&[1, 4]);
    exhausted::<MvRegister<u8, u8>>(&[1]);
    exhausted::<EwFlag<u8>>(&[1]);
    exhausted::<OrMap<u8, AwSet<u8, u8>>>(&[4]);
    exhausted::<OrMap<u8, OrMap<u8, EwFlag<u8>>>>(&[4]);
}

#[test]
fn readers_see_what_is_there() {
    fn sets(set: AwSet<u8, u8>, votes: RwSet<u8, u8>) {
        let flat = set.as_causal().store().flat();
        let mut elements: Vec<u8> = flat.values().map(|path| path[0]).collect();
        elements.sort_unstable();
        elements.dedup();
        assert!(set.iter().eq(&elements));
        assert_eq!(
            (set.len(), set.is_empty()),
            (elements.len(), elements.is_empty())
        );
        assert!((0..=u8::MAX).all(|e| set.contains(&e) == elements.contains(&e)));

        let flat = votes.as_causal().store().flat();
        let voted = |e: u8, vote: u8| flat.values().any(|path| *path == [e, vote]);
        let stays = |e: &u8| voted(*e, 1) && !voted(*e, 0);
        assert!(votes.iter().copied().eq((0..=u8::MAX).filter(stays)));
        assert!((0..=u8::MAX).all(|e| votes.contains(&e) == stays(&e)));
    }
    check(sets as fn(AwSet<u8, u8>, RwSet<u8, u8>));

    fn others(map: OrMap<u8, EwFlag<u8>>, register: MvRegister<u8, u8>, flag: EwFlag<u8>) {
        let flat = map.as_causal().store().flat();
        for key in 0..=u8::MAX {
            let held = flat.values().any(|path| path[0] == key);
            assert_eq!(map.get(&key).is_some_and(|flag| flag.is_enabled()), held);
        }
        assert_eq!(map.iter().count(), map.len());
        let values = register.as_causal().store().flat();
        assert!(
            register
                .values()
                .copied()
                .eq(values.values().map(|path| path[0]))
        );
        assert_eq!(
            flag.is_enabled(),
            flag.as_causal().store() != &DotSet::new()
        );
    }
    check(others as fn(OrMap<u8, EwFlag<u8>>, MvRegister<u8, u8>, EwFlag<u8>));
}

/// Two edits of one view mint one dot: the second one would put another value under
/// it, and replicas would differ for ever.
#[test]
#[should_panic(expected = "the edit was made from an older state")]
fn an_edit_made_from_an_older_state_is_not_committed() {
    let mut set = AwSet::<&str, char>::new();
    let first = set.view().add(&"a", 'x').unwrap();
    let second = set.view().add(&"a", 'y').unwrap();
    set.commit(first);
    set.commit(second);
}
