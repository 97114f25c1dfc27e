//! Digests: what a state has seen and holds, in a few bytes per replica.

use core::fmt;

use crate::ClockSet;
use crate::replica_map::ReplicaMap;

/// What a state knows of one replica.
///
/// ```
/// use lattice_causal::{ClockSet, ReplicaDigest};
///
/// let nothing = ReplicaDigest::default();
/// assert_eq!(nothing, ReplicaDigest { seen: ClockSet::new(), fingerprint: 0 });
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ReplicaDigest {
    /// Every clock of the replica that the state has seen, alive or not.
    pub seen: ClockSet,
    /// The sum of [`dot_fingerprint`](crate::dot_fingerprint) over the live
    /// ones. It reveals a removal, which changes nothing in `seen`.
    pub fingerprint: u64,
}

/// What a state has seen and holds, per replica.
///
/// Two states of equal digests have equal content, removals included (up to a
/// collision of 64-bit fingerprints). A state's owner sends its digest to a
/// peer, the peer answers with [`delta_since`](crate::Causal::delta_since).
///
/// ```
/// use lattice_causal::{Causal, Dot, DotFun};
///
/// let mut a = Causal::<DotFun<&str, char>>::new();
/// a.insert(&Dot::new("a", 1), 'x');
/// let before = a.digest();
/// a.remove(&Dot::new("a", 1));
///
/// assert_ne!(before, a.digest());
/// assert_eq!(before.get(&"a").unwrap().seen, a.digest().get(&"a").unwrap().seen);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest<R> {
    replicas: ReplicaMap<R, ReplicaDigest>,
}

impl<R> Default for Digest<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Digest<R> {
    /// The digest of a state that knows nothing.
    ///
    /// ```
    /// assert!(lattice_causal::Digest::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            replicas: ReplicaMap::new(),
        }
    }

    /// Whether it is the digest of a state that knows nothing. O(1).
    ///
    /// ```
    /// assert!(lattice_causal::Digest::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// The replicas with what is known of each, in replica order.
    ///
    /// ```
    /// use lattice_causal::{Digest, ReplicaDigest};
    ///
    /// let known = ReplicaDigest { seen: (1..=2).into(), fingerprint: 0 };
    /// let digest = Digest::from_iter([("a", known.clone())]);
    /// assert_eq!(digest.iter().collect::<Vec<_>>(), [(&"a", &known)]);
    /// ```
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&R, &ReplicaDigest)> + ExactSizeIterator {
        self.replicas.iter()
    }
}

impl<R: Ord> Digest<R> {
    /// What is known of `replica`. O(log replicas).
    ///
    /// ```
    /// assert_eq!(lattice_causal::Digest::new().get(&"a"), None);
    /// ```
    #[must_use]
    pub fn get(&self, replica: &R) -> Option<&ReplicaDigest> {
        self.replicas.get(replica)
    }

    /// States what is known of `replica`, in place of what was. A digest in which
    /// nothing was seen is no digest: it is left out.
    ///
    /// ```
    /// use lattice_causal::{Digest, ReplicaDigest};
    ///
    /// let mut digest = Digest::new();
    /// digest.insert("a", ReplicaDigest { seen: (1..=2).into(), fingerprint: 0 });
    /// assert_eq!(digest.get(&"a").unwrap().seen.prefix(), 2);
    /// digest.insert("a", ReplicaDigest::default());
    /// assert!(digest.is_empty());
    /// ```
    pub fn insert(&mut self, replica: R, digest: ReplicaDigest) {
        if digest.seen.is_empty() {
            self.replicas.remove(&replica);
        } else {
            self.replicas.insert(replica, digest);
        }
    }
}

impl<R: Ord> FromIterator<(R, ReplicaDigest)> for Digest<R> {
    fn from_iter<T: IntoIterator<Item = (R, ReplicaDigest)>>(replicas: T) -> Self {
        let mut digest = Self::new();
        for (replica, known) in replicas {
            digest.insert(replica, known);
        }
        digest
    }
}

/// As on the wire: fingerprints in hexadecimal.
impl fmt::Debug for ReplicaDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaDigest")
            .field("seen", &self.seen)
            .field("fingerprint", &format_args!("{:016x}", self.fingerprint))
            .finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for Digest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
