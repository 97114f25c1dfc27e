//! Digests: what a state has seen and holds, in a few bytes per replica.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::ClockSet;
use crate::replica_map::ReplicaMap;

/// What a state knows of one replica: one line of a [`Digest`].
///
/// Two lines are equal if they speak of equal content: `live` follows from the rest,
/// and `unwanted` is no content, so neither is compared.
///
/// ```
/// use lattice_causal::ReplicaDigest;
///
/// let mut line = ReplicaDigest::new((1..=9).into(), 7);
/// let same = line.clone();
/// line.unwanted = (10..=12).into();
/// assert_eq!(line, same);
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ReplicaDigest {
    /// Every clock of the replica that the state has seen, alive or not.
    pub seen: ClockSet,
    /// The sum of [`dot_fingerprint`](crate::dot_fingerprint) over the live
    /// ones. It reveals a removal, which changes nothing in `seen`.
    pub fingerprint: u64,
    /// How many are live, if that is known. Of two states that have seen the same,
    /// the one that holds less has heard of deaths that the other has not.
    pub live: Option<u64>,
    /// Clocks that the state does not want to hear of, though it has not seen them: they
    /// were pruned there. A wish, and no claim: whoever answers leaves them out.
    pub unwanted: ClockSet,
}

impl ReplicaDigest {
    /// The line of a state that has seen `seen`, and holds dots of that fingerprint.
    /// How many is not said, and nothing is unwanted.
    ///
    /// ```
    /// use lattice_causal::{ReplicaDigest, dot_fingerprint};
    ///
    /// // Nine dots were seen; the last is alive.
    /// let line = ReplicaDigest::new((1..=9).into(), dot_fingerprint(9, 0));
    /// assert_eq!((line.seen.max(), line.live), (9, None));
    /// ```
    #[must_use]
    pub const fn new(seen: ClockSet, fingerprint: u64) -> Self {
        Self {
            seen,
            fingerprint,
            live: None,
            unwanted: ClockSet::new(),
        }
    }

    /// Whether the line says nothing, not even a wish.
    fn is_silent(&self) -> bool {
        self.seen.is_empty() && self.unwanted.is_empty()
    }
}

impl PartialEq for ReplicaDigest {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.seen == other.seen
    }
}

impl Eq for ReplicaDigest {}

impl Hash for ReplicaDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seen.hash(state);
        self.fingerprint.hash(state);
    }
}

/// What a state has seen and holds, per replica.
///
/// Two states of equal digests have equal content, removals included (up to a
/// collision of 64-bit fingerprints). A state's owner sends its digest to a
/// peer, the peer answers with [`delta_since`](crate::Causal::delta_since). Lines that
/// say nothing but what is unwanted are not compared.
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
#[derive(Clone)]
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
    /// let known = ReplicaDigest::new((1..=2).into(), 0);
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

    /// States what is known of `replica`, in place of what was. A line that says
    /// nothing, of what was seen or of what is unwanted, is left out.
    ///
    /// ```
    /// use lattice_causal::{Digest, ReplicaDigest};
    ///
    /// let mut digest = Digest::new();
    /// digest.insert("a", ReplicaDigest::new((1..=2).into(), 0));
    /// assert_eq!(digest.get(&"a").unwrap().seen.prefix(), 2);
    /// digest.insert("a", ReplicaDigest::default());
    /// assert!(digest.is_empty());
    /// ```
    pub fn insert(&mut self, replica: R, digest: ReplicaDigest) {
        if digest.is_silent() {
            self.replicas.remove(&replica);
        } else {
            self.replicas.insert(replica, digest);
        }
    }
}

impl<R> Digest<R> {
    /// The lines that are compared.
    fn content(&self) -> impl Iterator<Item = (&R, &ReplicaDigest)> {
        self.iter().filter(|(_, line)| !line.seen.is_empty())
    }
}

impl<R: PartialEq> PartialEq for Digest<R> {
    fn eq(&self, other: &Self) -> bool {
        self.content().eq(other.content())
    }
}

impl<R: Eq> Eq for Digest<R> {}

impl<R: Hash> Hash for Digest<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for line in self.content() {
            line.hash(state);
        }
        state.write_u8(0xff);
    }
}

impl<R: Ord> FromIterator<(R, ReplicaDigest)> for Digest<R> {
    /// Of two lines for one replica the later one stays.
    fn from_iter<T: IntoIterator<Item = (R, ReplicaDigest)>>(replicas: T) -> Self {
        let said = |(_, line): &(R, ReplicaDigest)| !line.is_silent();
        let replicas = replicas.into_iter().filter(said).collect();
        Self { replicas }
    }
}

/// As on the wire: fingerprints in hexadecimal.
impl fmt::Debug for ReplicaDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaDigest")
            .field("seen", &self.seen)
            .field("fingerprint", &format_args!("{:016x}", self.fingerprint))
            .field("live", &self.live)
            .field("unwanted", &self.unwanted)
            .finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for Digest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
