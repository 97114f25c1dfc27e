//! A look at the memory that the next removals will need.

use core::hint::black_box;

use smallvec::SmallVec;

use super::{Index, PidHash};
use crate::Presence;

/// Entries that are mostly looked up at once.
const AT_ONCE: usize = 64;

/// What is known of the entries that are removed next, in their order.
///
/// One removal after the other would wait for the entry, its bucket, its topic and the
/// members, each time. Asked of many entries at once, the questions of one kind do not
/// depend on each other, and the processor waits for all of them together (Chen, Ailamaki,
/// Gibbons, Mowry: "Improving hash join performance through prefetching", 2004).
///
/// All of it is a hint: what is not known is looked up again.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Where each entry lies in memory, and the hash of its pid.
    known: SmallVec<[(usize, PidHash); AT_ONCE]>,
    next: usize,
}

impl Ahead {
    /// The hash of the pid of an entry that is removed now, if it was looked up.
    pub(crate) fn next<M>(&mut self, entry: &Presence<M>) -> Option<PidHash> {
        // Mostly it is the next one. Some may have stayed.
        let rest = self.known.get(self.next..)?;
        let is_it = |known: &(usize, PidHash)| known.0 == entry.address();
        let at = self.next + rest.iter().position(is_it)?;
        self.next = at + 1;
        Some(self.known[at].1)
    }
}

impl<M> Index<M> {
    /// Looks at what the removal of these entries will need.
    pub(crate) fn look_ahead(&self, dying: &[(u64, &Presence<M>)], ahead: &mut Ahead) {
        // Each loop asks one thing of all: no round of it waits for the one before.
        let entries = || dying.iter().map(|(_, entry)| entry);
        black_box(entries().fold(0, |sum, entry| sum ^ entry.dot().clock));
        // Whoever lets the last entry of a name go frees the name.
        let names = entries().map(|entry| entry.topic().as_bytes().first());
        black_box(names.flatten().fold(0, |sum, byte| sum ^ byte));
        let hashes = entries().map(|entry| (entry.address(), self.pid_hash(entry)));
        ahead.known.clear();
        ahead.known.extend(hashes);
        ahead.next = 0;
        let buckets = ahead.known.iter();
        let topics = buckets.filter_map(|(_, pid)| self.by_pid.look(pid.hash));
        let topics: SmallVec<[_; AT_ONCE]> = topics.collect();
        let topics = || topics.iter().map(|topic| self.topics.at(*topic));
        black_box(topics().fold(0, |sum, topic| sum ^ topic.members.len()));
        black_box(topics().fold(0, |sum, topic| sum ^ topic.look()));
    }
}
