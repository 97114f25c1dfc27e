//! `causal_crdt!`: a CRDT as a type of its own.

/// Declares a causal CRDT as a type of its own: a tuple struct over
/// [`Causal`](crate::Causal) of a dot store.
///
/// The type gets [`CausalCrdt`](crate::CausalCrdt), and with it `view`, `commit`,
/// `merge`, `digest`, `delta_since`, a place in an [`OrMap`](crate::OrMap) and the
/// laws; `Clone`, `Default`, `PartialEq`, `PartialOrd` (the order of the lattice)
/// and `Debug`. What the store carries must be `PartialEq` and `Debug` for that.
/// Attributes go through: a type that is to be serialized says `#[derive(Serialize,
/// Deserialize)]`, and decoding keeps the invariants, since [`Causal`](crate::Causal)
/// checks them. The CRDTs of this crate are declared by it, too.
///
/// What the operations do stands in functions from the view to an edit, so that
/// they work in a map as well; a method commits what they return.
///
/// Bounds on parameters are names without paths, as in `R: Clone + Ord`.
///
/// ```
/// use lattice_causal::{
///     Causal, CausalCrdt, ClockExhausted, DotFun, Edit, OrMap, View, causal_crdt,
/// };
///
/// causal_crdt! {
///     /// The highest value that anybody has measured since the last reset.
///     pub struct Peak<R: Clone + Ord>(DotFun<R, u32>);
/// }
///
/// fn record<R: Clone + Ord>(
///     peak: View<'_, Peak<R>>,
///     me: &R,
///     value: u32,
/// ) -> Result<Edit<DotFun<R, u32>>, ClockExhausted> {
///     let dot = peak.context().next_dot(me)?;
///     let replaced = DotFun::from_iter([(dot, value)]);
///     Ok(Edit::from(Causal::covering(replaced, peak.own_dots(me))))
/// }
///
/// impl<R: Clone + Ord> Peak<R> {
///     fn record(&mut self, me: &R, value: u32) -> Result<Self, ClockExhausted> {
///         let edit = record(self.view(), me, value)?;
///         Ok(self.commit(edit))
///     }
/// }
///
/// let mut a = Peak::default();
/// let delta = a.record(&"a", 7)?;
/// let mut b = Peak::default();
/// b.merge(&delta);
/// assert_eq!(a, b);
/// assert_eq!(b.delta_since(&a.digest()), Peak::default());
///
/// let mut peaks = OrMap::<&str, Peak<&str>>::new();
/// peaks.apply("oven", |peak| record(peak, &"a", 220))?;
/// assert_eq!(peaks.len(), 1);
/// # Ok::<(), ClockExhausted>(())
/// ```
#[macro_export]
macro_rules! causal_crdt {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident ($store:ty);
    ) => {
        $crate::__causal_crdt! { [$(#[$attribute])*] [$visibility] $name [] [] $store }
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident <
            $($param:ident $(: $first:tt $(+ $bound:tt)*)?),+ $(,)?
        > ($store:ty);
    ) => {
        $crate::__causal_crdt! {
            [$(#[$attribute])*] [$visibility] $name
            [$($param $(: $first $(+ $bound)*)?),+] [$($param),+] $store
        }
    };
}

/// The work of `causal_crdt!`, with the parameters in brackets: first as declared,
/// then as used.
#[doc(hidden)]
#[macro_export]
macro_rules! __causal_crdt {
    (
        [$($attributes:tt)*] [$visibility:vis] $name:ident
        [$($declared:tt)*] [$($used:tt)*] $store:ty
    ) => {
        $($attributes)*
        $visibility struct $name<$($declared)*>($crate::Causal<$store>);

        impl<$($declared)*> $crate::CausalCrdt for $name<$($used)*> {
            type Store = $store;

            fn from_causal(state: $crate::Causal<$store>) -> Self {
                Self(state)
            }

            fn as_causal(&self) -> &$crate::Causal<$store> {
                &self.0
            }

            fn as_causal_mut(&mut self) -> &mut $crate::Causal<$store> {
                &mut self.0
            }
        }

        impl<$($declared)*> ::core::clone::Clone for $name<$($used)*> {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0))
            }
        }

        impl<$($declared)*> ::core::default::Default for $name<$($used)*> {
            fn default() -> Self {
                Self($crate::Causal::new())
            }
        }

        impl<$($declared)*> ::core::cmp::PartialEq for $name<$($used)*>
        where
            $store: ::core::cmp::PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<$($declared)*> ::core::cmp::PartialOrd for $name<$($used)*>
        where
            $store: ::core::cmp::PartialEq,
        {
            fn partial_cmp(
                &self,
                other: &Self,
            ) -> ::core::option::Option<::core::cmp::Ordering> {
                ::core::cmp::PartialOrd::partial_cmp(&self.0, &other.0)
            }
        }

        impl<$($declared)*> ::core::fmt::Debug for $name<$($used)*>
        where
            $crate::Causal<$store>: ::core::fmt::Debug,
        {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(::core::stringify!($name)).field(&self.0).finish()
            }
        }
    };
}
