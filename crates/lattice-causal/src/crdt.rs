//! CRDTs over a dot store: what they have in common.

mod aw_set;
mod declare;
mod ew_flag;
mod lww_register;
mod mv_register;
mod or_map;
mod pn_counter;
mod rw_set;

use core::fmt;

pub use aw_set::AwSet;
pub use ew_flag::EwFlag;
pub use lww_register::LwwRegister;
pub use mv_register::MvRegister;
pub use or_map::OrMap;
pub use pn_counter::PnCounter;
pub use rw_set::RwSet;

use crate::{Causal, CausalContext, Digest, DotStore, Edit};

/// A CRDT whose state is one dot store under one causal context: the "causal
/// CRDTs" of the paper's section 7.
///
/// Such CRDTs nest. In an [`OrMap`] the stores of the values lie in the store of
/// the map and all share the map's context, so an operation on a value needs
/// both, and neither is the value's own: it works on a [`View`], reads from it,
/// and answers with an [`Edit`]. The CRDTs here implement their operations once,
/// on `View<'_, Self>`; the methods of the standalone types commit what those
/// return. A CRDT defined elsewhere does the same, and nests with these.
///
/// It takes no glue: [`Causal`] of any store is a `CausalCrdt`, and a type alias
/// is a CRDT. If a name of its own is wanted, for methods and traits,
/// [`causal_crdt!`](crate::causal_crdt) declares it in one line.
///
/// ```
/// use lattice_causal::{Causal, ClockExhausted, DotFun, Edit, OrMap, View};
///
/// type Store = DotFun<&'static str, u64>;
/// /// A counter that only grows: one dot for each replica carries what it counted.
/// type Tally = Causal<Store>;
///
/// fn count(
///     tally: View<'_, Tally>,
///     me: &'static str,
///     by: u64,
/// ) -> Result<Edit<Store>, ClockExhausted> {
///     let dot = tally.context().next_dot(&me)?;
///     let counted = tally.store().and_then(|all| all.of(&me).next_back());
///     let before = counted.map_or(0, |(_, sum)| *sum);
///     // My next dot takes the place of my last one: what it carried goes along.
///     let mine = Store::from_iter([(dot, before + by)]);
///     Ok(Edit::from(Causal::covering(mine, tally.own_dots(&me))))
/// }
///
/// let mut votes = OrMap::<&str, Tally>::new();
/// votes.apply("tea", |tally| count(tally, "a", 2)).unwrap();
/// votes.apply("tea", |tally| count(tally, "b", 3)).unwrap();
/// votes.apply("tea", |tally| count(tally, "a", 1)).unwrap();
/// let tea = votes.get(&"tea").unwrap().store().unwrap();
/// assert_eq!(tea.iter().collect::<Vec<_>>(), [(&"a", 2, &3), (&"b", 1, &3)]);
/// ```
///
/// (A dot for each event, `Causal::from_store` of it alone, would be right as
/// well, and cost one live dot an event instead of one a replica; what each does
/// in a reset is on the page of [`PnCounter`].)
pub trait CausalCrdt: Sized {
    /// Where its dots live.
    type Store: DotStore;

    /// The CRDT in the state `state`.
    #[must_use]
    fn from_causal(state: Causal<Self::Store>) -> Self;

    /// Its state.
    fn as_causal(&self) -> &Causal<Self::Store>;

    /// Its state, to be changed.
    fn as_causal_mut(&mut self) -> &mut Causal<Self::Store>;

    /// The view that operations work on. See [`Edit`] for an example.
    fn view(&self) -> View<'_, Self> {
        let state = self.as_causal();
        View {
            store: Some(state.store()),
            context: state.context(),
        }
    }

    /// Joins what an operation on the [`view`](Self::view) returned; the delta
    /// for the peers comes back. See [`Edit`] for an example.
    fn commit(&mut self, edit: Edit<Self::Store>) -> Self {
        Self::from_causal(self.as_causal_mut().commit(edit))
    }

    /// Joins a state or a delta: [`Causal::merge`]. See
    /// [`causal_crdt!`](crate::causal_crdt) for an example.
    fn merge(&mut self, other: &Self) {
        self.as_causal_mut().merge(other.as_causal());
    }

    /// What was seen and what is alive, for a peer to answer with
    /// [`delta_since`](Self::delta_since): [`Causal::digest`].
    fn digest(&self) -> Digest<Replica<Self>> {
        self.as_causal().digest()
    }

    /// What the owner of `digest` lacks: [`Causal::delta_since`].
    #[must_use]
    fn delta_since(&self, digest: &Digest<Replica<Self>>) -> Self {
        Self::from_causal(self.as_causal().delta_since(digest))
    }
}

/// The CRDT that has no name: operations are functions from its view to an edit.
impl<S: DotStore> CausalCrdt for Causal<S> {
    type Store = S;

    fn from_causal(state: Self) -> Self {
        state
    }

    fn as_causal(&self) -> &Self {
        self
    }

    fn as_causal_mut(&mut self) -> &mut Self {
        self
    }
}

/// One CRDT, standalone or nested in a map, as an operation sees it: its store,
/// and the context that it may share with others.
///
/// A view reads, and makes [`Edit`]s; it changes nothing.
///
/// ```
/// use lattice_causal::{CausalCrdt, EwFlag};
///
/// let flag = EwFlag::<&str>::new();
/// let view = flag.view();
/// assert!(!view.is_enabled());
/// assert!(view.context().is_empty());
/// ```
pub struct View<'a, C: CausalCrdt> {
    store: Option<&'a C::Store>,
    context: &'a Context<C>,
}

type Replica<C> = <<C as CausalCrdt>::Store as DotStore>::Replica;
type Context<C> = CausalContext<Replica<C>>;

impl<'a, C: CausalCrdt> View<'a, C> {
    /// The view of a CRDT with the store `store`, `None` if it has no live
    /// dot, among those that have seen `context` together.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, EwFlag, View};
    ///
    /// let context = CausalContext::<&str>::new();
    /// assert!(!View::<EwFlag<&str>>::new(None, &context).is_enabled());
    /// ```
    #[must_use]
    pub const fn new(store: Option<&'a C::Store>, context: &'a CausalContext<Replica<C>>) -> Self {
        Self { store, context }
    }

    /// The live dots of this CRDT; `None` if it has none and is nested.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// let set = AwSet::<&str, char>::new();
    /// assert!(set.view().store().unwrap().is_empty());
    /// ```
    #[must_use]
    pub const fn store(&self) -> Option<&'a C::Store> {
        self.store
    }

    /// What was seen, by this CRDT and by those that it is nested with.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// let mut set = AwSet::<&str, char>::new();
    /// set.add(&"a", 'x').unwrap();
    /// assert_eq!(set.view().context().max(&"a"), 1);
    /// ```
    #[must_use]
    pub const fn context(&self) -> &'a CausalContext<Replica<C>> {
        self.context
    }

    /// The live dots of this CRDT as a set: what an operation that replaces
    /// everything has seen die.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag};
    ///
    /// let mut flag = EwFlag::<&str>::new();
    /// flag.enable(&"a").unwrap();
    /// assert_eq!(flag.view().dots().max(&"a"), 1);
    /// ```
    #[must_use]
    pub fn dots(&self) -> CausalContext<Replica<C>> {
        self.store.map_or_else(CausalContext::new, DotStore::dots)
    }

    /// The live dots of this CRDT that `replica` minted: what an operation that
    /// replaces only what its own replica wrote has seen die. O(them).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, CausalCrdt, Dot, MvRegister};
    ///
    /// let mut register = MvRegister::new();
    /// register.merge(&MvRegister::new().write(&"b", 'y').unwrap());
    /// let mut other = MvRegister::new();
    /// register.merge(&other.write(&"a", 'x').unwrap());
    /// let own = register.view().own_dots(&"a");
    /// assert_eq!(own, CausalContext::from_iter([Dot::new("a", 1)]));
    /// ```
    #[must_use]
    pub fn own_dots(&self, replica: &Replica<C>) -> CausalContext<Replica<C>> {
        let live = self.store.map(|store| store.live(replica));
        live.into_iter()
            .map(|clocks| (replica.clone(), clocks))
            .collect()
    }

    /// The edit that ends the life of every dot of this CRDT: the reset of any
    /// CRDT. What peers add concurrently lives on. O(live dots).
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag};
    ///
    /// let mut flag = EwFlag::<&str>::new();
    /// flag.enable(&"a").unwrap();
    /// flag.commit(flag.view().clear());
    /// assert!(!flag.is_enabled());
    /// ```
    pub fn clear(self) -> Edit<C::Store> {
        Edit::from(Causal::from_context(self.dots()))
    }
}

impl<C: CausalCrdt> Clone for View<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: CausalCrdt> Copy for View<'_, C> {}

impl<C: CausalCrdt<Store: fmt::Debug>> fmt::Debug for View<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.store).finish()
    }
}

/// The parts that the CRDTs of this crate have beside what
/// [`causal_crdt!`](crate::causal_crdt) declares: methods that need no trait in
/// scope, each with an example, and the traits behind features.
macro_rules! inherent {
    ($name:ident<$($param:ident: $first:ident $(+ $bound:ident)*),+>, $store:ty, $example:literal) => {
        impl<$($param: $first $(+ $bound)*),+> $name<$($param),+> {
            /// The state that has seen nothing.
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let crdt = ", $example, "::new();")]
            /// assert!(crdt.context().is_empty());
            /// ```
            #[must_use]
            pub fn new() -> Self {
                Self(Causal::new())
            }

            /// Everything seen, alive or not.
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let crdt = ", $example, "::new();")]
            /// assert_eq!(crdt.context().max(&"a"), 0);
            /// ```
            #[must_use]
            pub const fn context(
                &self,
            ) -> &crate::CausalContext<<$store as crate::DotStore>::Replica> {
                self.0.context()
            }

            /// Joins a state or a delta: [`Causal::merge`].
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let mut crdt = ", $example, "::new();")]
            /// crdt.merge(&crdt.clone());
            /// assert!(crdt.context().is_empty());
            /// ```
            pub fn merge(&mut self, other: &Self) {
                self.0.merge(&other.0);
            }

            /// What was seen and what is alive, for a peer to answer with
            /// [`delta_since`](Self::delta_since): [`Causal::digest`].
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let crdt = ", $example, "::new();")]
            /// assert!(crdt.digest().is_empty());
            /// ```
            #[must_use]
            pub fn digest(&self) -> crate::Digest<<$store as crate::DotStore>::Replica> {
                self.0.digest()
            }

            /// What the owner of `digest` lacks: [`Causal::delta_since`].
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let crdt = ", $example, "::new();")]
            /// assert_eq!(crdt.delta_since(&crdt.digest()), crdt);
            /// ```
            #[must_use]
            pub fn delta_since(
                &self,
                digest: &crate::Digest<<$store as crate::DotStore>::Replica>,
            ) -> Self {
                Self(self.0.delta_since(digest))
            }
        }

        impl<$($param: $first $(+ $bound)*),+> Eq for $name<$($param),+>
        where
            $store: Eq,
        {}

        #[cfg(feature = "serde")]
        impl<$($param: $first $(+ $bound)*),+> serde::Serialize for $name<$($param),+>
        where
            Causal<$store>: serde::Serialize,
        {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.0.serialize(serializer)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, $($param: $first $(+ $bound)*),+> serde::Deserialize<'de> for $name<$($param),+>
        where
            Causal<$store>: serde::Deserialize<'de>,
        {
            fn deserialize<Z: serde::Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
                Ok(Self(Causal::deserialize(deserializer)?))
            }
        }

        #[cfg(feature = "quickcheck")]
        impl<$($param: $first $(+ $bound)*),+> quickcheck::Arbitrary for $name<$($param),+>
        where
            $store: 'static,
            Self: 'static,
            Causal<$store>: quickcheck::Arbitrary,
        {
            fn arbitrary(g: &mut quickcheck::Gen) -> Self {
                Self(Causal::arbitrary(g))
            }

            fn shrink(&self) -> alloc::boxed::Box<dyn Iterator<Item = Self>> {
                alloc::boxed::Box::new(self.0.shrink().map(Self))
            }
        }
    };
}
use inherent;
