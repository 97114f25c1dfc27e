//! A shared to-do list: a new CRDT on the core, and the proof that it is one.
//!
//! Tasks map to what was said of them concurrently: done, or not. An edit replaces
//! those that its author saw; a task is done only if nobody says otherwise;
//! removing a task removes what was seen of it, so that an edit made meanwhile
//! survives. `cargo run -p lattice-causal --example todo_list --features laws`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use core::error::Error;

use lattice_causal::laws::{self, Trials};
use lattice_causal::{
    Causal, CausalCrdt, ClockExhausted, DotFun, DotMap, DotStore, Edit, causal_crdt,
};

type Said = DotFun<&'static str, bool>;

causal_crdt! {
    struct TodoList(DotMap<String, Said>);
}

impl TodoList {
    fn set(&mut self, me: &'static str, task: &str, done: bool) -> Result<Self, ClockExhausted> {
        let dot = self.view().context().next_dot(&me)?;
        let said = Said::from_iter([(dot, done)]);
        Ok(self.replace(task, said))
    }

    fn remove(&mut self, task: &str) -> Self {
        self.replace(task, Said::new())
    }

    /// Puts `said` in place of all that was said of the task and seen here. The edit
    /// names the key: no other task is visited.
    fn replace(&mut self, task: &str, said: Said) -> Self {
        let task = task.to_owned();
        let seen = self.0.store().get(&task).map(DotStore::dots);
        let edit = Edit::from(Causal::covering(said, seen.unwrap_or_default()));
        self.commit(Edit::under(task, edit))
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

    let act = |list: &mut TodoList, me: u64, draw: &mut laws::Draw| {
        let (me, task) = (
            ["ann", "bob", "cleo"][me as usize],
            draw.pick(&["milk", "mum"]),
        );
        match draw.below(3) {
            0 => list.remove(task),
            done => list
                .set(me, task, done == 1)
                .expect("clocks are not used up"),
        }
    };
    Trials::new(7).histories(act)?;
    laws::check(&[base.clone(), ann.clone(), bob.clone()])?;
    laws::check_mutators(&base, &ann, &bob, &by_ann)?;
    laws::check_mutators(&base, &bob, &ann, &by_bob)?;

    let to_bob = ann.delta_since(&bob.digest());
    let to_ann = bob.delta_since(&ann.digest());
    ann.merge(&to_ann);
    bob.merge(&to_bob);
    assert_eq!(ann, bob);
    ann.show("Both, after one exchange of deltas (the laws hold)");
    Ok(())
}
