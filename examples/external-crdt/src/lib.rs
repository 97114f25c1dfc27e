//! A shopping list with amounts: a CRDT of somebody else's, on `lattice-causal`.
//!
//! Who needs three eggs says so under a dot of its own; the list shows the sum of
//! what everybody needs. Buying something takes away the needs that the buyer has
//! seen. What somebody adds meanwhile stays on the list.
//!
//! ```
//! use external_crdt::Needs;
//! use lattice_causal::CausalCrdt;
//!
//! let mut ann = Needs::default();
//! let eggs = ann.need(&"ann", "eggs", 3)?;
//! let mut bob = Needs::default();
//! bob.merge(&eggs);
//! bob.need(&"bob", "eggs", 6)?;
//! assert_eq!(bob.amount("eggs"), 9);
//!
//! // Ann buys what she knows of, while bob's six are on their way.
//! let bought = ann.buy("eggs");
//! bob.merge(&bought);
//! assert_eq!(bob.amount("eggs"), 6);
//! # Ok::<(), lattice_causal::ClockExhausted>(())
//! ```
#![forbid(unsafe_code)]

use lattice_causal::{
    Causal, CausalCrdt, ClockExhausted, DotFun, DotMap, DotStore, Edit, View, causal_crdt,
};
use serde::{Deserialize, Serialize};

/// What is needed of one thing: an amount for each replica.
type Amounts<R> = DotFun<R, u32>;

/// Where the dots of a list live.
type Store<R> = DotMap<String, Amounts<R>>;

causal_crdt! {
    /// The list: things, and how many of each everybody needs.
    #[derive(Eq, Serialize, Deserialize)]
    pub struct Needs<R: Clone + Ord>(Store<R>);
}

impl<R: Clone + Ord> Needs<R> {
    /// Says how many of a thing `me` needs, in place of what it said before.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`], and nothing changed.
    pub fn need(&mut self, me: &R, thing: &str, amount: u32) -> Result<Self, ClockExhausted> {
        let edit = need(self.view(), me, thing, amount)?;
        Ok(self.commit(edit))
    }

    /// Takes off the list what was seen of a thing.
    pub fn buy(&mut self, thing: &str) -> Self {
        self.commit(buy(self.view(), thing))
    }

    /// How many of a thing are needed.
    pub fn amount(&self, thing: &str) -> u64 {
        amount(self.view(), thing)
    }
}

/// [`Needs::need`], for a list in a map as well.
///
/// # Errors
///
/// [`ClockExhausted`].
pub fn need<R: Clone + Ord>(
    list: View<'_, Needs<R>>,
    me: &R,
    thing: &str,
    amount: u32,
) -> Result<Edit<Store<R>>, ClockExhausted> {
    let thing = thing.to_owned();
    let dot = list.context().next_dot(me)?;
    // Of this thing the dots of this replica, and no others.
    let said = list.store().and_then(|things| things.get(&thing));
    let before = said.map(|amounts| amounts.live(me)).unwrap_or_default();
    let replaced = Causal::covering(
        Amounts::from_iter([(dot, amount)]),
        [(me.clone(), before)].into_iter().collect(),
    );
    Ok(Edit::under(thing, Edit::from(replaced)))
}

/// [`Needs::buy`], for a list in a map as well.
pub fn buy<R: Clone + Ord>(list: View<'_, Needs<R>>, thing: &str) -> Edit<Store<R>> {
    let thing = thing.to_owned();
    let said = list.store().and_then(|things| things.get(&thing));
    let seen = said.map(DotStore::dots).unwrap_or_default();
    Edit::under(thing, Edit::from(Causal::from_context(seen)))
}

/// [`Needs::amount`], for a list in a map as well.
pub fn amount<R: Clone + Ord>(list: View<'_, Needs<R>>, thing: &str) -> u64 {
    let said = list
        .store()
        .and_then(|things| things.get(&thing.to_owned()));
    said.map_or(0, |amounts| {
        let newest = amounts.replicas().filter_map(|(replica, _)| {
            let newest = amounts.of(replica).next_back();
            newest.map(|(_, amount)| u64::from(*amount))
        });
        newest.sum()
    })
}
