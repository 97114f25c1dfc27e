//! A node that speaks for itself, and is believed about itself alone (rule S14).

use lattice_causal::{Digest, DotStore};

use super::PresenceState;
use crate::{Diff, MergeError, PresenceDelta, ReplicaId};

impl<M> PresenceState<M> {
    /// Merges what `peer` says of itself, and of nobody else: the one call for every
    /// payload, in clusters in which every node speaks only for itself.
    ///
    /// `peer` is the name that the transport vouches for. Its own are its entries, what
    /// it has seen of itself, and that its former lives are over (older incarnations
    /// of its base, without entries). So no node can touch the entries of another one,
    /// lay a claim on its past or its future, or make a node of another base yield. A
    /// `peer` that is a newer incarnation of this node becomes the
    /// [`confirmed_successor`](Self::confirmed_successor).
    ///
    /// O(what the delta speaks of).
    ///
    /// # Errors
    ///
    /// [`MergeError::NotOwned`] if the delta was not sent by `peer`, or speaks
    /// of another replica; otherwise those of
    /// [`merge_delta`](Self::merge_delta). Nothing changed.
    ///
    /// ```
    /// use lattice_presence::{CausalContext, MergeError, PresenceDelta, PresenceState};
    ///
    /// let mut v = PresenceState::new("v");
    /// v.join("p", "t", "k", ())?;
    /// let mut node = PresenceState::new("node");
    /// let diff = node.merge_owned_with_diff(&"v".into(), &v.owned_snapshot()).unwrap();
    /// assert_eq!(diff.joins().count(), 1);
    ///
    /// // Somebody lays a claim on the future of v, so that its next users stay unseen.
    /// let mut future = CausalContext::new();
    /// future.insert_range("v".into(), 1..=1_000_000);
    /// let forged = PresenceDelta::from_parts("mallory".into(), future, vec![]).unwrap();
    /// let error = node.merge_owned_with_diff(&"mallory".into(), &forged).unwrap_err();
    /// assert_eq!(error, MergeError::NotOwned { peer: "mallory".into(), found: "v".into() });
    /// assert!(node.contains("p", "t", "k"));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge_owned_with_diff(
        &mut self,
        peer: &ReplicaId,
        delta: &PresenceDelta<M>,
    ) -> Result<Diff<M>, MergeError> {
        let is_over = |replica: &ReplicaId| {
            peer.is_newer_than(replica) && delta.causal.store().summary(replica).live == 0
        };
        let mut named = delta.context().replicas();
        let found = if delta.replica() == peer {
            named.find(|replica| *replica != peer && !is_over(replica))
        } else {
            Some(delta.replica())
        };
        if let Some(found) = found {
            let (peer, found) = (peer.clone(), found.clone());
            return Err(MergeError::NotOwned { peer, found });
        }
        let diff = self.merge_delta_with_diff(delta)?;
        let newest = self.confirmed.as_ref().unwrap_or(&self.replica);
        if peer.is_newer_than(newest) {
            self.confirmed = Some(peer.clone());
        }
        Ok(diff)
    }

    /// [`merge_owned_with_diff`](Self::merge_owned_with_diff), under the name that rule
    /// S14 gives it.
    ///
    /// # Errors
    ///
    /// Those of [`merge_owned_with_diff`](Self::merge_owned_with_diff); nothing changed.
    ///
    /// ```
    /// use lattice_presence::{MergeError, PresenceState};
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// assert_eq!(b.merge_owned(&"a".into(), &a.owned_snapshot()).unwrap().len(), 1);
    ///
    /// // What b relays of a is not b's own.
    /// let mut c = PresenceState::new("c");
    /// let error = c.merge_owned(&"b".into(), &b.snapshot()).unwrap_err();
    /// assert_eq!(error, MergeError::NotOwned { peer: "b".into(), found: "a".into() });
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge_owned(
        &mut self,
        peer: &ReplicaId,
        delta: &PresenceDelta<M>,
    ) -> Result<Diff<M>, MergeError> {
        self.merge_owned_with_diff(peer, delta)
    }

    /// What the peer of that digest lacks of the local replica alone, and of the end of its
    /// former lives: the answer to a digest, in clusters in which every node speaks only
    /// for itself. O(replicas + what is told).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// b.join("q", "t", "k", ())?;
    ///
    /// // To a node that knows nothing, b tells what is its own.
    /// let mut c = PresenceState::new("c");
    /// let delta = b.owned_delta_since(&c.digest());
    /// let diff = c.merge_owned_with_diff(b.replica(), &delta).unwrap();
    /// assert_eq!(diff.joins().map(|entry| entry.pid()).collect::<Vec<_>>(), ["q"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn owned_delta_since(&self, digest: &Digest<ReplicaId>) -> PresenceDelta<M> {
        if digest.get(&self.replica).is_none() {
            return self.owned_snapshot();
        }
        let is_own =
            |replica: &ReplicaId| *replica == self.replica || self.replica.is_newer_than(replica);
        let lines = digest.iter().filter(|(replica, _)| is_own(replica));
        let lines = lines.map(|(replica, line)| (replica.clone(), line.clone()));
        self.delta_for_lines(&lines.collect())
    }
}
