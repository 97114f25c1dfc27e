//! CRDTs over a dot store: what they have in common.

mod aw_set;
mod ew_flag;
mod mv_register;
mod or_map;
mod rw_set;

use core::fmt;

pub use aw_set::AwSet;
pub use ew_flag::EwFlag;
pub use mv_register::MvRegister;
pub use or_map::OrMap;
pub use rw_set::RwSet;

use crate::{Causal, CausalContext, DotStore, Edit};

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
/// ```
/// use lattice_causal::{Causal, CausalCrdt, ClockExhausted, DotFun, Edit, OrMap, View};
///
/// /// A counter that only grows: each dot carries what one event added.
/// #[derive(Clone, Default)]
/// struct Tally(Causal<DotFun<&'static str, u64>>);
///
/// impl CausalCrdt for Tally {
///     type Store = DotFun<&'static str, u64>;
///     fn from_causal(state: Causal<Self::Store>) -> Self {
///         Self(state)
///     }
///     fn as_causal(&self) -> &Causal<Self::Store> {
///         &self.0
///     }
///     fn as_causal_mut(&mut self) -> &mut Causal<Self::Store> {
///         &mut self.0
///     }
/// }
///
/// fn count(
///     tally: View<'_, Tally>,
///     replica: &'static str,
///     by: u64,
/// ) -> Result<Edit<DotFun<&'static str, u64>>, ClockExhausted> {
///     let dot = tally.context().next_dot(&replica)?;
///     Ok(Edit::from(Causal::from_store([(dot, by)].into_iter().collect())))
/// }
///
/// let mut votes = OrMap::<&str, Tally>::new();
/// votes.apply("tea", |tally| count(tally, "a", 2)).unwrap();
/// votes.apply("tea", |tally| count(tally, "b", 3)).unwrap();
/// let tea = votes.get(&"tea").unwrap();
/// assert_eq!(tea.store().unwrap().iter().map(|(_, _, by)| by).sum::<u64>(), 5);
/// ```
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
    /// The view of a CRDT with the store `store`, `None` where it has no live
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

    /// The live dots of this CRDT; `None` where it has none and is nested.
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

/// The parts that the CRDTs of this crate share: construction, the join, the
/// exchange with peers, and the traits, over a field `state: Causal<$store>`.
macro_rules! causal_crdt {
    ($name:ident<$($param:ident),+>, $store:ty, $example:literal, where $($bound:tt)+) => {
        impl<$($param),+> $name<$($param),+>
        where
            $($bound)+
        {
            /// The state that has seen nothing.
            ///
            /// ```
            #[doc = concat!("use lattice_causal::", stringify!($name), ";")]
            #[doc = concat!("let crdt = ", $example, "::new();")]
            /// assert!(crdt.context().is_empty());
            /// ```
            #[must_use]
            pub fn new() -> Self {
                Self { state: Causal::new() }
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
                self.state.context()
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
                self.state.merge(&other.state);
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
                self.state.digest()
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
                Self { state: self.state.delta_since(digest) }
            }
        }

        impl<$($param),+> crate::CausalCrdt for $name<$($param),+>
        where
            $($bound)+
        {
            type Store = $store;

            fn from_causal(state: Causal<Self::Store>) -> Self {
                Self { state }
            }

            fn as_causal(&self) -> &Causal<Self::Store> {
                &self.state
            }

            fn as_causal_mut(&mut self) -> &mut Causal<Self::Store> {
                &mut self.state
            }
        }

        impl<$($param),+> Clone for $name<$($param),+>
        where
            $($bound)+
        {
            fn clone(&self) -> Self {
                Self { state: self.state.clone() }
            }
        }

        impl<$($param),+> Default for $name<$($param),+>
        where
            $($bound)+
        {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$($param),+> PartialEq for $name<$($param),+>
        where
            $($bound)+,
            $store: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                self.state == other.state
            }
        }

        impl<$($param),+> Eq for $name<$($param),+>
        where
            $($bound)+,
            $store: Eq,
        {}

        impl<$($param),+> PartialOrd for $name<$($param),+>
        where
            $($bound)+,
            $store: PartialEq,
        {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                self.state.partial_cmp(&other.state)
            }
        }

        impl<$($param),+> core::fmt::Debug for $name<$($param),+>
        where
            $($bound)+,
            Causal<$store>: core::fmt::Debug,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.state).finish()
            }
        }

        #[cfg(feature = "laws")]
        impl<$($param),+> crate::laws::Lattice for $name<$($param),+>
        where
            $($bound)+,
            $store: PartialEq,
        {
            fn join(&mut self, other: &Self) {
                self.merge(other);
            }

            fn leq(&self, other: &Self) -> bool {
                self <= other
            }

            fn delta_for(&self, peer: &Self) -> Self {
                let state = crate::laws::Lattice::delta_for(&self.state, &peer.state);
                Self { state }
            }
        }

        #[cfg(feature = "serde")]
        impl<$($param),+> serde::Serialize for $name<$($param),+>
        where
            $($bound)+,
            Causal<$store>: serde::Serialize,
        {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.state.serialize(serializer)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, $($param),+> serde::Deserialize<'de> for $name<$($param),+>
        where
            $($bound)+,
            Causal<$store>: serde::Deserialize<'de>,
        {
            fn deserialize<Z: serde::Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
                Ok(Self { state: Causal::deserialize(deserializer)? })
            }
        }

        #[cfg(feature = "quickcheck")]
        impl<$($param),+> quickcheck::Arbitrary for $name<$($param),+>
        where
            $($bound)+,
            $store: 'static,
            Self: 'static,
            Causal<$store>: quickcheck::Arbitrary,
        {
            fn arbitrary(g: &mut quickcheck::Gen) -> Self {
                Self { state: Causal::arbitrary(g) }
            }

            fn shrink(&self) -> alloc::boxed::Box<dyn Iterator<Item = Self>> {
                alloc::boxed::Box::new(self.state.shrink().map(|state| Self { state }))
            }
        }
    };
}
use causal_crdt;
