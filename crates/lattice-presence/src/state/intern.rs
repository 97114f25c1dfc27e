//! Names that many entries share.

use super::PresenceState;

impl<M> PresenceState<M> {
    /// Lets entries that came with copies of their names share those that are here.
    ///
    /// What one delta brings has a topic and an owner of its own, in memory of their
    /// own. While the caller holds the delta they cannot change, so this is done at the
    /// next merge: of whatever then is held here alone.
    pub(super) fn adopt_strangers(&mut self) {
        for entry in self.index.take_strangers() {
            let dot = entry.dot().clone();
            let stands = self.causal.store().get(&dot);
            if !stands.is_some_and(|other| other.is(&entry)) {
                continue;
            }
            drop(entry);
            self.causal.rewrite(&dot, |entry| self.index.adopt(entry));
        }
    }
}
