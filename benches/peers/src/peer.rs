//! What every crate is asked to do.

/// A replicated map from texts to texts, as a crate offers it.
pub(crate) trait Peer: Sized {
    /// The crate, with its version.
    const NAME: &'static str;

    /// What the documentation of the crate says, one answer a row of
    /// [`FEATURES`](crate::table::FEATURES).
    const FEATURES: [&'static str; 8];

    /// The empty map of replica `replica`.
    fn new(replica: u8) -> Self;

    /// Sets `key` to `value`, as one change with all that the crate needs to tell
    /// of it.
    fn put(&mut self, key: &str, value: &str);

    /// Removes `key`, as one change.
    fn remove(&mut self, key: &str);

    /// [`put`](Self::put), and the bytes that tell a peer.
    fn put_message(&mut self, key: &str, value: &str) -> Vec<u8>;

    /// [`remove`](Self::remove), and the bytes that tell a peer.
    fn remove_message(&mut self, key: &str) -> Vec<u8>;

    /// Takes in what a peer sent.
    fn receive(&mut self, message: &[u8]);

    /// Joins all that `other` is, in memory.
    fn merge(&mut self, other: &mut Self);

    /// Learns what `other` has and this does not, and gives the bytes that went over
    /// the wire in both directions. `None` where the crate has nothing but the whole
    /// state.
    fn catch_up(&mut self, other: &mut Self) -> Option<usize>;

    /// The whole state as bytes.
    fn encode(&mut self) -> Vec<u8>;

    /// What is under `key`.
    fn get(&mut self, key: &str) -> Option<String>;

    /// How many keys there are.
    fn len(&mut self) -> usize;
}
