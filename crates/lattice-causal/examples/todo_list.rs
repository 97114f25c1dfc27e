//! A shared to-do list: a new CRDT on the core, and the proof that it is one.
//!
//! Tasks map to what was said of them concurrently: done, or not. An edit replaces
//! those that its author saw; a task is done only if nobody says otherwise;
//! removing a task removes what was seen of it, so that an edit made meanwhile
//! survives. `cargo run -p lattice-causal --example todo_list --features laws`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use core::error::Error;

use lattice_causal::laws::{self, Lattice};
use lattice_causal::{Causal, ClockExhausted, DotFun, DotMap, DotStore};

type Replica = &'static str;

#[derive(Clone, Debug, Default, PartialEq)]
struct TodoList(Causal<DotMap<String, DotFun<Replica, bool>>>);

impl TodoList {
    fn set(&mut self, me: Replica, task: &str, done: bool) -> Result<Self, ClockExhausted> {
        let dot = self.0.context().next_dot(&me)?;
        Ok(Self(self.0.apply(&task.to_owned(), |said, _| {
            let mut delta = Causal::from_context(said.map(DotStore::dots).unwrap_or_default());
            delta.insert(&dot, done);
            delta
        })))
    }

    fn remove(&mut self, task: &str) -> Self {
        Self(self.0.apply(&task.to_owned(), |said, _| {
            Causal::from_context(said.map(DotStore::dots).unwrap_or_default())
        }))
    }

    fn tasks(&self) -> impl Iterator<Item = (&str, bool)> {
        let tasks = self.0.store().iter();
        tasks.map(|(task, said)| (task.as_str(), said.iter().all(|(_, _, done)| *done)))
    }

    fn show(&self, title: &str) {
        println!("{title}:");
        for (task, done) in self.tasks() {
            println!("  [{}] {task}", if done { 'x' } else { ' ' });
        }
    }
}

impl Lattice for TodoList {
    fn join(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    fn delta_for(&self, peer: &Self) -> Self {
        Self(self.0.delta_since(&peer.0.digest()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut ann = TodoList::default();
    ann.set("ann", "buy milk", false)?;
    ann.set("ann", "call mum", false)?;
    let base = ann.clone();
    let mut bob = base.clone();
    base.show("Both begin with");

    // Apart from each other, they work on.
    let by_ann = [ann.set("ann", "buy milk", true)?, ann.remove("call mum")];
    let by_bob = [
        bob.set("bob", "call mum", true)?,
        bob.set("bob", "fix bike", false)?,
    ];
    ann.show("Ann, alone");
    bob.show("Bob, alone");

    laws::check(&[base.clone(), ann.clone(), bob.clone()])?;
    laws::check_mutators(&base, &ann, &bob, &by_ann)?;
    laws::check_mutators(&base, &bob, &ann, &by_bob)?;

    let (to_bob, to_ann) = (ann.delta_for(&bob), bob.delta_for(&ann));
    ann.join(&to_ann);
    bob.join(&to_bob);
    assert_eq!(ann, bob);
    ann.show("Both, after one exchange of deltas (the laws hold)");
    Ok(())
}
